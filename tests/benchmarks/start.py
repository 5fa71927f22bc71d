"""How long it takes until a proxy that is started lets its first request through.

`scripts/bench --start` runs this: from the start of the proxy's process to the first 200, asked for over and
over by a request with a token, in rounds that take one contender after the other.
"""

import argparse
import contextlib
import os
import pathlib
import statistics
import tempfile
import time

import contenders
import envoys
import machine
import report
from parts import http1
from parts.envoy import write
from parts.keyserver import KeyServer
from parts.keystone import Keystone
from parts.process import Process
from proxies import say

NAMES = [contenders.NO_FILTER, contenders.EMPTY, contenders.WARM]
# Seconds between two requests, which is how exactly it is measured.
PAUSE = 0.001
PATIENCE = 30


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench --start", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11, help="how often each is started (11)")
    parser.add_argument(
        "--publish", action="store_true", help="writes docs/performance.md of the results, too"
    )
    arguments = parser.parse_args()
    module = pathlib.Path(os.environ["VOUSSOIR_MODULE"])
    samples = {name: [] for name in NAMES}
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        say("starting Keystone and the key server ...")
        keystone = stack.enter_context(Keystone(directory / "keystone"))
        program = pathlib.Path(os.environ["VOUSSOIR_KEYSERVER"])
        place = directory / "keyserver"
        place.mkdir()
        server = stack.enter_context(KeyServer.of_keystone(program, keystone, place))
        field = contenders.field(keystone, module, os.environ["EMPTY_FILTER"])
        for number in range(arguments.rounds):
            say(f"round {number + 1} of {arguments.rounds}")
            for name in NAMES:
                place = directory / f"{number}-{NAMES.index(name)}"
                samples[name].append(first_answer(field[name], server.port, place))
    result = {
        "machine": machine.describe(),
        "versions": machine.versions(),
        "module_bytes": module.stat().st_size,
        "seconds": samples,
    }
    report.tell("start", result, text(result), publishes=arguments.publish)


def first_answer(contender, keyserver, directory):
    """Seconds from the start of a proxy to its first 200."""
    (request, *_), _ = contender.requests()
    port = machine.free_port()
    configuration = envoys.bootstrap(contender.filters, {"keyserver": keyserver}, port=port)
    with Process("envoy", directory) as proxy:
        command = [os.environ["ENVOY"], "-c", write(configuration, directory)]
        started = time.monotonic()
        proxy.spawn([*command, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error"])
        while time.monotonic() < started + PATIENCE:
            with contextlib.suppress(OSError):
                answer = http1.get(port, "/", list(request.items()))
                if answer and answer.status == 200:
                    return time.monotonic() - started
            time.sleep(PAUSE)
        raise TimeoutError(f"no answer within {PATIENCE} s:\n{proxy.log()}")


def text(result):
    """What it came to."""
    base = result["seconds"][NAMES[0]]
    lines = [
        f"{result['machine']}; {report.made_of(result)}; a module of {result['module_bytes']:,} bytes; "
        f"{len(base)} starts of each in turn.\n",
        "| | first 200 after | against no filter |",
        "|---|---|---|",
    ]
    for name, seconds in result["seconds"].items():
        ratios = [mine / other for mine, other in zip(seconds, base, strict=True)]
        lines.append(
            f"| {name} | {1000 * statistics.median(seconds):.0f} ms ({1000 * min(seconds):.0f} to "
            f"{1000 * max(seconds):.0f}) | {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}) |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
