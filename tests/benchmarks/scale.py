"""How far it goes: very many edges at one key server, and very many users at one edge.

`scripts/bench --scale` runs this. First ten thousand edges, each of which follows the real key server
of a real Keystone with the filter's own code: at rest, when the keys of tokens are rotated, and when many
tokens are revoked at once. Then requests of a million users through one proxy: how many of them it
knows, and how much memory it takes.
"""

import argparse
import base64
import contextlib
import datetime
import json
import os
import pathlib
import resource
import subprocess
import tempfile
import time
import uuid

import sqlalchemy

import contenders
import envoys
import machine
import report
from neighbour import Neighbour
from parts.keyserver import BEARER_TOKEN, KeyServer
from parts.keystone import Keystone
from parts.minting import new_key
from parts.process import Process
from proxies import say

# Files that a process has open besides its connections.
SPARE_FILES = 200
# Tokens that are revoked at once.
REVOKED = 100
# How long all edges may take to learn of something.
PATIENCE = 60
# Of the edges: half, 99 %, all.
KNOWN = ("p50", "p99", "most")

# By what they are called, how often the users come: the n-th as often as 1 / n ^ exponent.
CROWDS = {"all alike": 0.0, "Zipf": 1.0}
# What cache.entries is: the default, and the most.
ENTRIES = [10_000, 100_000]
# What else the proxy is told: no limit of calls is to be what is measured, and nothing is to be fetched
# again since it is a minute old. There is one worker, which has nobody to share with.
CACHE = {"fresh": "10m", "shared_entries": 0}
LIMITS = {"calls_per_second": 100_000, "calls": 1024, "parked": 16_384}
CONNECTIONS = 32


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/bench --scale", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--edges", type=int, default=10_000, help="how many edges (10000)")
    parser.add_argument("--users", type=int, default=1_000_000, help="how many users (1000000)")
    parser.add_argument(
        "--seconds",
        type=int,
        default=30,
        help="how long each crowd comes (30); edges are counted for twice as long",
    )
    parser.add_argument(
        "--publish", action="store_true", help="writes docs/performance.md of the results, too"
    )
    arguments = parser.parse_args()
    module = pathlib.Path(os.environ["VOUSSOIR_MODULE"])
    result = {
        "machine": machine.describe(),
        "versions": machine.versions(),
        "module_bytes": module.stat().st_size,
        "seconds": arguments.seconds,
        "edges": {"count": arguments.edges, "open_files": allow_files(arguments.edges)},
        "users": {"count": arguments.users, "connections": CONNECTIONS},
    }
    path = report.file_of("scale-")
    with tempfile.TemporaryDirectory() as directory:
        result["edges"] |= edges(arguments, pathlib.Path(directory))
        report.keep(result, path)
        result["users"]["crowds"] = list(crowds(arguments, module, pathlib.Path(directory)))
    report.tell("scale", result, text(result), publishes=arguments.publish, path=path)


def allow_files(edges):
    """Raises the limit of open files, here and in all that is started, as far as connections need."""
    wanted = edges + SPARE_FILES
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < wanted:
        raise SystemExit(f"{edges} edges need {wanted} open files, and `ulimit -Hn` is {most}")
    if now != resource.RLIM_INFINITY and now < wanted:
        say(f"raising the limit of open files from {now} to {wanted}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    return wanted


# The edges.


class Edges(Process):
    """So many of them, in a process that is told what to do and tells what came of it."""

    def __init__(self, server, count, directory):
        super().__init__("edges", directory)
        keyserver = {"cluster": "keyserver", "bearer_token": BEARER_TOKEN}
        config = json.dumps({"keyserver": keyserver, "token": contenders.TOKENS})
        command = [os.environ["NEIGHBOURS"], "edges", f"127.0.0.1:{server.port}", config, str(count)]
        self.server = server
        self.count = count
        with self.log_path.open("ab") as log:
            self.child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        Process.running.append(self)
        self.begin()

    def begin(self):
        """What comes from now on is counted."""
        self.begun = time.time(), *self._busy()
        self._say("begin")

    def counted(self):
        """What came since, in numbers; processors were busy with it for so many seconds of each."""
        self._say("look")
        counts = json.loads(self.child.stdout.readline())
        began, *before = self.begun
        seconds = time.time() - began
        busy, own = (now - then for now, then in zip(self._busy(), before, strict=True))
        return counts | {
            "seconds": seconds,
            "answers": sum(counts[kind]["count"] for kind in ("changes", "keys", "revocations")),
            "keyserver_cpu": busy,
            "edges_cpu": own,
            "keyserver_bytes": machine.resident(self.server.child.pid),
        }

    def wait(self, condition, what):
        """Counts until it holds."""
        end = time.monotonic() + PATIENCE
        while not condition(counts := self.counted()):
            assert time.monotonic() < end, f"not within {PATIENCE} s: {what}: {counts}\n{self.log()}"
            time.sleep(0.5)
        return counts

    def _busy(self):
        pids = self.server.child.pid, self.child.pid
        return [machine.scheduled_seconds(pid) for pid in pids]

    def _say(self, command):
        self.child.stdin.write(f"{command}\n")
        self.child.stdin.flush()


def edges(arguments, directory):
    """What so many edges cost a key server, and when the last of them knows."""
    count = arguments.edges
    say("starting Keystone and the key server ...")
    with contextlib.ExitStack() as stack:
        keystone = stack.enter_context(Keystone(directory / "keystone"))
        program, place = pathlib.Path(os.environ["VOUSSOIR_KEYSERVER"]), directory / "keyserver"
        place.mkdir()
        server = stack.enter_context(KeyServer.of_keystone(program, keystone, place))
        say(f"starting {count:,} edges ...")
        before = machine.resident(server.child.pid)
        fleet = stack.enter_context(Edges(server, count, directory / "edges"))
        started = fleet.wait(lambda counts: counts["ready"] == count, "all edges to start")

        seconds = 2 * arguments.seconds
        say(f"counting what they ask for, {seconds} s ...")
        fleet.begin()
        time.sleep(seconds)
        at_rest = fleet.counted()

        say("rotating the keys of tokens ...")
        fleet.begin()
        keystone.rotate()
        # The last file of it has its name.
        rotated = keystone.key_repository.stat().st_mtime
        renewed = fleet.wait(lambda counts: counts["renewed"]["count"] == count, "other keys everywhere")

        say(f"revoking {REVOKED} tokens ...")
        fleet.begin()
        revoked = revoke(keystone)
        told = fleet.wait(
            lambda counts: counts["told_revocations"] >= REVOKED * count, "revocations everywhere"
        )
        assert told["told_revocations"] == REVOKED * count, told
        results = {"start": started, "rest": at_rest, "rotation": renewed, "revocations": told}
        failures = {name: counts["failures"] for name, counts in results.items() if counts["failures"]}
        if failures:
            say(f"some questions had no good answer: {failures}")
    return results | {
        "bytes_before": before,
        "renewed_after": since(renewed["renewed"], rotated),
        "told_after": since(told["told"], revoked),
    }


def revoke(keystone):
    """Revokes tokens by their audit ids, as Keystone does, but all at once: when that was done."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0)

    def audit_id():
        return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")

    rows = [{"audit_id": audit_id(), "issued_before": now, "revoked_at": now} for _ in range(REVOKED)]
    database = sqlalchemy.create_engine(keystone.connection)
    tables = sqlalchemy.MetaData()
    tables.reflect(database, only=["revocation_event"])
    with database.begin() as connection:
        connection.execute(tables.tables["revocation_event"].insert(), rows)
    done = time.time()
    database.dispose()
    return done


def since(times, begin):
    """Seconds after `begin` until half of the edges, 99 % and the last of them knew."""
    return {name: times[name] / 1e6 - begin for name in KNOWN}


# The users.


def crowds(arguments, module, directory):
    """What a proxy knows of those who come, and what that takes."""
    key = new_key()
    with Neighbour(os.environ["NEIGHBOURS"], directory / "stand-in", "stand-in", key) as stand_in:
        for entries in ENTRIES:
            for name, exponent in CROWDS.items():
                say(f"{arguments.users:,} users, {name}, and room for {entries:,} ...")
                place = directory / f"crowd-{entries}-{name}".replace(" ", "-")
                plugin = {
                    "token": contenders.TOKENS,
                    "cache": CACHE | {"entries": entries},
                    "limits": LIMITS,
                }
                filters = contenders.voussoir(module, "keyserver", **plugin)
                configuration = envoys.bootstrap(filters, {"keyserver": stand_in.port})
                with envoys.Worker(os.environ["ENVOY"], configuration, place) as envoy:
                    came = crowd(envoy, key, exponent, arguments)
                yield {"name": name, "exponent": exponent, "entries": entries} | came


def crowd(envoy, key, exponent, arguments):
    """One load, on a proxy that knows nobody."""

    def send(users, seconds):
        address = f"127.0.0.1:{envoy.ports['bench']}"
        command = [
            os.environ["NEIGHBOURS"],
            "crowd",
            address,
            key,
            users,
            exponent,
            seconds,
            CONNECTIONS,
        ]
        result = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
        return json.loads(result.stdout)

    # One user, until the module is compiled as well as it will be.
    send(1, 3)
    before, looked_up = machine.resident(envoy.child.pid), lookups(envoy)
    came = send(arguments.users, arguments.seconds)
    assert not came["refused"], came
    found = {name: count - looked_up.get(name, 0) for name, count in lookups(envoy).items()}
    return came | {
        "lookups": found,
        "hit_rate": (found["fresh"] + found["stale"]) / came["latency"]["count"],
        "held": envoy.stats("voussoir_identities")["wasmcustom.voussoir_identities"],
        "bytes_before": before,
        "bytes_after": machine.resident(envoy.child.pid),
    }


def lookups(envoy):
    """How many there were so far, by their results."""
    # Workers bring such sums up to date within a second.
    time.sleep(2)
    found = envoy.stats("voussoir_identity_lookups_total")
    return {name.partition("result=")[2]: count for name, count in found.items()}


# The report.


def text(result):
    """What it came to."""
    return "\n".join([*text_of_edges(result), "", *text_of_users(result)]) + "\n"


def text_of_edges(result):
    fleet, count = result["edges"], result["edges"]["count"]
    rest = fleet["rest"]
    cpu = 1e6 * rest["keyserver_cpu"] / rest["answers"]
    same = rest["unchanged"] / max(rest["keys"]["count"], 1)
    memory = rest["keyserver_bytes"] - fleet["bytes_before"]
    return [
        f"{result['machine']}; {report.made_of(result)}.\n",
        f"{count:,} edges with a connection each (HTTP/1.1 without TLS; {fleet['open_files']:,} open files",
        "were allowed), on the same machine as the key server:\n",
        "| | Answers/s | Key server | Edges | p50 of a poll | p99 | Known by half after | by 99 % | by all |",
        "|---|---|---|---|---|---|---|---|---|",
        row_of_edges("all start within five seconds", fleet["start"]),
        row_of_edges("at rest", rest),
        row_of_edges("the keys are rotated", fleet["rotation"], fleet["renewed_after"]),
        row_of_edges(f"{REVOKED} tokens are revoked", fleet["revocations"], fleet["told_after"]),
        "",
        "Key server, edges: how much of a core each took.",
        f"At rest an answer takes {cpu:.0f} µs of CPU time of the key server, and {same:.0%} of",
        f"{rest['keys']['count']:,} questions for keys are answered 304.",
        f"The connections take {memory >> 20} MiB of its memory.",
    ]


def row_of_edges(name, counts, after=None):
    seconds, polls = counts["seconds"], counts["changes"]
    cells = [
        name,
        f"{counts['answers'] / seconds:,.0f}",
        f"{counts['keyserver_cpu'] / seconds:.0%}",
        f"{counts['edges_cpu'] / seconds:.0%}",
        f"{polls['p50'] / 1000:.2f} ms",
        f"{polls['p99'] / 1000:.1f} ms",
        *(f"{after[which]:.1f} s" if after else "" for which in KNOWN),
    ]
    return f"| {' | '.join(cells)} |"


def text_of_users(result):
    users = result["users"]
    return [
        f"{users['count']:,} users with a token each, of whom {users['connections']} connections draw one",
        f"after the other as fast as they are answered, for {result['seconds']} s each:\n",
        "| Users come | `cache.entries` | Requests/s | Users that came | Known | Held | p50 | p99 "
        "| Memory before | after |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *map(row_of_users, users["crowds"]),
        "",
        "Zipf: the n-th user comes as often as 1/n says. Known: the share of requests for whose identity",
        "nobody had to be asked. So that nothing else limits them, the proxy was told",
        f"{settings()}.",
    ]


def row_of_users(crowd):
    latency = crowd["latency"]
    cells = [
        crowd["name"],
        f"{crowd['entries']:,}",
        f"{latency['count'] / crowd['seconds']:,.0f}",
        f"{crowd['users']:,}",
        f"{crowd['hit_rate']:.1%}",
        f"{crowd['held']:,}",
        f"{latency['p50'] / 1000:.2f} ms",
        f"{latency['p99'] / 1000:.2f} ms",
        f"{crowd['bytes_before'] >> 20} MiB",
        f"{crowd['bytes_after'] >> 20} MiB",
    ]
    return f"| {' | '.join(cells)} |"


def settings():
    """What else the proxy is told."""
    sections = {"cache": CACHE, "limits": LIMITS}
    return ", ".join(
        f"`{section}.{name}` {value}"
        for section, values in sections.items()
        for name, value in values.items()
    )


if __name__ == "__main__":
    main()
