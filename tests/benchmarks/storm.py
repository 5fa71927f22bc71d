"""What clients wait for where load does not wait for them: requests at a steady rate, each counted from
when it was due.

`scripts/bench --storm` runs this. First the storm that once took a Keystone down: 2,777 validations a
second, here answered by one worker of a proxy. Then what the filter adds to the latency of a request with
a token, at half of what the proxy with the filter could bear.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

import load
import machine
import proxies
import report
from parts.keystone import Keystone

STORM = "Voussoir answers validations"
WITHOUT, WITH = "no filter", "Voussoir, warm token, two headers"
# Validations a second.
RATE = 2777
PERCENTILES = {"p50": "p50", "p99": "p99", "p999": "p99.9"}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench --storm", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=10, help="how long each load lasts (10)")
    parser.add_argument("--rounds", type=int, default=5, help="how often latencies are compared (5)")
    parser.add_argument(
        "--publish", action="store_true", help="writes docs/performance.md of the results, too"
    )
    own = parser.parse_args()
    arguments = argparse.Namespace(only=[STORM, WITHOUT, WITH], module=os.environ["VOUSSOIR_MODULE"])
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        proxies.say("starting Keystone, the key server and the proxies ...")
        keystone = stack.enter_context(Keystone(directory / "keystone"))
        subjects = proxies.start_with(keystone, arguments, directory, stack)
        for subject in [subjects[STORM], subjects[WITHOUT], subjects[WITH]]:
            proxies.warm(subject)
        result = {
            "machine": machine.describe(),
            "versions": machine.versions(),
            "seconds": own.seconds,
            "storm": storm(subjects[STORM], keystone, own.seconds),
            "added": compare(subjects[WITHOUT], subjects[WITH], own),
        }
    title = "Latency at half of saturation, as a ratio to no filter"
    report.tell(
        "storm",
        result,
        text(result),
        publishes=own.publish,
        picture=lambda: "\n" + report.draw("latency", title, bars(result)),
    )


def storm(subject, keystone, seconds):
    before, busy = len(keystone.requests()), subject.target.cpu()["worker"]
    result = run(subject, RATE, seconds)
    busy = (subject.target.cpu()["worker"] - busy) / seconds
    return result | {"busy": busy, "asked": len(keystone.requests()) - before}


def compare(without, with_, own):
    """Rounds in turn, at half of what the one with the filter can bear."""
    rate = round(load.run(with_.target, with_.script(), 3).rate / 2)
    rounds = [
        {WITHOUT: run(without, rate, own.seconds), WITH: run(with_, rate, own.seconds)}
        for _ in range(own.rounds)
    ]
    return {"rate": rate, "rounds": rounds}


def text(result):
    """What it came to."""
    storm, rounds = result["storm"], result["added"]["rounds"]
    lines = [
        f"{result['machine']}; {report.made_of(result)}.\n",
        f"{RATE:,} validations a second for {result['seconds']} s, one worker: {told(storm)}. The worker was",
        f"busy for {storm['busy']:.0%} of the time; Keystone was asked {storm['asked']} times.\n",
        f"At {result['added']['rate']:,} requests a second, half of what a proxy with the filter could bear,",
        f"{len(rounds)} rounds in turn:\n",
        f"| | {WITHOUT} | {WITH} | added |",
        "|---|---|---|---|",
    ]
    for key, name in PERCENTILES.items():
        without, with_ = ([one[which][key] for one in rounds] for which in (WITHOUT, WITH))
        added = [mine - other for other, mine in zip(without, with_, strict=True)]
        lines.append(
            f"| {name} | {statistics.median(without):.0f} µs | {statistics.median(with_):.0f} µs "
            f"| {statistics.median(added):.0f} µs ({min(added):.0f} to {max(added):.0f}) |"
        )
    return "\n".join(lines) + "\n"


def bars(result):
    """What there is a picture of."""
    rounds = result["added"]["rounds"]
    return [
        (f"{WITH}: {name}", *report.spread_of([one[WITH][key] / one[WITHOUT][key] for one in rounds]))
        for key, name in PERCENTILES.items()
    ]


def run(subject, rate, seconds):
    """One load, as JSON says what came of it."""
    (request, *_), _ = subject.contender.requests()
    words = {":method": "GET", ":path": "/"} | request
    method, path = words.pop(":method"), words.pop(":path")
    lines = [f"{method} {path} HTTP/1.1", "Host: bench"]
    lines += [f"{name}: {value}" for name, value in words.items()]
    file = subject.directory / "request"
    file.write_text("\r\n".join([*lines, "", ""]), newline="")
    address = f"127.0.0.1:{subject.target.port}"
    command = [os.environ["NEIGHBOURS"], "storm", address, file, str(rate), str(seconds)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = json.loads(text)
    assert not result["refused"], result
    return result["latency"]


def told(result):
    figures = ", ".join(f"{name} {result[key] / 1000:.2f} ms" for key, name in PERCENTILES.items())
    return f"{result['count']:,} answers, {figures}, at most {result['most'] / 1000:.2f} ms"


if __name__ == "__main__":
    main()
