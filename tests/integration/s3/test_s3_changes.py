"""What changes at Keystone is so at the proxy within two poll periods, event or no event."""

import hashlib
import json
import os
import time
import uuid

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from parts import http1, signing
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.s3_clients import REGION, Account
from parts.s3_store import DOMAIN
from parts.uploads import upload

POLL, CHANGE_POLL = 0.5, 0.5
# A changed record is noticed in a pass of the key server's, then in a poll of the proxy's: two periods
# of each. And this machine may be busy.
LIMIT = 2 * (POLL + CHANGE_POLL)
PATIENCE = LIMIT + 2
SIGNING_KEYS = "/v1/signing-keys"


@pytest.fixture(scope="module")
def keyserver(serve_keystone):
    """One that looks often, and whose counters nobody else moves."""
    with serve_keystone("--change-poll", f"{int(CHANGE_POLL * 1000)}ms") as keyserver:
        yield keyserver


@pytest.fixture(scope="module")
def front(start_envoy, keyserver):
    """Nothing is asked about again by itself while these tests run."""
    long = {"fresh": "1h", "stale": "4h", "negative": "1h"}
    poll = {"poll": f"{int(POLL * 1000)}ms", "timeout": "500ms"}
    listeners = {"long": Listener(plugin(token=None, sigv4={}, cache=long, keyserver=poll))}
    # Where bodies are read before the head goes on; and there, such that must be complete in time.
    sqs = plugin(
        token=None,
        sigv4={"services": ["s3", "sqs"]},
        hold_headers=True,
        cache=long,
        keyserver=poll,
    )
    complete = {"require_complete_body": [{"path_prefix": "/", "json": False}]}
    for name, changes in {"sqs": {}, "sqs_complete": complete}.items():
        listeners[name] = Listener(sqs | changes, allow_on_headers_stop_iteration=True)
    with start_envoy(listeners, keyserver.port) as envoy:
        wait_until(lambda: feed_has_begun(envoy), "the change feed")
        yield envoy


def feed_has_begun(envoy):
    begun = envoy.stats("voussoir_feed_polls_total;result=heard")
    return sum(begun.values()) > 0


def get(front, account, path="/", name="long"):
    signed = signing.sign(account, "GET", path)
    return http1.get(front.ports[name], path, signed.headers, host=DOMAIN).status


def until(front, account, status, name="long"):
    """How long it takes until all of many requests, at either worker, have this status."""
    begun = time.monotonic()
    wait_until(
        lambda: {get(front, account, name=name) for _ in range(8)} == {status},
        f"status {status}",
        seconds=PATIENCE,
    )
    return time.monotonic() - begun


# What takes a holder's access away, and what gives it back.
REVOCATIONS = {
    "user disabled": (
        lambda cloud, holder: switch(cloud, "users", "user", holder.user, False),
        lambda cloud, holder: switch(cloud, "users", "user", holder.user, True),
    ),
    "project disabled": (
        lambda cloud, holder: switch(cloud, "projects", "project", cloud.project, False),
        lambda cloud, holder: switch(cloud, "projects", "project", cloud.project, True),
    ),
    "domain disabled": (
        lambda cloud, holder: switch(cloud, "domains", "domain", cloud.domain, False),
        lambda cloud, holder: switch(cloud, "domains", "domain", cloud.domain, True),
    ),
    "credential deleted": (lambda cloud, holder: cloud.delete(holder), None),
    "secret replaced": (
        lambda cloud, holder: replace(cloud, holder, uuid.uuid4().hex),
        lambda cloud, holder: replace(cloud, holder, holder.account.secret),
    ),
}


def replace(cloud, holder, secret):
    """Gives the credential another secret, as its owner would."""
    access = holder.account.access
    # As Keystone numbers those of EC2.
    path = f"/credentials/{hashlib.sha256(access.encode()).hexdigest()}"
    blob = json.dumps({"access": access, "secret": secret})
    cloud.keystone.call("PATCH", path, {"credential": {"blob": blob}})


def switch(cloud, path, kind, id, enabled):
    cloud.keystone.call("PATCH", f"/{path}/{id}", {kind: {"enabled": enabled}})


@pytest.mark.parametrize("name", REVOCATIONS)
def test_what_keystone_takes_away_is_refused_within_two_poll_periods(
    front, cloud, name, figures
):
    take, give = REVOCATIONS[name]
    holder = cloud.holder(f"holder-{name.replace(' ', '-')}")
    until(front, holder.account, 200)
    take(cloud, holder)
    taken = until(front, holder.account, 403)
    assert taken < LIMIT
    given = None
    if give:
        give(cloud, holder)
        given = until(front, holder.account, 200)
        assert given < LIMIT
    line = f"{name}: refused after {taken:.2f} s"
    line += f", good again after {given:.2f} s" if given else ""
    figures.setdefault("what Keystone takes away from signed requests", []).append(line)


def replace_secret(cloud, holder):
    blob = json.dumps({"access": holder.account.access, "secret": "f" * 32})
    name = hashlib.sha256(holder.account.access.encode()).hexdigest()
    cloud.keystone.call("PATCH", f"/credentials/{name}", {"credential": {"blob": blob}})


ENDS = {"deleted": lambda cloud, holder: cloud.delete(holder), "replaced": replace_secret}


@pytest.mark.parametrize("name", ENDS)
def test_case_25_a_body_is_let_through_though_its_key_ends_meanwhile(
    front, cloud, upstream, name, path
):
    """And whoever comes next is refused."""
    holder = cloud.holder(f"holder-{name}-in-the-middle")
    sent = upload(holder.account, "chunks", path, os.urandom(200_000))
    begin = http1.encode(path, sent.headers, method="PUT", host=DOMAIN, body=sent.body)
    rest = begin[-50_000:]
    with http1.Connection(front.ports["long"]) as connection:
        connection.send(begin[: -len(rest)])
        wait_until(lambda: upstream.requests_to(path), "the head")
        ENDS[name](cloud, holder)
        until(front, holder.account, 403)
        connection.send(rest)
        assert connection.response().status == 200
        (arrival,) = upstream.requests_to(path)
        assert len(arrival.body) == 200_000
        again = signing.sign(holder.account, "GET", path)
        # Another worker may have refused before this connection's had heard of it.
        wait_until(
            lambda: connection.get(path, again.headers, host=DOMAIN).status == 403, "the refusal"
        )


@pytest.mark.parametrize("listener", ["sqs", "sqs_complete"])
def test_a_key_that_ends_while_its_body_is_awaited_lets_nothing_through(
    front, cloud, keyserver, upstream, listener, path
):
    """Where the hash of the body is signed, nothing was let through before."""
    for ends, answer in ((False, 200), (True, 403)):
        holder = cloud.holder(f"holder-awaited-at-{listener}-{ends}")
        url, body = f"{path}/{ends}", b"Action=ListQueues&" + b"x" * 1000
        headers = hash_unsent(holder.account, url, body)
        request = http1.encode(url, headers, method="POST", host=DOMAIN, body=body)
        calls = keyserver.answers(path=SIGNING_KEYS)
        with http1.Connection(front.ports[listener]) as connection:
            connection.send(request[:-1])
            wait_until(lambda c=calls: keyserver.answers(path=SIGNING_KEYS) > c, "the key")
            if ends:
                cloud.delete(holder)
                until(front, holder.account, 403, listener)
            assert not connection.has_answer()
            connection.send(request[-1:])
            assert connection.response().status == answer
        assert len(upstream.requests_to(url)) == (0 if ends else 1)


def hash_unsent(account, path, body):
    """The headers of a request to a service other than S3, as botocore signs it."""
    request = AWSRequest("POST", f"http://{DOMAIN}{path}", data=body)
    SigV4Auth(Credentials(account.access, account.secret), "sqs", REGION).add_auth(request)
    return list(request.headers.items())


def test_a_role_that_is_taken_away_is_gone_within_two_poll_periods(front, cloud, upstream):
    holder = cloud.holder("holder-of-a-role")
    role = f"/projects/{cloud.project}/users/{holder.user}/roles/{cloud.roles['direct']}"

    def roles():
        signed = signing.sign(holder.account, "GET", "/roles")
        seen = http1.get(front.ports["long"], "/roles", signed.headers, host=DOMAIN).json()
        return set(dict(seen["headers"])["x-roles"].split(","))

    assert {f"{cloud.name}-direct", f"{cloud.name}-implied"} <= roles()
    cloud.keystone.call("DELETE", role)
    gone = {f"{cloud.name}-direct", f"{cloud.name}-implied"}
    wait_until(
        lambda: all(not gone & roles() for _ in range(8)), "the roles to go", seconds=PATIENCE
    )


def test_an_access_key_that_was_none_is_one_when_it_is_made(front, cloud):
    holder = cloud.holder("holder-to-be")
    cloud.delete(holder)
    account = holder.account
    assert get(front, account) == 403
    blob = f'{{"access": "{account.access}", "secret": "{account.secret}"}}'
    fields = {"type": "ec2", "blob": blob, "user_id": holder.user, "project_id": holder.project}
    cloud.keystone.call("POST", "/credentials", {"credential": fields})
    until(front, account, 200)


def test_while_nothing_changes_nothing_is_asked_again(front, cloud, keyserver):
    holder = cloud.holder("holder-in-peace")
    until(front, holder.account, 200)
    calls = keyserver.answers(path=SIGNING_KEYS)
    end = time.monotonic() + 6 * POLL
    while time.monotonic() < end:
        assert get(front, holder.account) == 200
    assert keyserver.answers(path=SIGNING_KEYS) == calls
