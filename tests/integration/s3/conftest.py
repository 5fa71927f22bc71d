"""What the tests of S3 share: someone with an EC2 credential of a real Keystone, a key server that
reads that Keystone's database, and an Envoy before several stores.

And for what neither Keystone nor a store has a say in: someone with an access key of the key
server's own, and an Envoy before an echo.
"""

import pytest

from parts.access_key_store import AccessKeys
from parts.certificates import Authority
from parts.ec2 import Cloud
from parts.envoy_config import Listener, plugin
from parts.keyserver import KeyServer
from parts.relay import Relay
from parts.s3_clients import LARGE, REGION, boto3_client
from parts.s3_store import BUCKET, S3sFs

# A store that verifies nothing must not be shown what it cannot know.
PLAIN = {"forward": False}
UNTOUCHED = {"decode_chunks": False}
# The body is read while the head waits for a key, and kept meanwhile: see test_s3_parked.py.
EARLY = {
    "allow_on_headers_stop_iteration": True,
    "per_connection_buffer_limit": LARGE + (1 << 20),
}
# Which no access key of Keystone's has: those are hexadecimal.
PREFIX = "VSR"
# A service whose clients sign the hash of the body, and send no header with it.
SQS = {"services": ["sqs"]}
# Settings that a listener for signed requests should not have.
NORMALIZING = {
    "normalize": {"normalize_path": True},
    "merge": {"merge_slashes": True},
    "unescape": {"path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD"},
}
NORMALIZING["all"] = NORMALIZING["normalize"] | NORMALIZING["merge"] | NORMALIZING["unescape"]


@pytest.fixture(scope="session")
def cloud(keystone):
    return Cloud(keystone, "s3")


@pytest.fixture(scope="session")
def alice(cloud):
    return cloud.holder("alice")


@pytest.fixture(scope="session")
def serve_keystone(keyserver_program, keystone, tmp_path_factory):
    """Starts a key server of that Keystone, with more flags; the caller ends it."""

    def serve(*flags):
        directory = tmp_path_factory.mktemp("keyserver")
        return KeyServer.of_keystone(keyserver_program, keystone, directory, *flags)

    return serve


@pytest.fixture(scope="session")
def keystone_keyserver(serve_keystone):
    """A key server of that Keystone."""
    with serve_keystone() as keyserver:
        yield keyserver


@pytest.fixture(scope="session")
def keystone_relay(keystone_keyserver):
    """The way to it, which can be held or closed."""
    with Relay(keystone_keyserver.port) as relay:
        yield relay


@pytest.fixture(scope="session")
def verifying_store(alice, tmp_path_factory):
    """A store that knows Alice's secret, and verifies her signatures itself."""
    credential = (alice.account.access, alice.account.secret)
    with S3sFs(tmp_path_factory.mktemp("verifying"), credential) as store:
        s3 = boto3_client(f"http://127.0.0.1:{store.port}", alice.account)
        s3.create_bucket(Bucket=BUCKET)
        s3.close()
        yield store


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "clients-of-s3")


@pytest.fixture(scope="session")
def front(start_envoy, keystone_relay, s3s_fs, seaweedfs, verifying_store, authority):
    """An Envoy with a listener for each store and for each way to treat a request."""
    certificate = authority.issue("127.0.0.1")
    listeners = {
        "s3s": listener("s3s", PLAIN),
        "s3s_early": listener("s3s", PLAIN, **EARLY),
        "s3s_tls": listener("s3s", PLAIN, certificate=certificate),
        "seaweedfs": listener("seaweedfs", PLAIN),
        "through": listener("verifying", UNTOUCHED),
        "through_tls": listener("verifying", UNTOUCHED, certificate=certificate),
        "echo": listener("upstream", {}),
        "echo_plain": listener("upstream", PLAIN),
        "echo_early": listener("upstream", PLAIN, **EARLY),
        "echo_through": listener("upstream", UNTOUCHED),
        "echo_both": Listener(plugin(sigv4={})),
        "echo_strict": listener("upstream", {"regions": [REGION], "access_key_prefix": PREFIX}),
    }
    stores = {"s3s": s3s_fs, "seaweedfs": seaweedfs, "verifying": verifying_store}
    ports = {name: store.port for name, store in stores.items()}
    with start_envoy(listeners, keystone_relay.port, **ports) as envoy:
        envoy.wait_for_the_feed()
        yield envoy


@pytest.fixture(scope="session")
def access_keys(keyserver_program, tmp_path_factory):
    """The key server's own store."""
    return AccessKeys.in_directory(keyserver_program, tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def bob(access_keys):
    return access_keys.create("--role=member")


@pytest.fixture(scope="session")
def store_keyserver(keyserver_program, vector_keys, access_keys, bob, tmp_path_factory):
    """A key server of that store, which Bob's key has brought into being."""
    directory = tmp_path_factory.mktemp("keyserver")
    with KeyServer(keyserver_program, vector_keys, directory, *access_keys.flags) as keyserver:
        yield keyserver


@pytest.fixture(scope="session")
def store_relay(store_keyserver):
    """The way to it, which can be held or closed."""
    with Relay(store_keyserver.port) as relay:
        yield relay


@pytest.fixture(scope="session")
def edge(start_envoy, store_relay, authority):
    """An Envoy before an echo, with a listener for each way to be told and to treat requests."""
    listeners = {
        "held": echo({}),
        "tls": echo({}, certificate=authority.issue("127.0.0.1")),
        "large_chunks": echo({"max_chunk": "16MiB"}),
        "early": echo({}, allow_on_headers_stop_iteration=True),
        "sqs": echo(SQS, allow_on_headers_stop_iteration=True),
        "sqs_not_held": echo(SQS),
        "both": Listener(plugin(sigv4={})),
        **{name: echo({}, manager=settings) for name, settings in NORMALIZING.items()},
        "sqs_normalize": echo(SQS, manager=NORMALIZING["normalize"]),
    }
    with start_envoy(listeners, store_relay.port) as envoy:
        envoy.wait_for_the_feed()
        yield envoy


def echo(sigv4, **options):
    """A listener that knows signatures and no tokens, before the upstream that echoes."""
    # A test has regions of its own, to have keys of its own.
    limits = {"scopes_per_access_key": 10_000}
    config = plugin(token=None, sigv4=sigv4, limits=limits, **told(options))
    return Listener(config, **options)


def listener(upstream, sigv4, **options):
    """A listener that knows signatures and no tokens."""
    config = plugin(token=None, sigv4=sigv4, **told(options))
    return Listener(config, upstream=upstream, **options)


def told(options):
    """What the filter has to be told of these options of a listener."""
    return {"hold_headers": options.get("allow_on_headers_stop_iteration")}
