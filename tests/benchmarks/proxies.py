"""What a filter costs its proxy for each request, beside what people use today.

`scripts/bench` runs this. Each contender is a proxy of its own with one worker; all of them run all the
time, and one after the other is given load, round after round, so that a machine whose speed drifts is
unjust to nobody. What counts are ratios within a round, which `report.py` makes of what is measured.
"""

import argparse
import contextlib
import dataclasses
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
import report
from neighbour import Neighbour
from parts.keyserver import KeyServer
from parts.keystone import Keystone

# Keystone takes a connection for each request, and has two processes.
TO_KEYSTONE = 4
# Large bodies on many connections would measure the machine's memory.
FEW = 4


def main():
    arguments = parsed()
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        say("starting Keystone, the key server and the proxies ...")
        subjects = start(arguments, directory, stack)
        for subject in subjects.values():
            warm(subject)
        samples, path = {name: [] for name in subjects}, report.file_of()
        for number in range(arguments.rounds):
            say(f"round {number + 1} of {arguments.rounds}")
            for name, subject in subjects.items():
                samples[name].append(load.run(subject.target, subject.script(), arguments.seconds))
            # Whoever does not wait for the end has something, too.
            result = measured(arguments, subjects, samples)
            report.keep(result, path)
    say(f"\n{report.text(result)}\nAll that was measured is in {path}.")
    if arguments.publish:
        report.publish(result, path)
        say(f"The report is in {report.PAGE}.")


def parsed():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="three rounds of two seconds")
    parser.add_argument("--rounds", type=int, help="how many rounds (9)")
    parser.add_argument("--seconds", type=int, help="how long each contender has load in one (4)")
    parser.add_argument(
        "--only",
        action="append",
        metavar="TEXT",
        help="contenders with this in their names, and what they are compared with",
    )
    parser.add_argument(
        "--module", type=pathlib.Path, default=os.environ["VOUSSOIR_MODULE"], help="another module"
    )
    parser.add_argument(
        "--publish", action="store_true", help="writes docs/performance.md of the results, too"
    )
    arguments = parser.parse_args()
    rounds, seconds = (3, 2) if arguments.quick else (9, 4)
    arguments.rounds = arguments.rounds or rounds
    arguments.seconds = arguments.seconds or seconds
    return arguments


@dataclasses.dataclass
class Subject:
    """A contender that runs."""

    contender: contenders.Contender
    target: load.Target
    directory: pathlib.Path

    def script(self):
        """Requests for a round, made now."""
        return load.write(*self.contender.requests(), self.directory)


def start(arguments, directory, stack):
    """Every contender that runs, by name."""
    keystone = stack.enter_context(Keystone(directory / "keystone"))
    return start_with(keystone, arguments, directory, stack)


def start_with(keystone, arguments, directory, stack):
    """The same, before a Keystone that is there."""
    place = directory / "keyserver"
    place.mkdir()
    program = pathlib.Path(os.environ["VOUSSOIR_KEYSERVER"])
    server = stack.enter_context(KeyServer.of_keystone(program, keystone, place))
    key = max(keystone.key_repository.iterdir(), key=lambda file: int(file.name)).read_text()
    beside = os.environ["NEIGHBOURS"]
    sink = stack.enter_context(Neighbour(beside, directory / "sink", "sink"))
    checker = stack.enter_context(Neighbour(beside, directory / "ext-authz", "ext-authz", key))
    clusters = {"keyserver": server.port, "service": sink.port, "ext_authz": checker.port}
    field = contenders.field(keystone, arguments.module, os.environ["EMPTY_FILTER"])
    subjects = {}
    for name in wanted(field, arguments.only):
        contender = field[name]
        place = directory / f"contender-{len(subjects)}"
        place.mkdir()
        if contender.filters is None:
            target = of_keystone(keystone)
        else:
            service = "service" if contender.has_service else None
            configuration = envoys.bootstrap(contender.filters, clusters, service)
            envoy = stack.enter_context(envoys.Worker(os.environ["ENVOY"], configuration, place))
            target = load.worker(envoy)
            if contender.helper:
                target = with_helper(target, checker)
            if contender.has_large_bodies:
                target = dataclasses.replace(target, connections=FEW)
        subjects[name] = Subject(contender, target, place)
    return subjects


def wanted(field, only):
    """The names of all contenders, or of some and of what those are compared with."""
    chosen = [name for name in field if not only or any(text in name for text in only)]
    bases = {field[name].base for name in chosen}
    return [name for name in field if name in chosen or name in bases]


def of_keystone(keystone):
    """All processes of a Keystone."""
    pids = machine.family(keystone.child.pid)
    return load.Target(
        keystone.port,
        lambda: sum(machine.scheduled_seconds(pid) for pid in pids),
        lambda: sum(machine.resident(pid) for pid in pids),
        TO_KEYSTONE,
    )


def with_helper(target, helper):
    """A proxy and the service that it asks."""
    return dataclasses.replace(
        target,
        cpu=lambda: target.cpu() + helper.cpu(),
        memory=lambda: target.memory() + machine.resident(helper.child.pid),
    )


def warm(subject):
    """Gives load until all is answered 200: records were fetched, and code was compiled."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return load.run(subject.target, subject.script(), 1)
        except load.RefusedError:
            if time.monotonic() > deadline:
                raise


def measured(arguments, subjects, samples):
    """All that was measured so far."""
    return {
        "machine": machine.describe(),
        "versions": {
            "envoy": first_line(os.environ["ENVOY"], "--version"),
            "voussoir": first_line("git", "describe", "--always", "--dirty"),
        },
        "rounds": min(map(len, samples.values())),
        "seconds": arguments.seconds,
        "module_bytes": pathlib.Path(arguments.module).stat().st_size,
        "bases": {name: subject.contender.base for name, subject in subjects.items()},
        "samples": {name: list(map(dataclasses.asdict, some)) for name, some in samples.items()},
        "resident_bytes": {name: subject.target.memory() for name, subject in subjects.items()},
    }


def first_line(*command):
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return re.sub(r"^\S*/", "", text.strip().splitlines()[0])


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    main()
