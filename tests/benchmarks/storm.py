"""What clients wait for where load does not wait for them: requests at a steady rate, each counted from
when it was due.

`scripts/bench --storm` runs this. First the storm that once took a Keystone down: 2,777 validations a
second, here answered by one worker of a proxy. Then what the filter adds to the latency of a request with
a token, at half of what the proxy with the filter could bear.

Whoever gets a processor back late, since a hypervisor had given it away, answers late. So none of them is ever
idle, what came of each tenth of a second is told by itself, and beside the median of them there is the lowest
quartile: a quarter of all were disturbed less, and so it tells most of what is measured.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import tempfile

import contenders
import load
import machine
import proxies
import report
from parts.keystone import Keystone

STORM = contenders.ANSWERS
WITHOUT, WITH = contenders.NO_FILTER, contenders.WARM
# The processor that a proxy has to itself, and those of whoever asks it: 64 threads that wake up for each
# request would otherwise have the worker wait for its turn, which is no doing of the filter's.
PROXY, *ASKERS = sorted(os.sched_getaffinity(0))
# Validations a second.
RATE = 2777
PERCENTILES = {"p50": "p50", "p99": "p99"}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench --storm", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=1, help="how long each load lasts (1)")
    parser.add_argument("--rounds", type=int, default=40, help="how often each is measured (40)")
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
            machine.keep_to(subject.target.pid, PROXY)
        stack.enter_context(machine.awake())
        result = {
            "machine": machine.describe(),
            "versions": machine.versions(),
            "seconds": own.seconds,
            "storm": storm(subjects[STORM], keystone, own),
            "added": compare(subjects[WITHOUT], subjects[WITH], own),
        }
    report.tell("storm", result, text(result), publishes=own.publish)


def storm(subject, keystone, own):
    before, busy = len(keystone.requests()), subject.target.cpu()["worker"]
    windows = []
    for _ in range(own.rounds):
        windows += run(subject, RATE, own.seconds)
    busy = (subject.target.cpu()["worker"] - busy) / (own.seconds * own.rounds)
    return {"windows": windows, "busy": busy, "asked": len(keystone.requests()) - before}


def compare(without, with_, own):
    """Rounds in turn, at half of what the one with the filter can bear."""
    rate = round(load.run(with_.target, with_.script(), 3).rate / 2)
    windows = {WITHOUT: [], WITH: []}
    for _ in range(own.rounds):
        windows[WITHOUT] += run(without, rate, own.seconds)
        windows[WITH] += run(with_, rate, own.seconds)
    return {"rate": rate, "windows": windows}


def text(result):
    """What it came to."""
    storm, added = result["storm"], result["added"]
    answers = sum(one["count"] for one in storm["windows"])
    lines = [
        f"{result['machine']}; {report.made_of(result)}; {len(storm['windows'])} times a tenth of a second, in "
        f"rounds of {result['seconds']} s. First the lowest quartile of them, which were disturbed the least; "
        "then their median.\n",
        f"{RATE:,} validations a second, one worker: {answers:,} answers, all 200. The worker was busy for",
        f"{storm['busy']:.0%} of the time; Keystone was asked {storm['asked']} times.\n",
        "| | Undisturbed | Median |",
        "|---|---|---|",
    ]
    for key, name in PERCENTILES.items():
        low, median, _ = spread(storm["windows"], key)
        lines.append(f"| {name} | {low:,.0f} µs | {median:,.0f} µs |")
    lines += [
        f"\nAt {added['rate']:,} requests a second, half of what a proxy with the filter could bear:\n",
        f"| | {WITHOUT} | {WITH} | added | medians |",
        "|---|---|---|---|---|",
    ]
    for key, name in PERCENTILES.items():
        (low, median, _), (low_with, median_with, _) = (
            spread(added["windows"][which], key) for which in (WITHOUT, WITH)
        )
        lines.append(
            f"| {name} | {low:,.0f} µs | {low_with:,.0f} µs | {low_with - low:,.0f} µs "
            f"| {median:,.0f} and {median_with:,.0f} µs |"
        )
    return "\n".join(lines) + "\n"


def spread(windows, key):
    return report.spread_of([one[key] for one in windows])


def run(subject, rate, seconds):
    """One load, and what came of each tenth of a second."""
    (request, *_), _ = subject.contender.requests()
    file = subject.directory / "request"
    file.write_bytes(load.encoded(request))
    address = f"127.0.0.1:{subject.target.port}"
    command = [os.environ["NEIGHBOURS"], "storm", address, file, str(rate), str(seconds)]
    text = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, ASKERS or [PROXY]),
    ).stdout
    result = json.loads(text)
    assert not result["refused"], result
    return result["windows"]


if __name__ == "__main__":
    main()
