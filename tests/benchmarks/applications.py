"""Applications in uWSGI: what a token costs that keystonemiddleware checks in them, and one that the
filter checks before them.

They have a Keystone of their own, whose catalogue has twenty services: what is said of a token by
Keystone, and told to an application, is mostly that.
"""

import contextlib
import importlib.metadata
import json
import os
import pathlib
import re
import sys
import uuid

import sqlalchemy

import contenders
import load
import machine
from contenders import Contender
from parts.ec2 import Cloud
from parts.http1 import Connection
from parts.keystone import ADMIN_PASSWORD
from parts.process import Process
from parts.programs import program

DIRECT = "application"
CHEAPEST = "application, keystonemiddleware, no catalogue"
MEMCACHED = "application, keystonemiddleware, memcached, catalogue"
BEHIND = "application behind a proxy"
FILTERED = "Voussoir before the application, all headers"
CATALOG = "Voussoir before the application, all headers, catalogue"
NAMES = [DIRECT, CHEAPEST, MEMCACHED, BEHIND, FILTERED, CATALOG]
# What a token adds to each of these: so much as it takes more than the other.
ADDED = {CHEAPEST: DIRECT, MEMCACHED: DIRECT, FILTERED: BEHIND, CATALOG: BEHIND}

# The name by which proxies before applications know the key server of their Keystone.
KEYSERVER = "keyserver-of-applications"
SERVICES = 20
# uWSGI's, each of which serves one connection at a time.
WORKERS = 2


class Application(Process):
    """The application in uWSGI, perhaps behind keystonemiddleware."""

    def __init__(self, options, directory):
        super().__init__("application", directory)
        words = {
            # Connections are kept, as proxies keep them.
            "--http11-socket": "127.0.0.1:0",
            "--home": sys.prefix,
            "--wsgi-file": pathlib.Path(__file__).with_name("application_wsgi.py"),
            "--processes": WORKERS,
            "--threads": 1,
            "--buffer-size": 65535,
        }
        flags = ["--master", "--die-on-term", "--need-app", "--no-orphans", "--disable-logging"]
        command = [program("uwsgi"), *flags, *(word for pair in words.items() for word in pair)]
        self.spawn(command, KEYSTONEMIDDLEWARE=json.dumps(options))
        try:
            self.port = int(self.wait_until_ready(self._bound, "to bind a port")[1])
            self.wait_until_ready(self._has_workers, "to have its workers")
        except BaseException:
            self.stop()
            raise
        self.pids = machine.family(self.child.pid)

    def cpu(self):
        return sum(map(machine.scheduled_seconds, self.pids))

    def memory(self):
        return sum(map(machine.resident, self.pids))

    def target(self):
        """The application, asked directly."""
        return load.Target(self.port, {"application": self.cpu}, self.memory, WORKERS)

    def _bound(self):
        return re.search(r"bound to TCP address 127\.0\.0\.1:(\d+)", self.log())

    def _has_workers(self):
        return self.log().count("spawned uWSGI worker ") == WORKERS


class Memcached(Process):
    """Debian's memcached, as it is by default but for the port."""

    def __init__(self, directory):
        super().__init__("memcached", directory)
        self.port = machine.free_port()
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        self.spawn(["memcached", "-l", "127.0.0.1", "-p", self.port, *user])
        try:
            self.wait_until_ready(self._answers, "to answer")
        except BaseException:
            self.stop()
            raise

    def _answers(self):
        with contextlib.suppress(OSError), Connection(self.port) as connection:
            connection.send(b"version\r\n")
            return connection.socket.recv(64).startswith(b"VERSION")
        return False


def are_wanted(only):
    """Whether any of them is among those that have one of these texts in their names."""
    return not only or any(text in name for name in NAMES for text in only)


def field(keystone, memcached, module):
    """The contenders by name; `prepare` made Keystone's catalogue."""
    cloud = Cloud(keystone, "applications")
    cloud.holder("user")
    token = keystone.user_token("user", cloud.domain, {"project": {"id": cloud.project}})
    asked = contenders.always({"x-auth-token": token})
    common = {
        "auth_type": "password",
        "auth_url": keystone.url,
        "username": "admin",
        "password": ADMIN_PASSWORD,
        "user_domain_id": "default",
        "project_name": "admin",
        "project_domain_id": "default",
        "www_authenticate_uri": contenders.TOKENS["www_authenticate_uri"],
    }
    cheapest = common | {"include_service_catalog": False}
    usual = common | {"memcached_servers": f"127.0.0.1:{memcached.port}"}

    def before(**sections):
        return contenders.voussoir(module, KEYSERVER, **sections)

    def direct(options):
        return Contender(None, asked, DIRECT, options=options)

    def behind(filters):
        return Contender(filters, asked, BEHIND, options={})

    with_catalog = contenders.TOKENS | {"catalog": True}
    found = [
        direct({}),
        direct(cheapest),
        direct(usual),
        behind([]),
        behind(before(token=contenders.TOKENS)),
        behind(before(token=with_catalog)),
    ]
    return dict(zip(NAMES, found, strict=True))


def prepare(keystone):
    """Twenty services, each with three endpoints: the first of them is Keystone itself."""
    keystone.call("PUT", "/regions/RegionOne", {"region": {}})
    types = ["identity", *(f"service-{number}" for number in range(1, SERVICES))]
    services = [
        {
            "id": uuid.uuid4().hex,
            "type": type_,
            "enabled": True,
            "extra": json.dumps({"name": type_, "description": "One of many"}),
        }
        for type_ in types
    ]
    urls = {
        service["id"]: f"http://{service['type']}.example:8080/v2.1/$(project_id)s"
        for service in services
    }
    urls[services[0]["id"]] = keystone.url
    endpoints = [
        {
            "id": uuid.uuid4().hex,
            "service_id": service,
            "region_id": "RegionOne",
            "interface": interface,
            "url": url,
            "enabled": True,
            "extra": "{}",
        }
        for service, url in urls.items()
        for interface in ("public", "internal", "admin")
    ]
    database = sqlalchemy.create_engine(keystone.connection)
    tables = sqlalchemy.MetaData()
    tables.reflect(database, only=["service", "endpoint"])
    with database.begin() as connection:
        connection.execute(tables.tables["service"].insert(), services)
        connection.execute(tables.tables["endpoint"].insert(), endpoints)
    database.dispose()


def versions():
    """Of what they are made."""
    found = {name: importlib.metadata.version(name) for name in ("keystonemiddleware", "uWSGI")}
    return found | {"memcached": machine.first_line("memcached", "--version").split()[-1]}
