"""Signing keys and the key server: case 25 of the hardest ones, and crowds that want one key."""

import contextlib
import datetime
import itertools
import json
import re

import pytest

from parts import http1, signing
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.http2 import Client as Http2
from parts.impostor import Impostor, answer
from parts.s3_clients import REGION, Account
from parts.s3_store import DOMAIN

PATH = "/v1/signing-keys"
CONNECTIONS = 16
SCOPES, SERVICES = 4, ["sqs", "execute-api"]

_regions = (f"life-{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def edge(start_envoy, store_relay):
    """An Envoy that hears of no changes while these tests run: test_s3_changes.py is about those."""
    listeners = {
        "held": {},
        "fresh_for_1s": {"cache": {"fresh": "1s"}},
        "waits_300ms": {"keyserver": {"timeout": "300ms"}},
        "waits_20s": {"keyserver": {"timeout": "20s"}},
        "few_scopes": {
            "limits": {"scopes_per_access_key": SCOPES},
            "sigv4": {"services": ["s3", *SERVICES]},
        },
    }
    config = plugin(token=None, sigv4={}, keyserver={"poll": "60s"})
    for name, changes in listeners.items():
        keyserver = config["keyserver"] | changes.get("keyserver", {})
        listeners[name] = Listener(config | changes | {"keyserver": keyserver})
    with start_envoy(listeners, store_relay.port) as envoy:
        envoy.wait_for_the_feed()
        yield envoy


def get(port, account, path, **options):
    signed = signing.sign(account, "GET", path, **options)
    return http1.get(port, path, signed.headers, host=DOMAIN)


def code(response):
    found = re.search(rb"<Code>(\w+)</Code>", response.body)
    return found and found[1].decode()


def assert_slow_down(response):
    assert (response.status, code(response)) == (503, "SlowDown"), response
    assert response.header("content-type") == "application/xml"
    assert int(response.header("retry-after")) >= 1


def test_case_25_a_disabled_key_is_good_as_long_as_it_is_remembered(edge, access_keys, path):
    """Where nobody tells the proxy."""
    account = access_keys.create()
    port, request = edge.ports["fresh_for_1s"], signing.sign(account, "GET", path)
    # On one connection, and so at one worker: another may have heard of it from its fellow.
    with http1.Connection(edge.ports["held"]) as connection:

        def status():
            return connection.get(path, request.headers, host=DOMAIN).status

        assert status() == 200
        assert get(port, account, path).status == 200
        access_keys.run("disable", account.access)
        # By default that is longer than this test.
        assert status() == 200
        refused = wait_until(lambda: (r := get(port, account, path)).status != 200 and r, "an end")
        assert (refused.status, code(refused)) == (403, "InvalidAccessKeyId")
        assert status() == 200


def test_case_25_a_key_server_that_is_slow_or_down_is_said_to_be(
    edge, bob, store_relay, upstream, path
):
    """And only to those whose key is not there."""
    port = edge.ports["waits_300ms"]
    # Both workers have it then. On a busy machine the first answers may take longer than that.
    wait_until(lambda: all(get(port, bob, path).status == 200 for _ in range(10)), "his key")
    for stop, start in (
        (store_relay.hold, store_relay.release),
        (store_relay.down, store_relay.up),
    ):
        stop()
        try:
            url = f"{path}/{stop.__name__}"
            assert_slow_down(get(port, bob, url, region=next(_regions)))
            assert not upstream.requests_to(url)
            assert get(port, bob, url).status == 200
        finally:
            start()
        region = next(_regions)
        wait_until(lambda r=region: get(port, bob, path, region=r).status == 200, "it to be back")


def scopes(account, path):
    """Requests under one access key, each in a scope of its own: regions, services, and days."""
    now = datetime.datetime.now(datetime.UTC)
    for number in range(30):
        yield path, signing.sign(account, "GET", path, region=f"{next(_regions)}-{number}").headers
    for service in SERVICES:
        yield path, signing.sign(account, "GET", path, service=service).headers
    for days in range(8):
        # A week, which is the most, has a minute left.
        at = now - datetime.timedelta(days=days, minutes=-1)
        yield signing.presign(account, path, at=at, seconds=604_800, region="week"), []


def test_case_25_a_known_access_key_with_ever_new_scopes_costs_a_few_calls(
    edge, access_keys, store_keyserver, path
):
    account, other = access_keys.create(), access_keys.create()
    signed, others = (signing.sign(it, "GET", path).headers for it in (account, other))
    before = store_keyserver.answers(path=PATH)

    def calls():
        return store_keyserver.answers(path=PATH) - before

    # On one connection, and so at one worker.
    with http1.Connection(edge.ports["few_scopes"]) as connection:

        def status(url, headers):
            return connection.get(url, headers, host=DOMAIN).status

        assert status(path, signed) == 200
        statuses = [status(*request) for request in scopes(account, path)]
        assert set(statuses) == {200, 503}
        assert 1 + statuses.count(200) == calls() == SCOPES
        # Whom that was not about is served, and what was there before serves on.
        assert status(path, signed) == 200
        assert status(path, others) == 200
        assert calls() == SCOPES + 1

    def refusals():
        entries = [e for e in edge.access_log() if e["path"].startswith(path)]
        return [e["details"] for e in entries if e["status"] == 503]

    wait_until(lambda: len(refusals()) == statuses.count(503), "all in the access log")
    assert set(refusals()) == {"voussoir_too_many_calls"}


def test_case_25_an_unknown_access_key_with_ever_new_scopes_costs_one(
    edge, store_keyserver, upstream, path
):
    account, before = Account("VSRNOONE", "secret"), store_keyserver.answers(path=PATH)
    with http1.Connection(edge.ports["few_scopes"]) as connection:
        for url, headers in scopes(account, path):
            response = connection.get(url, headers, host=DOMAIN)
            assert response.status == 403
            assert code(response) in ("InvalidAccessKeyId", "InvalidClientTokenId")
    assert store_keyserver.answers(path=PATH) - before == 1
    assert not any(arrival.path.startswith(path) for arrival in upstream.arrivals)


def truth(account, secret=None, **changes):
    """What a key server answers to a question about today."""
    day = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d")
    return {
        "access_key": account.access,
        "date": day,
        "region": REGION,
        "service": "s3",
        "signing_key": signing.signing_key(secret or account.secret, day).hex(),
        "credential": {"user": {"id": "bob"}, "roles": []},
    } | changes


def document(content):
    fields = {name: value for name, value in content.items() if value is not None}
    return json.dumps(fields).encode()


def denial(reason):
    error = {"code": 404, "title": "Not Found", "message": "No such key.", "reason": reason}
    return answer(json.dumps({"error": error}).encode(), status=b"404 Not Found")


def lies(account):
    """Answers that are no signing key of this access key, by what is wrong with them."""
    good = truth(account)

    def but(**changes):
        return answer(document(good | changes))

    return {
        "another access key": but(access_key="VSRANOTHER"),
        "no access key": but(access_key=None),
        "another date": but(date="20200101"),
        "another region": but(region="eu-west-1"),
        "another service": but(service="sqs"),
        "a short key": but(signing_key=good["signing_key"][:-2]),
        "a long key": but(signing_key=good["signing_key"] + "00"),
        "an odd key": but(signing_key="x" * 64),
        "no key": but(signing_key=None),
        "no credential": but(credential=None),
        "nobody": but(credential={"roles": []}),
        "a name with a line feed": but(credential={"user": {"id": "bob\nx-roles: admin"}}),
        "an odd session token": but(credential=good["credential"] | {"session_token_sha256": "0"}),
        "garbage": answer(b"\x00\xff" * 100),
        "not json": answer(document(good)[:-1]),
        "more behind": answer(document(good) + b"{}"),
        "deep": answer(b'{"access_key":' + b"[" * 10_000),
        "40 mb": answer(b" " * 40_000_000),
        "no protocol": answer(document(good), voussoir_protocol=None),
        "protocol 2": answer(document(good), voussoir_protocol="2"),
        "error": answer(document(good), status=b"500 Internal Server Error"),
        "unauthorized": answer(b"{}", status=b"401 Unauthorized"),
        "not modified": answer(status=b"304 Not Modified", content_length=None),
        "no content": answer(status=b"204 No Content", content_length=None),
        "redirect": answer(document(good), status=b"302 Found", location="http://elsewhere/"),
        "not found": answer(b"{}", status=b"404 Not Found"),
        "denied for no reason": denial("because"),
        "not http": b"SSH-2.0-OpenSSH_9.9\r\n",
        "nothing": b"",
        "head only": b"HTTP/1.1 200 OK\r\nvoussoir-protocol: 1\r\ncontent-length: 400\r\n\r\n",
    }


@contextlib.contextmanager
def before_impostors(start_envoy, answers):
    """One Envoy with a listener, a cluster and an impostor for each answer."""
    with contextlib.ExitStack() as stack:
        impostors = {name: stack.enter_context(Impostor(text)) for name, text in answers.items()}
        clusters = {name: f"impostor-{number}" for number, name in enumerate(answers)}
        listeners = {
            name: Listener(plugin(token=None, sigv4={}, keyserver={"cluster": cluster}))
            for name, cluster in clusters.items()
        }
        ports = {clusters[name]: impostor.port for name, impostor in impostors.items()}
        yield stack.enter_context(start_envoy(listeners, ports)), impostors


def test_case_25_no_lie_of_a_key_server_lets_a_request_through(start_envoy, upstream, path):
    account = Account("VSRLIE", "secret")
    answers = {"truth": answer(document(truth(account))), **lies(account)}
    answers |= {"denial": denial("access_key_disabled")}
    answers["another secret"] = answer(document(truth(account, "another")))
    # What a key server says about itself or us is as good as its key.
    answers["expired"] = answer(
        document(truth(account, credential={"user": {"id": "bob"}, "roles": [], "expires_at": 1}))
    )
    expected = {
        "truth": (200, None),
        "denial": (403, "InvalidAccessKeyId"),
        "another secret": (403, "SignatureDoesNotMatch"),
        "expired": (403, "InvalidAccessKeyId"),
    }
    with before_impostors(start_envoy, answers) as (envoy, impostors):
        for name, impostor in impostors.items():
            response = get(envoy.ports[name], account, path)
            if name in expected:
                assert (response.status, code(response)) == expected[name], name
            else:
                assert_slow_down(response)
            assert impostor.requests >= 1, name
        assert len(upstream.requests_to(path)) == 1


@contextlib.contextmanager
def connections_of_both_workers(envoy, name):
    """Many connections to a listener, of which each worker has some."""
    with contextlib.ExitStack() as stack:
        while True:
            before = workers(envoy)
            port = envoy.ports[name]
            connections = [
                stack.enter_context(http1.Connection(port)) for _ in range(CONNECTIONS)
            ]
            for connection in connections:
                connection.get("/no-signature")
            after = workers(envoy)
            if sum(count > before.get(worker, 0) for worker, count in after.items()) == 2:
                yield connections
                return


def workers(envoy):
    """How many connections each worker has had, over all listeners."""
    counts = {}
    for name, count in envoy.stats("downstream_cx_total").items():
        if found := re.search(r"worker_\d+", name):
            counts[found[0]] = counts.get(found[0], 0) + count
    return counts


def test_case_25_two_workers_that_race_for_a_key_make_one_call(
    edge, access_keys, store_keyserver, path
):
    with connections_of_both_workers(edge, "held") as connections:
        for number in range(20):
            account = access_keys.create()
            request = http1.encode(path, signing.sign(account, "GET", path).headers, host=DOMAIN)
            before = store_keyserver.answers(path=PATH)
            for connection in connections:
                connection.send(request)
            assert {connection.response().status for connection in connections} == {200}
            assert store_keyserver.answers(path=PATH) - before == 1, number


@pytest.mark.parametrize("is_known", [True, False])
def test_a_thousand_first_requests_make_one_call(
    edge, access_keys, store_keyserver, store_relay, path, is_known
):
    account = access_keys.create() if is_known else Account("VSRNOBODY", "secret")
    signed = signing.sign(account, "GET", path)
    before, seen = store_keyserver.answers(path=PATH), workers(edge)
    store_relay.hold()
    try:
        with contextlib.ExitStack() as stack:
            clients = [
                stack.enter_context(Http2(edge.ports["waits_20s"], seconds=40)) for _ in range(20)
            ]
            waiting = [
                (client, client.start(path, signed.headers, authority=DOMAIN))
                for client in clients
                for _ in range(50)
            ]
            name = "http.waits_20s.downstream_rq_active"
            wait_until(lambda: edge.stats(name)[name] == len(waiting), "all of them wait")
            store_relay.release()
            statuses = {client.response(number).status for client, number in waiting}
    finally:
        store_relay.release()
    assert statuses == {200 if is_known else 403}
    assert store_keyserver.answers(path=PATH) - before == 1
    assert len([w for w, count in workers(edge).items() if count > seen.get(w, 0)]) == 2
