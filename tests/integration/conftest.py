"""What the tests share: where the parts are, and the parts that are worth keeping for a while.

Nothing here stands in for a part: the filter is the built module in a real Envoy, tokens come from
a real Keystone, keys from the built key server, clients and stores of S3 are real ones. Only the
service behind the proxy that echoes is our own.

`scripts/test integration` builds and installs what is needed and runs all of this. By hand, with
the packages of tests/requirements.txt: `python -m pytest tests/integration`. Where parts are not
where scripts/build and cargo put them, VOUSSOIR_WASM, VOUSSOIR_KEYSERVER, VOUSSOIR_AWS_SIGNER and
ENVOY say so.
"""

import itertools
import json
import os
import subprocess

import pytest

from parts.access_keys import World
from parts.built import built
from parts.databases import ENGINES
from parts.envoy import Envoy
from parts.envoy_config import DEFAULT_KINDS, OPTIONAL_KINDS, Listener, bootstrap, plugin
from parts.everyone import WAYS, Everyone
from parts.keyserver import KeyServer
from parts.keystone import Keystone
from parts.minting import write_repository
from parts.process import Process
from parts.programs import ROOT
from parts.relay import Relay
from parts.s3_store import S3sFs, SeaweedFs
from parts.services import ADMIN_PROJECT, start_pair
from parts.upstream import Upstream


@pytest.fixture(scope="session")
def root():
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def module():
    """The filter."""
    return built("VOUSSOIR_WASM", "wasm32-wasip1/release/voussoir.wasm", "scripts/build")


@pytest.fixture(scope="session")
def keyserver_program():
    how = "cargo build --package voussoir-keyserver"
    return built("VOUSSOIR_KEYSERVER", "debug/voussoir-keyserver", how)


@pytest.fixture(scope="session")
def aws_signer():
    """A program that signs with the crate aws-sigv4."""
    how = "cargo build --package voussoir-core --example aws_sigv4_sign"
    return built("VOUSSOIR_AWS_SIGNER", "debug/examples/aws_sigv4_sign", how)


@pytest.fixture(scope="session")
def envoy_program():
    """$ENVOY, or the Envoy that scripts/envoy finds or installs."""
    if program := os.environ.get("ENVOY"):
        return program
    result = subprocess.run(
        [ROOT / "scripts/envoy"], stdout=subprocess.PIPE, text=True, check=False
    )
    if result.returncode != 0:
        pytest.fail("scripts/envoy finds no Envoy: set ENVOY to a binary", pytrace=False)
    return result.stdout.strip()


@pytest.fixture(scope="session")
def vectors():
    """Tokens of every kind that open with one set of keys, and many that must not be accepted."""
    return json.loads((ROOT / "tests/vectors/keystone-30.json").read_text())


@pytest.fixture(scope="session")
def upstream():
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def keystone(tmp_path_factory):
    with Keystone(tmp_path_factory.mktemp("keystone")) as keystone:
        yield keystone


@pytest.fixture(scope="session")
def pair(keyserver_program, start_envoy, tmp_path_factory):
    """A service behind keystonemiddleware and behind the filter, both before a Keystone of theirs."""
    make = tmp_path_factory.mktemp
    with (
        Keystone(make("keystone"), configuration=ADMIN_PROJECT) as keystone,
        start_pair(keystone, keyserver_program, start_envoy, make) as pair,
    ):
        yield pair


@pytest.fixture(scope="session")
def everyone(pair):
    """Who is in that Keystone."""
    return Everyone(pair.keystone)


@pytest.fixture(scope="session")
def issued(everyone):
    """A token of every kind, by the way in which it was issued."""
    return {way: getattr(everyone, way)().token for way in WAYS}


@pytest.fixture(scope="session")
def s3s_fs(tmp_path_factory):
    """A store that believes everyone, with a bucket in it."""
    with S3sFs(tmp_path_factory.mktemp("s3s-fs")) as store:
        store.create_bucket()
        yield store


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory):
    """Another store that believes everyone, with a bucket in it."""
    with SeaweedFs(tmp_path_factory.mktemp("seaweedfs")) as store:
        store.create_bucket()
        yield store


@pytest.fixture(scope="session")
def vector_keys(vectors, tmp_path_factory):
    """A key repository with the keys of the vectors."""
    keys = {key["id"]: key["key"] for key in vectors["keys"]}
    return write_repository(tmp_path_factory.mktemp("vectors") / "keys", keys)


@pytest.fixture(scope="session")
def vector_keyserver(keyserver_program, vector_keys, tmp_path_factory):
    """A key server with the keys of the vectors."""
    with KeyServer(keyserver_program, vector_keys, tmp_path_factory.mktemp("keyserver")) as server:
        yield server


@pytest.fixture(scope="module", params=ENGINES)
def engine(request, tmp_path_factory):
    """A database engine, with an empty database for Keystone and one for the store."""
    with ENGINES[request.param](tmp_path_factory.mktemp(request.param)) as engine:
        yield engine


@pytest.fixture(scope="module")
def world(engine, keyserver_program, tmp_path_factory):
    """A Keystone on the engine, and a key server that serves its access keys and a store's."""
    directory = tmp_path_factory.mktemp("keystone")
    with Keystone(directory, engine.keystone_url("keystone")) as keystone:
        world = World(engine, keystone, keyserver_program, tmp_path_factory.mktemp("world"))
        with world.server:
            yield world


@pytest.fixture(scope="session")
def primary_key(vectors):
    """The key that `vector_keyserver` serves as the primary one."""
    return vectors["keys"][0]["key"]


@pytest.fixture(scope="session")
def good_token(vectors):
    """A project-scoped token under the vectors' keys that does not expire in our time."""
    return next(v["token"] for v in vectors["positive"] if v["name"] == "project")


@pytest.fixture(scope="session")
def start_envoy(module, envoy_program, upstream, tmp_path_factory):
    """Starts an Envoy with these listeners before a key server's port; the caller ends it.

    Beside the upstream that echoes it may have others, by name.
    """

    def start(
        listeners, keyserver, stats_config=None, module=module, kind=Envoy, **upstreams
    ):
        directory = tmp_path_factory.mktemp("envoy")
        configuration = bootstrap(
            module,
            listeners,
            keyserver=keyserver,
            upstream={"upstream": upstream.port} | upstreams,
            access_log=directory / "access.log",
            stats_config=stats_config,
        )
        return kind(envoy_program, configuration, directory)

    return start


@pytest.fixture(scope="session")
def envoy(start_envoy, vector_keyserver):
    """An Envoy before the vectors' keys, with listeners for what most tests need.

    Whoever needs keys to come late, to change or to be missing starts another.
    """
    listeners = {
        "enforce": Listener(plugin()),
        "all_kinds": Listener(plugin(token={"kinds": [*DEFAULT_KINDS, *OPTIONAL_KINDS]})),
        "anonymous": Listener(plugin(missing="anonymous")),
        "bypass": Listener(
            plugin(
                bypass=[
                    {"path": "/exact"},
                    {"path": "/reading", "methods": ["GET", "HEAD"]},
                    {"path_prefix": "/public/"},
                ]
            )
        ),
        "preflight": Listener(plugin(bypass_cors_preflight=True)),
        "reason": Listener(plugin(reason_header="x-voussoir-reason")),
        "secretive": Listener(plugin(token={"forward": False})),
        "shadow": Listener(plugin(mode="shadow", token={"forward": False})),
        "short": Listener(plugin(token={"max_length": 200})),
    }
    with start_envoy(listeners, vector_keyserver.port) as envoy:
        yield envoy


@pytest.fixture(scope="module", autouse=True)
def sound_envoys():
    """After each module: no Envoy that still runs has lost an instance of the filter."""
    yield
    for part in Process.running:
        if isinstance(part, Envoy):
            part.assert_sound()


@pytest.fixture
def path(request):
    """A path that no other test uses, to find its requests by at both ends."""
    return f"/{next(_numbers)}/{request.node.originalname}"


_numbers = itertools.count(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """A failed test shows what the parts that run had to say."""
    report = yield
    if report.failed:
        for part in Process.running:
            log = "\n".join(part.log().splitlines()[-60:])
            report.sections.append((f"end of the log of {part.name} ({part.log_path})", log))
    return report


@pytest.fixture
def relay(vector_keyserver):
    """The way to the key server of the vectors, which can be held or closed."""
    with Relay(vector_keyserver.port) as relay:
        yield relay


@pytest.fixture(scope="session")
def figures(pytestconfig):
    """Lines to be shown at the end, by their heading: what was measured."""
    return pytestconfig.stash.setdefault(_FIGURES, {})


def pytest_sessionfinish(session):
    """One of several processes that share the files has to hand over what it measured."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["figures"] = session.config.stash.get(_FIGURES, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """What one of those processes measured."""
    figures = node.config.stash.setdefault(_FIGURES, {})
    for heading, lines in getattr(node, "workeroutput", {}).get("figures", {}).items():
        figures.setdefault(heading, []).extend(lines)


def pytest_terminal_summary(terminalreporter, config):
    for heading, lines in config.stash.get(_FIGURES, {}).items():
        terminalreporter.section(heading)
        for line in lines:
            terminalreporter.write_line(line)


_FIGURES = pytest.StashKey()
