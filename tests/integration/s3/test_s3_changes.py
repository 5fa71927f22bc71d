"""What changes at Keystone is so at the proxy within two poll periods, event or no event."""

import hashlib
import json
import time
import uuid

import pytest

from parts import http1, signing
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.s3_clients import Account
from parts.s3_store import DOMAIN

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
    listener = Listener(plugin(token=None, sigv4={}, cache=long, keyserver=poll))
    with start_envoy({"long": listener}, keyserver.port) as envoy:
        wait_until(lambda: feed_has_begun(envoy), "the change feed")
        yield envoy


def feed_has_begun(envoy):
    begun = envoy.stats("voussoir_feed_polls_total;result=heard")
    return sum(begun.values()) > 0


def get(front, account, path="/"):
    signed = signing.sign(account, "GET", path)
    return http1.get(front.ports["long"], path, signed.headers, host=DOMAIN).status


def until(front, account, status):
    """How long it takes until all of many requests, at either worker, have this status."""
    begun = time.monotonic()
    wait_until(
        lambda: {get(front, account) for _ in range(8)} == {status},
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
