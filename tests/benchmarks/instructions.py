"""What a filter costs its proxy for each request in instructions, which nothing else on the machine
changes.

`scripts/bench --instructions` runs this. Each contender is a proxy in callgrind, Valgrind's simulated processor: its
WebAssembly engine too, and whatever that has compiled. Requests come one after the other over one connection.
What the worker takes for other things meanwhile is a share of a thousandth. How long an instruction takes, memory
that is far away and the kernel's part are not in it.
"""

import concurrent.futures
import contextlib
import itertools
import os
import pathlib
import re
import subprocess
import tempfile
import time

import contenders
import envoys
import load
import machine
import proxies
import report
from parts import http1
from parts.envoy import write
from parts.keystone import Keystone
from parts.process import Process

# To start a proxy takes minutes there.
PATIENCE = 600
# V8 compiles anew what has run for a while; then so many are counted.
WARM, COUNTED = 300, 1000


def main():
    parser = proxies.parser_of("scripts/bench --instructions", __doc__.partition("\n\n")[0])
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        proxies.say("starting Keystone and the key server ...")
        keystone = stack.enter_context(Keystone(directory / "keystone"))
        field, clusters = proxies.prepare(keystone, arguments, directory, stack)
        names = [name for name in proxies.wanted(field, arguments.only) if is_alone(field[name])]

        def one(name):
            place = directory / f"proxy-{names.index(name)}"
            count = counted(field[name], clusters, place)
            proxies.say(f"{count:>10,.0f}  {name}")
            return count

        # Two at a time: the count is the same, however busy the machine is.
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            counts = dict(zip(names, threads.map(one, names), strict=True))
    versions = machine.versions() | {"valgrind": machine.first_line("valgrind", "--version")}
    result = {
        "machine": machine.describe(),
        "versions": versions,
        "module_bytes": pathlib.Path(arguments.module).stat().st_size,
        "instructions": counts,
    }
    report.tell("instructions", result, text(result), publishes=arguments.publish)


def is_alone(contender):
    """Whether the proxy does all that is done, and takes no body."""
    return contender.filters is not None and not contender.helper and not contender.has_service


def counted(contender, clusters, directory):
    """The instructions of the whole proxy for each request."""
    port = machine.free_port()
    configuration = envoys.bootstrap(contender.filters, clusters, port=port)
    requests = map(load.encoded, itertools.cycle(contender.requests()[0]))
    with Process("envoy", directory) as proxy:
        counts = directory / "counts"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}", os.environ["ENVOY"]]
        command += ["-c", write(configuration, directory), "--use-dynamic-base-id"]
        proxy.spawn([*command, "--concurrency", "1", "--log-level", "error"])
        with connected(port, next(requests), proxy) as connection:
            ask(connection, itertools.islice(requests, WARM))
            dumped(proxy, counts)
            ask(connection, itertools.islice(requests, COUNTED))
            return dumped(proxy, counts) / COUNTED


def connected(port, request, proxy):
    """A connection, as soon as a request is answered 200 on it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            connection = http1.Connection(port, PATIENCE)
            connection.send(request)
            answer = connection.response()
            if answer and answer.status == 200:
                return connection
            connection.socket.close()
        time.sleep(0.5)
    raise TimeoutError(f"no answer within {PATIENCE} s:\n{proxy.log()}")


def ask(connection, requests):
    for request in requests:
        connection.send(request)
        answer = connection.response()
        assert answer.status == 200, answer


def dumped(proxy, counts):
    """The instructions since they were asked for the last time."""
    known = set(counts.parent.glob(f"{counts.name}.*"))
    subprocess.run(["callgrind_control", "--dump", str(proxy.child.pid)], check=True, capture_output=True)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for path in set(counts.parent.glob(f"{counts.name}.*")) - known:
            # The last line, once all is written.
            if total := re.search(r"(?m)^totals: (\d+)$", path.read_text()):
                return int(total[1])
        time.sleep(0.1)
    raise TimeoutError(f"callgrind wrote nothing:\n{proxy.log()}")


def text(result):
    """What it came to."""
    counts = result["instructions"]
    base, none = counts[contenders.BASE], counts.get(contenders.NO_FILTER)
    lines = [
        f"{report.made_of(result)}; a module of {result['module_bytes']:,} bytes; {COUNTED:,} requests of "
        "each.\n",
        f"| Contender | Instructions for each request | of {contenders.BASE} | beyond no filter |",
        "|---|---|---|---|",
    ]
    for name, count in counts.items():
        beyond = f"{count - none:,.0f}" if none else ""
        lines.append(f"| {name} | {count:,.0f} | {count / base:.2f} | {beyond} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
