"""A service is told the same by the filter as by keystonemiddleware, header for header.

Both get the same tokens of one Keystone, of every kind. What differs on purpose has a test that says
what the filter does.
"""

import pytest

from parts import http1
from parts.envoy_config import WWW_AUTHENTICATE_URI
from parts.everyone import RULED_PATH, WAYS
from parts.identity import OWNED, spellings
from parts.minting import aged
from parts.services import assert_same, refusal, told

pytestmark = pytest.mark.timeout(300)

# Bound to a certificate, or for requests of another kind.
REFUSED = ["of_a_client_certificate", "of_a_restricted_application_credential"]
ACCEPTED = [way for way in WAYS if way not in REFUSED]
FORGED = "forged-by-the-client"


@pytest.mark.parametrize("way", ACCEPTED)
def test_a_service_is_told_the_same(pair, issued, way):
    told = assert_same(pair, "enforce", [("x-auth-token", issued[way])])
    assert told["x-identity-status"] == "Confirmed"
    for other in ("delay", "any_service"):
        assert assert_same(pair, other, [("x-auth-token", issued[way])]) == told
    assert assert_same(pair, "enforce", [("x-storage-token", issued[way])])["x-user-id"]


@pytest.mark.parametrize("way", ACCEPTED)
def test_a_service_is_told_the_same_of_the_catalogue(pair, everyone, issued, way):
    forged = ("x-service-catalog", FORGED)
    told = assert_same(pair, "catalog", [("x-auth-token", issued[way]), forged])
    catalog = str(told.get("x-service-catalog"))
    assert "disabled" not in catalog
    if way == "with_roles_of_every_origin":
        assert f"AUTH_{everyone.parent}" in catalog


@pytest.mark.parametrize("way", ACCEPTED)
def test_whatever_the_client_says_of_itself_a_service_is_told_the_same(pair, issued, way):
    token = ("x-auth-token", issued[way])
    for name_of in (str, str.upper, lambda name: name.replace("-", "_")):
        forged = [(name_of(name), FORGED) for name in OWNED]
        for sent in ([token, *forged], [*forged, token]):
            told = assert_same(pair, "enforce", sent)
            assert FORGED not in told.values()
    # The first and the last dash in each name, which is one variable to the service in any case.
    forged = [(spellings(name)[-1], FORGED) for name in OWNED]
    assert FORGED not in assert_same(pair, "enforce", [*forged, token]).values()


def test_the_tokens_are_of_every_kind(pair, everyone, issued):
    """Lest all of it be said of tokens that are all alike."""
    header = [("x-auth-token", issued["with_roles_of_every_origin"])]
    told = assert_same(pair, "enforce", header)
    expected = ("direct", "implied", "twice implied", "rôle", "by group", "through it", "of the domain")
    # Other tests give more.
    assert told["x-roles"] == told["x-role"] >= set(expected)
    assert told["x-user-name"] == told["x-user"] == "zoë 試"
    assert told["x-project-name"] == told["x-tenant"] == told["x-tenant-name"] == "données"
    assert told["x-project-domain-name"] == told["x-user-domain-name"] == "Société Ω, Inc."
    assert told["x-is-admin-project"] == "False"

    header = [("x-auth-token", issued["with_an_inherited_role_only"])]
    assert assert_same(pair, "enforce", header)["x-roles"] == {"below"}
    header = [("x-auth-token", issued["of_the_administrator"])]
    assert assert_same(pair, "enforce", header)["x-is-admin-project"] == "True"
    header = [("x-auth-token", issued["unscoped"])]
    told = assert_same(pair, "enforce", header)
    assert told["x-roles"] == {""}
    assert not {"x-project-id", "x-tenant-id", "x-domain-id"} & set(told)
    header = [("x-auth-token", issued["of_an_impersonating_trust"])]
    assert assert_same(pair, "enforce", header)["x-user-id"] == everyone.alice
    header = [("x-auth-token", issued["of_a_trust"])]
    assert assert_same(pair, "enforce", header)["x-user-id"] == everyone.bob
    for way in ("system_scoped", "for_the_system_by_a_group"):
        told = assert_same(pair, "enforce", [("x-auth-token", issued[way])])
        assert told["openstack-system-scope"] == "all"


def test_names_are_bytes_of_utf_8(pair, issued):
    """As WSGI has bytes: a character for each (PEP 3333)."""
    header = [("x-auth-token", issued["with_roles_of_every_origin"])]
    ours = pair.ours("enforce", RULED_PATH, header).json()
    assert ours["HTTP_X_USER_NAME"].encode("latin-1") == "zoë 試".encode()
    theirs = pair.theirs("enforce", RULED_PATH, header).json()
    assert theirs["HTTP_X_USER_NAME"] == "zoë 試"


@pytest.mark.parametrize("token", ["missing", "empty", "garbage", "altered", "foreign", "expired"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_refusal_is_the_same(pair, issued, good_token, token, method):
    real = issued["project_scoped"]
    tokens = {
        "missing": [],
        "empty": [("x-auth-token", "")],
        "garbage": [("x-auth-token", "garbage")],
        "altered": [("x-auth-token", real[:-3] + "AAA")],
        # Of the vectors' keys, which this Keystone has not.
        "foreign": [("x-auth-token", good_token)],
        "expired": [("x-auth-token", aged(pair.keystone, real, 4000))],
    }
    theirs, ours = pair.both("enforce", RULED_PATH, tokens[token], method=method)
    assert refusal(ours) == refusal(theirs)
    assert ours.status == 401


@pytest.mark.parametrize("token", ["missing", "empty", "garbage", "expired"])
def test_what_is_not_confirmed_passes_alike_where_the_service_decides(pair, issued, token):
    expired = aged(pair.keystone, issued["project_scoped"], 4000)
    tokens = {"missing": None, "empty": "", "garbage": "garbage", "expired": expired}
    headers = [] if tokens[token] is None else [("x-auth-token", tokens[token])]
    told = assert_same(pair, "delay", headers)
    assert told["x-identity-status"] == "Invalid"
    forged = [(name, FORGED) for name in OWNED if name != "openstack-system-scope"]
    assert assert_same(pair, "delay", [*headers, *forged]) == told


def test_nobody_claims_the_systems_scope(pair, issued):
    claims = [("openstack-system-scope", "all"), ("x-system-scope", "all")]
    for headers in ([], [("x-auth-token", "garbage")], [("x-auth-token", issued["project_scoped"])]):
        for sent in ([*claims, *headers], [("OpenStack_System_Scope", "all"), *headers]):
            found = told(pair.ours("delay", RULED_PATH, sent))
            assert not [name for name in found if "system" in name]


def test_a_token_that_is_bound_to_a_certificate_is_refused_without_one(pair, issued):
    """With one: test_certificate_bound_tokens.py."""
    headers = [("x-auth-token", issued["of_a_client_certificate"])]
    assert refusal(pair.ours("enforce", RULED_PATH, headers)) == refusal(
        pair.ours("enforce", RULED_PATH)
    )
    found = told(pair.ours("delay", RULED_PATH, headers))
    assert found["x-identity-status"] == "Invalid"
    assert "x-user-id" not in found


def test_a_refused_user_is_nobody_to_both(pair, everyone):
    """Keystone refuses: the user is disabled, or has no role left."""
    keystone = pair.keystone
    name = "doomed"
    user = everyone._user(name)
    path = f"/projects/{everyone.project}/users/{user}/roles/{everyone.role}"
    keystone.call("PUT", path)
    token = keystone.user_token(name, scope={"project": {"id": everyone.project}})
    keystone.call("DELETE", path)
    headers = [("x-auth-token", token)]
    theirs, ours = pair.both("enforce", RULED_PATH, headers)
    assert refusal(ours) == refusal(theirs)
    assert assert_same(pair, "delay", headers)["x-identity-status"] == "Invalid"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_refusal_of_the_service_itself_tells_the_same_where_tokens_come_from(pair, issued, method):
    """Once, beside what the service says of it."""
    token = [("x-auth-token", issued["project_scoped"])]
    own = "challenge=Basic%20realm=%22service%22"
    answers = {}
    for way, headers in (("enforce", token), ("delay", token), ("delay", []), ("enforce", [])):
        for query in ("status=401", f"status=401&{own}", "status=403", f"status=200&{own}"):
            path = f"{RULED_PATH}?{query}"
            both = pair.both(way, path, headers, method=method)
            told = [
                [value for name, value in answer.headers if name == "www-authenticate"]
                for answer in both
            ]
            assert told[0] == told[1], (way, headers, query)
            answers[way, bool(headers), query] = told[0]
    keystone = f'Keystone uri="{WWW_AUTHENTICATE_URI}"'
    basic = 'Basic realm="service"'
    assert answers["enforce", True, "status=401"] == [keystone]
    assert answers["delay", False, f"status=401&{own}"] == [basic, keystone]
    assert answers["delay", True, f"status=200&{own}"] == [basic]
    assert answers["enforce", True, "status=403"] == []
    # Ours has it once.
    assert answers["enforce", False, "status=403"] == [keystone]


def test_an_answer_to_head_is_the_same(pair, issued):
    for headers in ([], [("x-auth-token", issued["project_scoped"])]):
        theirs, ours = pair.both("enforce", RULED_PATH, headers, method="HEAD")
        assert theirs.status == ours.status
        assert theirs.header("www-authenticate") == ours.header("www-authenticate")
        assert not ours.body


def test_many_services_are_told_the_same_at_once(pair, issued):
    """Tokens of all kinds in turn over one connection: nothing stays from the one before."""
    port = pair.envoy.ports["enforce"]
    expected = {
        way: assert_same(pair, "enforce", [("x-auth-token", issued[way])]) for way in ACCEPTED
    }
    turns = [*ACCEPTED, *reversed(ACCEPTED)]
    requests = [
        http1.encode(RULED_PATH, [("x-auth-token", issued[way])], host="bare") for way in turns
    ]
    for way, answer in zip(turns, http1.in_turn(port, requests), strict=True):
        assert told(answer) == expected[way]
