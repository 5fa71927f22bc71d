"""Requests that services make for their users, with a token of their own beside the user's.

What a service behind is told, and what is refused, is keystonemiddleware's word in each case; what
differs on purpose has a test that says what the filter does.
"""

from functools import partial

import pytest

from parts.deadline import wait_for_status, wait_until
from parts.everyone import RULED_PATH, WAYS
from parts.feed import PERIOD
from parts.minting import aged
from parts.services import (
    CATALOG,
    POLL,
    USER,
    assert_same,
    assert_told_the_same,
    refusal,
    told,
)

pytestmark = pytest.mark.timeout(300)

HOUR = 3600
# Within which the edge knows of a change: see test_revocation.py.
LIMIT = 2 * (POLL + PERIOD)


@pytest.fixture(scope="module")
def user_token(everyone):
    return everyone.project_scoped().token


@pytest.fixture(scope="module")
def service_token(pair):
    return pair.service_token()


def headers(user=None, service=None):
    named = (("x-auth-token", user), ("x-service-token", service))
    return [(name, token) for name, token in named if token is not None]


def assert_same_once_known(pair, sent):
    """Like `assert_same`, where a role is new: of the worker that knows it, its fellow may not yet."""
    ask = partial(pair.ours, "enforce", RULED_PATH, sent)
    ours = wait_for_status(ask, 200, "the edge to know", LIMIT)
    theirs = pair.theirs("enforce", RULED_PATH, sent)
    return assert_told_the_same(theirs, ours, but_for={CATALOG})


@pytest.mark.parametrize("way", ["enforce", "delay", "any_service"])
def test_both_are_told_of(pair, user_token, service_token, way):
    alone = assert_same(pair, way, headers(user_token))
    found = assert_same(pair, way, headers(user_token, service_token))
    assert found["x-service-identity-status"] == "Confirmed"
    assert found["x-service-user-name"] == USER
    assert found["x-service-roles"] == {"service"}
    assert found["x-service-project-name"] == "services"
    service = {name for name in found if name.startswith("x-service-")}
    assert {name: found[name] for name in found if name not in service} == alone


USERS = [
    way
    for way in WAYS
    # Bound to a certificate, or for requests of another kind.
    if way not in ("of_a_client_certificate", "of_a_restricted_application_credential")
]


@pytest.mark.parametrize("way", USERS)
def test_beside_a_token_of_any_kind_a_service_is_told_of(pair, issued, service_token, way):
    alone = assert_same(pair, "enforce", headers(issued[way]))
    answers = pair.both("enforce", RULED_PATH, headers(issued[way], service_token))
    # The middleware takes the user's system away where the service has none.
    found = assert_told_the_same(*answers, but_for={CATALOG, "openstack-system-scope"})
    assert found["x-service-identity-status"] == "Confirmed"
    assert found["x-service-user-name"] == USER
    assert {name: found[name] for name in found if not name.startswith("x-service-")} == alone


@pytest.fixture(scope="module")
def service_tokens(pair, service_token):
    """What services may have instead of a user's token of their project."""
    call, user_token = pair.keystone.call, pair.keystone.user_token
    (role,) = call("GET", "/roles?name=service")["roles"]
    user = pair.keystone.validate(service_token)["user"]["id"]
    call("PUT", f"/domains/default/users/{user}/roles/{role['id']}")
    body = {"application_credential": {"name": "of a service"}}
    path = f"/users/{user}/application_credentials"
    made = call("POST", path, body, token=service_token)["application_credential"]
    shown = {"id": made["id"], "secret": made["secret"]}
    trust = {
        "trustor_user_id": user,
        "trustee_user_id": user,
        "project_id": made["project_id"],
        "impersonation": False,
        "roles": [{"id": role["id"]}],
    }
    trust = call("POST", "/OS-TRUST/trusts", {"trust": trust}, token=service_token)["trust"]
    identity = {"methods": ["application_credential"], "application_credential": shown}
    return {
        "of_an_application_credential": pair.keystone.token(identity),
        "of_a_trust": user_token(USER, scope={"OS-TRUST:trust": {"id": trust["id"]}}),
        "of_a_domain": user_token(USER, scope={"domain": {"id": "default"}}),
    }


@pytest.mark.parametrize(
    "kind", ["of_an_application_credential", "of_a_trust", "of_a_domain"]
)
def test_a_service_with_a_token_of_any_kind_is_told_of(pair, user_token, service_tokens, kind):
    sent = headers(user_token, service_tokens[kind])
    found = assert_same_once_known(pair, sent)
    assert found["x-service-identity-status"] == "Confirmed"
    assert "service" in found["x-service-roles"]
    if kind == "of_a_domain":
        assert found["x-service-domain-id"] == "default"
        assert "x-service-project-id" not in found
    else:
        assert found["x-service-project-name"] == "services"


@pytest.fixture
def zoe_as_a_service(pair, everyone):
    """A token of hers while she has the role of one, which the other files' Zoë does not."""
    (role,) = pair.keystone.call("GET", "/roles?name=service")["roles"]
    path = f"/projects/{everyone.parent}/users/{everyone.zoe}/roles/{role['id']}"
    pair.keystone.call("PUT", path)
    yield everyone.with_roles_of_every_origin().token
    pair.keystone.call("DELETE", path)


def test_a_service_of_many_roles_and_names_is_told_of(pair, user_token, zoe_as_a_service):
    found = assert_same_once_known(pair, headers(user_token, zoe_as_a_service))
    assert found["x-service-roles"] >= {"service", "rôle", "by group"}
    assert found["x-service-user-name"] == "zoë 試"
    assert found["x-service-user-domain-name"] == "Société Ω, Inc."


@pytest.mark.parametrize("age", [1.5, 12, 48])
@pytest.mark.parametrize("way", ["enforce", "delay"])
def test_an_expired_token_is_accepted_from_a_service(pair, user_token, service_token, way, age):
    """For long tasks. A token of these tests lasts an hour, and the window is of 48 hours."""
    token = aged(pair.keystone, user_token, int(age * HOUR))
    found = assert_same(pair, way, headers(token, service_token))
    assert found["x-identity-status"] == "Confirmed"
    assert found == assert_same(pair, way, headers(user_token, service_token)) | {
        "x-auth-token": token
    }


@pytest.mark.parametrize("age", [50, 1000])
def test_a_token_that_expired_long_ago_is_refused(pair, user_token, service_token, age):
    token = aged(pair.keystone, user_token, age * HOUR)
    theirs, ours = pair.both("enforce", RULED_PATH, headers(token, service_token))
    assert refusal(ours) == refusal(theirs)
    found = assert_same(pair, "delay", headers(token, service_token))
    assert found["x-identity-status"] == "Invalid"
    assert found["x-service-identity-status"] == "Confirmed"


def test_an_expired_token_of_the_service_itself_is_refused(pair, user_token, service_token):
    service_token = aged(pair.keystone, service_token, 2 * HOUR)
    theirs, ours = pair.both("enforce", RULED_PATH, headers(user_token, service_token))
    assert refusal(ours) == refusal(theirs)
    assert ours.status == 401


def test_only_a_service_may_bring_an_expired_token(pair, everyone, user_token, service_token):
    expired = aged(pair.keystone, user_token, 2 * HOUR)
    no_service = everyone.with_roles_in_a_child_project().token
    for way, user, service, status in (
        ("enforce", user_token, service_token, 200),
        ("enforce", user_token, no_service, 401),
        ("enforce", expired, service_token, 200),
        ("enforce", expired, no_service, 401),
        ("enforce", expired, None, 401),
        ("enforce", expired, expired, 401),
        # Any valid token makes a service, though not one that may bring what is expired.
        ("any_service", user_token, service_token, 200),
        ("any_service", user_token, no_service, 200),
        ("any_service", expired, service_token, 200),
        ("any_service", expired, no_service, 401),
        # The user's own role is the one that makes a service here.
        ("other_roles", user_token, service_token, 401),
        ("other_roles", user_token, user_token, 200),
        ("other_roles", expired, user_token, 200),
        ("other_roles", expired, service_token, 401),
    ):
        sent = headers(user, service)
        if status == 200:
            assert_same(pair, way, sent)
        else:
            theirs, ours = pair.both(way, RULED_PATH, sent)
            assert [theirs.status, ours.status] == [status, status], (way, user, service)
            assert refusal(ours) == refusal(theirs)


def test_a_refused_service_token_refuses_the_request(pair, user_token, everyone):
    no_service = everyone.with_roles_in_a_child_project().token
    for service in ("garbage", user_token[:-3] + "AAA", no_service):
        theirs, ours = pair.both("enforce", RULED_PATH, headers(user_token, service))
        assert refusal(ours) == refusal(theirs)
        assert ours.status == 401
    # Alone it is no user.
    assert pair.statuses("enforce", RULED_PATH, headers(None, pair.service_token())) == [401, 401]


def test_an_empty_service_token_is_none(pair, user_token):
    found = assert_same(pair, "enforce", headers(user_token, ""))
    assert "x-service-identity-status" not in found


@pytest.mark.parametrize("user", ["valid", "garbage", "missing"])
@pytest.mark.parametrize("service", ["valid", "garbage", "no role", "missing"])
def test_where_the_service_decides_it_is_told_of_each(
    pair, everyone, user_token, service_token, user, service
):
    users = {"valid": user_token, "garbage": "garbage", "missing": None}
    services = {
        "valid": service_token,
        "garbage": "garbage",
        "no role": everyone.with_roles_in_a_child_project().token,
        "missing": None,
    }
    found = assert_same(pair, "delay", headers(users[user], services[service]))
    confirmed = {True: "Confirmed", False: "Invalid"}
    assert found["x-identity-status"] == confirmed[user == "valid"]
    expected = None if service == "missing" else confirmed[service == "valid"]
    assert found.get("x-service-identity-status") == expected
    assert ("x-service-user-id" in found) == (service == "valid")


def test_the_scope_of_a_service_is_not_the_users(pair, everyone, user_token):
    """OpenStack-System-Scope is the user's own."""
    system = {"system": {"all": True}}
    service_token = pair.keystone.user_token(USER, scope=system)
    answer = pair.ours("enforce", RULED_PATH, headers(user_token, service_token))
    found = told(answer)
    assert found["x-service-identity-status"] == "Confirmed"
    assert "openstack-system-scope" not in found
    # And what is the user's stays so.
    user_token = everyone.system_scoped().token
    found = told(pair.ours("enforce", RULED_PATH, headers(user_token, pair.service_token())))
    assert found["x-service-identity-status"] == "Confirmed"
    assert found["openstack-system-scope"] == "all"


def test_a_service_whose_user_was_disabled_is_none(pair, everyone, user_token):
    call, name = pair.keystone.call, "short-lived"
    user = everyone._user(name)
    (role,) = call("GET", "/roles?name=service")["roles"]
    call("PUT", f"/projects/{everyone.project}/users/{user}/roles/{role['id']}")
    token = pair.keystone.user_token(name, scope={"project": {"id": everyone.project}})
    sent = headers(user_token, token)
    assert_same(pair, "enforce", sent)
    call("PATCH", f"/users/{user}", {"user": {"enabled": False}})
    theirs = pair.theirs("enforce", RULED_PATH, sent)
    assert theirs.status == 401

    def is_refused():
        ours = pair.ours("enforce", RULED_PATH, sent)
        return ours.status == 401 and refusal(ours) == refusal(theirs)

    wait_until(is_refused, "the edge to know", LIMIT)
