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
import tempfile
import time

import applications
import contenders
import envoys
import load
import machine
import report
from neighbour import Neighbour
from parts.keyserver import KeyServer
from parts.keystone import Keystone

# What oslo.cache has by default is no cache at all.
CACHED = """\
[cache]
enabled = true
backend = oslo_cache.memcache_pool
memcache_servers = 127.0.0.1:{port}
"""

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


def parser_of(program, description):
    """What all benchmarks of contenders are told alike."""
    parser = argparse.ArgumentParser(prog=program, description=description)
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
    return parser


def parsed():
    parser = parser_of("scripts/bench", __doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two rounds of one second")
    parser.add_argument("--rounds", type=int, help="how many rounds (27)")
    parser.add_argument("--seconds", type=int, help="how long each contender has load in one (1)")
    arguments = parser.parse_args()
    # Many short rounds tell a disturbance from what is disturbed, as few long ones do not.
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 27)
    arguments.seconds = arguments.seconds or 1
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
    subjects = start_with(keystone, arguments, directory, stack)
    memcached = stack.enter_context(applications.Memcached(directory / "memcached"))
    if contenders.VALIDATION in subjects:
        subjects |= start_cached(memcached, directory, stack)
    if applications.are_wanted(arguments.only):
        keystone = stack.enter_context(Keystone(directory / "keystone-of-applications"))
        subjects |= start_applications(keystone, memcached, arguments, directory, stack)
    return subjects


def start_with(keystone, arguments, directory, stack):
    """All but applications, before a Keystone that is there."""
    field, clusters = prepare(keystone, arguments, directory, stack)
    key = max(keystone.key_repository.iterdir(), key=lambda file: int(file.name)).read_text()
    place = directory / "ext-authz"
    checker = stack.enter_context(Neighbour(os.environ["NEIGHBOURS"], place, "ext-authz", key))
    clusters |= {"ext_authz": checker.port}
    subjects = {}
    for name in wanted(field, arguments.only):
        contender = field[name]
        place = directory / f"contender-{len(subjects)}"
        place.mkdir()
        if contender.filters is None:
            target = of_keystone(keystone)
        else:
            service = "service" if contender.has_service else None
            target = proxy(contender, clusters, service, place, stack)
            if contender.helper:
                target = with_helper(target, contender.helper, checker)
            if contender.has_large_bodies:
                target = dataclasses.replace(target, connections=FEW)
        subjects[name] = Subject(contender, target, place)
    return subjects


def prepare(keystone, arguments, directory, stack):
    """The contenders by name, and the ports of the clusters that they ask."""
    documents = directory / "documents"
    documents.mkdir()
    digest = contenders.compile_compute(documents)
    server = key_server(keystone, directory / "keyserver", stack, "--schemas", documents)
    sink = stack.enter_context(Neighbour(os.environ["NEIGHBOURS"], directory / "sink", "sink"))
    field = contenders.field(keystone, arguments.module, os.environ["EMPTY_FILTER"], digest)
    return field, {"keyserver": server.port, "service": sink.port}


def start_cached(memcached, directory, stack):
    """A Keystone with memcached."""
    configuration = CACHED.format(port=memcached.port)
    place = directory / "keystone-with-memcached"
    keystone = stack.enter_context(Keystone(place, configuration=configuration))
    contender = contenders.cached_validation(keystone)
    return {contenders.CACHED_VALIDATION: Subject(contender, of_keystone(keystone), place)}


def start_applications(keystone, memcached, arguments, directory, stack):
    """Applications, and proxies before them, with a Keystone of their own."""
    applications.prepare(keystone)
    server = key_server(keystone, directory / "keyserver-of-applications", stack)
    field = applications.field(keystone, memcached, arguments.module)
    subjects = {}
    for name in wanted(field, arguments.only):
        contender = field[name]
        place = directory / f"application-{len(subjects)}"
        place.mkdir()
        application = stack.enter_context(applications.Application(contender.options, place))
        target = application.target()
        if contender.filters is not None:
            clusters = {applications.KEYSERVER: server.port, "application": application.port}
            target = proxy(contender, clusters, "application", place, stack)
            target = with_helper(target, "application", application)
            target = dataclasses.replace(target, connections=applications.WORKERS)
        subjects[name] = Subject(contender, target, place)
    return subjects


def key_server(keystone, directory, stack, *options):
    directory.mkdir()
    program = pathlib.Path(os.environ["VOUSSOIR_KEYSERVER"])
    return stack.enter_context(KeyServer.of_keystone(program, keystone, directory, *options))


def proxy(contender, clusters, service, directory, stack):
    """A proxy with one worker that has the contender's filters."""
    configuration = envoys.bootstrap(contender.filters, clusters, service)
    return load.worker(
        stack.enter_context(envoys.Worker(os.environ["ENVOY"], configuration, directory))
    )


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
        {"Keystone": lambda: sum(machine.scheduled_seconds(pid) for pid in pids)},
        lambda: sum(machine.resident(pid) for pid in pids),
        TO_KEYSTONE,
    )


def with_helper(target, name, helper):
    """A proxy, and what it asks or passes requests on to."""
    return dataclasses.replace(
        target,
        clocks=target.clocks | {name: helper.cpu},
        memory=lambda: target.memory() + helper.memory(),
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
        "versions": machine.versions() | applications.versions(),
        "rounds": min(map(len, samples.values())),
        "seconds": arguments.seconds,
        "module_bytes": pathlib.Path(arguments.module).stat().st_size,
        "aims": contenders.AIMS,
        "bases": {name: subject.contender.base for name, subject in subjects.items()},
        "added_to": {name: other for name, other in applications.ADDED.items() if name in subjects},
        "samples": {name: list(map(dataclasses.asdict, some)) for name, some in samples.items()},
        "resident_bytes": {name: subject.target.memory() for name, subject in subjects.items()},
    }


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    main()
