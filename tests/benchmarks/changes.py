"""What it costs to look for changes, over as many live access keys, and as many live identities, as a key
server checks by default.

`scripts/bench-changes` runs this. On each engine: a Keystone's own database with COUNT users, each
with a project, a role in it, an EC2 credential and a membership in a group that has a role in all
projects of the domain. The key server is asked for each access key and each identity once. Then its
passes are timed, while nothing changes, and its answers to edges that ask whether something has.

A pass begins once in PERIOD: where one takes longer, changes are told later by as much.

What is counted comes from the key server's metrics, CPU time from the kernel.
"""

import concurrent.futures
import datetime
import hashlib
import json
import multiprocessing
import os
import pathlib
import re
import secrets
import socket
import sys
import tempfile
import time
import uuid

import httpx
import sqlalchemy
from cryptography.fernet import Fernet

import machine
from parts.databases import ENGINES
from parts.deadline import wait_until
from parts.keyserver import BEARER_TOKEN, KeyServer
from parts.keystone import Keystone

# As many as --recheck-keys and --recheck-identities have by default.
COUNT = 10_000
# As --change-poll is by default, in seconds.
PERIOD = 1
GROUP_SIZE = 20
PASSES = 20
POLLERS = 4
POLL_SECONDS = 5
# How many requests for signing keys are under way at a time.
ASKERS = 8


def main():
    program = pathlib.Path(os.environ["VOUSSOIR_KEYSERVER"])
    names = sys.argv[1:] or list(ENGINES)
    print(f"{machine.describe()}\n{COUNT:,} access keys and {COUNT:,} identities in each pass,")
    print(f"one pass in {PERIOD} s, {PASSES} passes on each engine\n")
    print("| Engine | Statements | Rows | Time of a pass | Key server | Database | Memory | Lookup | Holds |")
    print("|---|---|---|---|---|---|---|---|---|")
    polls = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="voussoir-bench-") as directory:
            row, polled = measure(ENGINES[name], program, pathlib.Path(directory))
        print("| " + " | ".join(row) + " |", flush=True)
        polls.append(f"{name}: {polled}")
    print("\nStatements, rows, milliseconds of CPU time of both: for each pass. Memory: of the key")
    print("server. Lookup: CPU time of both for the first question for an access key or an identity.")
    print(f"Holds: how often a pass began; once in {PERIOD} s, unless passes take longer.\n")
    print(f"GET /v1/changes, {POLLERS} clients, one request at a time each, plain HTTP/1.1:")
    print("\n".join(polls))


def measure(engine, program, directory):
    with engine(directory / "database") as engine:
        with Keystone(directory / "keystone", engine.keystone_url("keystone")) as keystone:
            access_keys, identities = fill(engine, keystone)
        url = directory / "url"
        url.write_text(engine.read_only_url("keystone"))
        with KeyServer(
            program,
            keystone.key_repository,
            directory / "keyserver",
            f"--keystone-database-file={url}",
            f"--credential-keys={keystone.credential_keys}",
            f"--change-poll={PERIOD}s",
        ) as server:
            meter = Meter(server, engine)
            lookups = meter.change(lambda: ask(server, access_keys, identities))
            await_passes(meter, 2)
            watched = meter.read()
            assert (watched["access_keys"], watched["identities"]) == (COUNT, COUNT), watched
            begun = time.monotonic()
            passes = meter.change(lambda: await_passes(meter, PASSES))
            period = (time.monotonic() - begun) / passes["passes"]
            told = meter.read()["told"]
            assert told == 0, f"{told} changes were told, and there was none"
            memory = machine.resident(server.child.pid)
            return [
                describe(engine),
                f"{passes['statements'] / passes['passes']:.0f}",
                f"{passes['rows'] / passes['passes']:,.0f}",
                f"{1000 * passes['duration'] / passes['passes']:.0f} ms",
                f"{1000 * passes['server'] / passes['passes']:.0f} ms",
                f"{1000 * passes['engine'] / passes['passes']:.0f} ms",
                f"{memory >> 20} MiB",
                f"{1000 * (lookups['server'] + lookups['engine']) / (2 * COUNT):.2f} ms",
                f"each {period:.1f} s",
            ], poll(server, meter)


# The database.


def fill(engine, keystone):
    """Makes everybody; returns the access keys, and the questions for the identities of their tokens."""
    (member,) = keystone.call("GET", "/roles?name=member")["roles"]
    (reader,) = keystone.call("GET", "/roles?name=reader")["roles"]
    key = max(keystone.credential_keys.iterdir(), key=lambda path: int(path.name)).read_bytes()
    database = sqlalchemy.create_engine(engine.keystone_url("keystone"))
    tables = sqlalchemy.MetaData()
    tables.reflect(database)
    rows = {name: [] for name in TABLES}
    access_keys = []
    for number in range(COUNT):
        access_keys.append(uuid.uuid4().hex)
        somebody(rows, number, access_keys[-1], member["id"], reader["id"], key)
    with database.begin() as connection:
        for name in TABLES:
            # There are columns that Keystone fills itself: what is not told is as by default.
            connection.execute(tables.tables[name].insert(), rows[name])
    if engine.name != "sqlite":
        with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # As the engines do by themselves, some time after so many rows.
            for name in TABLES:
                preparer = database.dialect.identifier_preparer
                command = "ANALYZE TABLE" if engine.name == "mariadb" else "ANALYZE"
                connection.execute(sqlalchemy.text(f"{command} {preparer.quote(name)}"))
    database.dispose()
    grants = [row for row in rows["assignment"] if row["type"] == "UserProject"]
    identities = [
        {"user": row["actor_id"], "scope": {"project": row["target_id"]}} for row in grants
    ]
    return access_keys, identities


def somebody(rows, number, access_key, member, reader, key):
    """A user, and all that belongs to it."""
    home = {"domain_id": "default", "extra": "{}"}
    if number % GROUP_SIZE == 0:
        group = {"id": uuid.uuid4().hex, "name": f"group-{number}", **home}
        rows["group"].append(group)
        grant(rows, "GroupDomain", group, {"id": "default"}, reader, inherited=True)
    user = {"id": uuid.uuid4().hex, "enabled": True, **home}
    rows["user"].append(user)
    name = {"user_id": user["id"], "domain_id": "default", "name": f"user-{number}"}
    rows["local_user"].append(name)
    group = rows["group"][-1]
    rows["user_group_membership"].append({"user_id": user["id"], "group_id": group["id"]})
    project = {"id": uuid.uuid4().hex, "name": f"project-{number}", "enabled": True, **home}
    rows["project"].append(project | {"parent_id": "default", "is_domain": False})
    grant(rows, "UserProject", user, project, member, inherited=False)
    blob = json.dumps({"access": access_key, "secret": secrets.token_hex(16)}).encode()
    credential = {
        "id": hashlib.sha256(access_key.encode()).hexdigest(),
        "user_id": user["id"],
        "project_id": project["id"],
        "type": "ec2",
        "encrypted_blob": Fernet(key).encrypt(blob).decode(),
        "key_hash": hashlib.sha1(key).hexdigest(),
        "extra": "{}",
    }
    rows["credential"].append(credential)


def grant(rows, kind, actor, target, role, *, inherited):
    fields = {"actor_id": actor["id"], "target_id": target["id"], "role_id": role}
    rows["assignment"].append({"type": kind, **fields, "inherited": inherited})


# In an order in which none refers to a later one.
TABLES = [
    "project",
    "user",
    "local_user",
    "group",
    "user_group_membership",
    "assignment",
    "credential",
]


# What is measured.


class Meter:
    """What the key server has counted so far, and the seconds of CPU time of both."""

    def __init__(self, server, engine):
        self.server = server
        self.engine = engine

    def read(self):
        text = self.server.get("/metrics")

        def count(name):
            values = re.findall(rf"(?m)^voussoir_keyserver_{name} ([0-9.e-]+)$", text)
            return sum(map(float, values))

        # An engine that is no server runs within the key server.
        child = getattr(self.engine, "child", None)
        return {
            "statements": count(r'database_statements_total\{database="keystone"\}'),
            "rows": count(r'database_rows_total\{database="keystone"\}'),
            "passes": count(r'change_passes_total\{result="complete"\}'),
            "duration": count("change_pass_duration_seconds_sum"),
            "access_keys": count(r'watched\{kind="access_key",answer="found"\}'),
            "identities": count(r'watched\{kind="identity",answer="found"\}'),
            "told": count(r"changes_total\{[^}]*\}"),
            "server": machine.cpu_seconds(self.server.child.pid),
            "engine": sum(map(machine.cpu_seconds, machine.family(child.pid))) if child else 0.0,
        }

    def change(self, work):
        before = self.read()
        work()
        after = self.read()
        return {name: after[name] - before[name] for name in after}


def ask(server, access_keys, identities):
    """Asks for a signing key of each, and for each identity."""
    today = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d")
    scope = {"date": today, "region": "us-east-1", "service": "s3"}
    with (
        httpx.Client(headers={"authorization": f"Bearer {BEARER_TOKEN}"}, timeout=20) as client,
        concurrent.futures.ThreadPoolExecutor(ASKERS) as pool,
    ):

        def post(path, question):
            answer = client.post(server.url + path, json=question)
            assert answer.status_code == 200, answer.text
            return answer.json()

        def one_key(access_key):
            return post("/v1/signing-keys", scope | {"access_key": access_key})["credential"]

        def one_identity(question):
            return post("/v1/identities", question)["identity"]

        for one, questions in ((one_key, access_keys), (one_identity, identities)):
            for record in pool.map(one, questions):
                roles = {role["name"] for role in record["roles"]}
                assert roles == {"member", "reader"}, roles


def await_passes(meter, count):
    end = meter.read()["passes"] + count
    wait_until(lambda: meter.read()["passes"] >= end, f"{count} passes", 10 * count, pause=0.5)


def poll(server, meter):
    """Asks for changes as fast as the answers come; what that makes of the key server."""
    headers = {"authorization": f"Bearer {BEARER_TOKEN}"}
    cursor = httpx.get(server.url + "/v1/changes", headers=headers).json()["cursor"]
    request = f"GET /v1/changes?after={cursor} HTTP/1.1\r\nhost: k\r\n"
    request += f"authorization: Bearer {BEARER_TOKEN}\r\n\r\n"
    polled = []

    def work():
        arguments = [(server.port, request.encode())] * POLLERS
        with multiprocessing.Pool(POLLERS) as pool:
            polled.extend(pool.starmap(poll_alone, arguments))

    change = meter.change(work)
    count = sum(polled)
    # The passes went on meanwhile; what they took is not the pollers'.
    return f"{count / POLL_SECONDS:,.0f} requests/s, {1e6 * change['server'] / count:.0f} µs of CPU time each, passes included"


def poll_alone(port, request):
    """How many answers came."""
    count, end = 0, time.monotonic() + POLL_SECONDS
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while time.monotonic() < end:
            connection.sendall(request)
            answer = connection.recv(4096)
            while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
                answer += connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200 "), answer
            assert answer.endswith(b'"changes":[]}'), answer
            count += 1
    return count


# The engine.


def describe(engine):
    """The engine with its version."""
    if engine.name == "sqlite":
        return "SQLite"
    database = sqlalchemy.create_engine(engine.keystone_url("keystone"))
    with database.connect() as connection:
        version = connection.execute(sqlalchemy.text("SELECT version()")).scalar()
    database.dispose()
    name = {"mariadb": "MariaDB", "postgresql": "PostgreSQL"}[engine.name]
    number = re.search(r"[0-9.]*[0-9]", version)[0]
    return f"{name} {number}"


if __name__ == "__main__":
    main()
