"""Whose calls they are: a call that a request caused carries the headers by which traces and logs find
it, and one that no request caused carries none."""

import urllib.parse

import pytest

from parts import http1, signing
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.recorder import Recorder
from parts.s3_store import DOMAIN

TRACE = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
    "x-request-id": "request-of-the-test",
}
CHANGES, SIGNING_KEYS, TOKEN_KEYS = "/v1/changes", "/v1/signing-keys", "/v1/token-keys"
REVOCATIONS = "/v1/revocations"
# Keys that were confirmed so lately are new enough to refuse a token by, without a call.
ENOUGH = 5


@pytest.fixture(scope="module")
def way(store_keyserver):
    with Recorder(store_keyserver.port) as recorder:
        yield recorder


@pytest.fixture(scope="module")
def front(start_envoy, way):
    """Nothing is asked about again by itself while these tests run."""
    cache = {"fresh": "1h", "stale": "4h", "negative": "1h"}
    with start_envoy({"both": Listener(plugin(sigv4={}, cache=cache))}, way.port) as envoy:
        wait_until(lambda: way.heads(TOKEN_KEYS), "token keys")
        envoy.wait_for_the_feed()
        yield envoy


@pytest.fixture(scope="module")
def ways(keystone_keyserver, keystone):
    """To a key server that reads Keystone's database, and to Keystone itself."""
    with (
        Recorder(keystone_keyserver.port) as keyserver,
        Recorder(urllib.parse.urlsplit(keystone.url).port) as keystone,
    ):
        yield {"keyserver": keyserver, "keystone": keystone}


@pytest.fixture(scope="module")
def fronts(start_envoy, ways):
    """With all that is asked about tokens: of the key server, and of Keystone."""
    cache = {"fresh": "1h", "stale": "4h", "negative": "1h"}
    records = plugin(token={"identity": "records", "catalog": True}, cache=cache)
    alone = plugin(token={"identity": "keystone"}, keystone={"cluster": "keystone"}, cache=cache)
    listeners = {"keyserver": Listener(records), "keystone": Listener(alone)}
    ports = {name: way.port for name, way in ways.items()}
    with start_envoy(listeners, ports) as envoy:
        wait_until(lambda: ways["keyserver"].heads(REVOCATIONS), "what was revoked")
        # One of the two has none.
        envoy.wait_for_the_feed(1)
        yield envoy


def traces(heads):
    """What of each head belongs to a trace."""
    return [{name: head[name] for name in TRACE if name in head} for head in heads]


def test_the_call_for_a_signing_key_is_its_requests(front, way, bob):
    # Regions of their own: there are no keys for them yet.
    for region, trace in [
        ("region-1", TRACE),
        ("region-2", {}),
        ("region-3", TRACE | {"x-request-id": "another"}),
    ]:
        before = len(way.heads(SIGNING_KEYS))
        signed = signing.sign(bob, "GET", "/", region=region)
        headers = [*signed.headers, *trace.items()]
        assert http1.get(front.ports["both"], "/", headers, host=DOMAIN).status == 200
        (call,) = traces(way.heads(SIGNING_KEYS)[before:])
        if trace:
            assert call == trace
        else:
            # Envoy numbers each request that has no number.
            assert set(call) == {"x-request-id"}


@pytest.mark.parametrize(
    ("whom", "paths"),
    [("keyserver", ["/v1/identities", "/v1/catalogs"]), ("keystone", ["/v3/auth/tokens"])],
)
def test_the_calls_about_a_token_are_its_requests(fronts, ways, cloud, whom, paths):
    holder, way = cloud.holder(f"traced-{whom}"), ways[whom]
    # Of a project of its own, whose catalogue nobody has asked for.
    fields = {"name": f"traced-{whom}", "domain_id": cloud.domain}
    project = cloud.create("projects", "project", **fields)
    path = f"/projects/{project}/users/{holder.user}/roles/{cloud.roles['direct']}"
    cloud.keystone.call("PUT", path)
    scope = {"project": {"id": project}}
    token = cloud.keystone.user_token(holder.name, cloud.domain, scope)
    before = {path: len(way.heads(path)) for path in paths}
    headers = [("x-auth-token", token), *TRACE.items()]
    for _ in range(2):
        assert http1.get(fronts.ports[whom], "/", headers).status == 200
    for path in paths:
        calls = traces(way.heads(path)[before[path] :])
        assert calls == [TRACE], path


def test_what_was_revoked_is_loaded_before_anybody_asks(fronts, ways):
    """What is revoked later may be loaded on behalf of whoever waits for it: of the core's own tests."""
    assert traces(ways["keyserver"].heads(REVOCATIONS))[0] == {}


def test_the_call_for_newer_token_keys_is_its_requests(front, way, vectors):
    """A token of an unknown key may be one of a key that was made just now."""
    forged = next(v["token"] for v in vectors["envelope_negative"] if v["name"] == "foreign_key")
    before = len(way.heads(TOKEN_KEYS))

    def caused():
        headers = [("x-auth-token", forged), *TRACE.items()]
        assert http1.get(front.ports["both"], "/", headers).status == 401
        return [call for call in traces(way.heads(TOKEN_KEYS)[before:]) if call]

    assert wait_until(caused, "a call", ENOUGH + 5) == [TRACE]


def test_calls_that_no_request_causes_carry_nothing(start_envoy, store_keyserver, good_token):
    """Keys are confirmed, and changes looked for, while requests are served."""
    config = plugin(sigv4={}, cache={"fresh": "1s", "stale": "1h"}, keyserver={"poll": "500ms"})
    headers = [("x-auth-token", good_token), *TRACE.items()]
    with (
        Recorder(store_keyserver.port) as way,
        start_envoy({"both": Listener(config)}, way.port) as front,
    ):
        wait_until(lambda: way.heads(TOKEN_KEYS), "token keys")

        def is_renewed():
            assert http1.get(front.ports["both"], "/", headers).status == 200
            return all(len(way.heads(path)) >= 5 for path in (TOKEN_KEYS, CHANGES))

        wait_until(is_renewed, "calls", 20)
        assert not any(traces([*way.heads(TOKEN_KEYS), *way.heads(CHANGES)]))
