"""Tokens of a real Keystone: accepted in the proxy, with what Keystone itself says of them, and
without a single request to it."""

import pytest

from parts import http1
from parts.envoy_config import DEFAULT_KINDS, OPTIONAL_KINDS, Listener, plugin
from parts.http2 import Client
from parts.identity import identity_headers
from parts.issue import Issuer
from parts.keyserver import KeyServer

# Tokens of certificates are for connections that have one: test_certificate_bound_tokens.py.
BOUND = "of_a_client_certificate"
WAYS = [way for way in vars(Issuer) if not way.startswith("_") and way != BOUND]


@pytest.fixture(scope="module")
def issued(keystone):
    """A token of every kind, and Keystone's own word on it."""
    issuer = Issuer(keystone)
    tokens = {way: getattr(issuer, way)() for way in WAYS}
    return {way: (token, keystone.validate(token.token)) for way, token in tokens.items()}


@pytest.fixture(scope="module")
def front(start_envoy, keystone, keyserver_program, tmp_path_factory):
    """An Envoy before the keys of that Keystone, which takes all kinds."""
    directory = tmp_path_factory.mktemp("keyserver")
    listener = Listener(plugin(token={"kinds": [*DEFAULT_KINDS, *OPTIONAL_KINDS]}))
    with (
        KeyServer(keyserver_program, keystone.key_repository, directory) as keyserver,
        start_envoy({"all_kinds": listener, "few": Listener(plugin())}, keyserver.port) as envoy,
    ):
        yield envoy


def expected(issued, answer):
    """The headers that an answer of GET /v3/auth/tokens comes to."""
    headers = {
        "x-identity-status": "Confirmed",
        "x-voussoir-token-kind": issued.kind,
        "x-voussoir-token-audit-ids": ",".join(answer["audit_ids"]),
        "x-voussoir-token-expires-at": answer["expires_at"],
        "x-voussoir-token-issued-at": answer["issued_at"],
    }
    if "OS-TRUST:trust" not in answer:
        headers["x-user-id"] = answer["user"]["id"]
    if "project" in answer:
        headers["x-project-id"] = headers["x-tenant-id"] = answer["project"]["id"]
    if "domain" in answer:
        headers["x-domain-id"] = answer["domain"]["id"]
    if "system" in answer:
        headers["openstack-system-scope"] = "all"
    return headers | issued.claims


@pytest.mark.parametrize("way", WAYS)
def test_a_token_is_accepted_with_what_keystone_says_of_it(issued, front, path, way):
    token, answer = issued[way]
    response = http1.get(front.ports["all_kinds"], path, [("x-auth-token", token.token)])
    assert response.status == 200
    headers = identity_headers(response.json()["headers"])
    # Keystone lists methods in an order that it does not promise.
    methods = headers.pop("x-voussoir-token-methods").split(",")
    assert {method for method in methods if method} == set(answer["methods"])
    assert headers == expected(token, answer)


@pytest.mark.parametrize("way", ["of_a_trust", "of_an_impersonating_trust"])
def test_a_trusts_token_names_no_user_as_it_may_stand_for_the_trustor(issued, front, path, way):
    token, answer = issued[way]
    response = http1.get(front.ports["all_kinds"], path, [("x-auth-token", token.token)])
    headers = identity_headers(response.json()["headers"])
    trust = answer["OS-TRUST:trust"]
    assert "x-user-id" not in headers
    assert headers["x-voussoir-trustee-user-id"] == trust["trustee_user"]["id"]
    # With impersonation Keystone presents the trustor, of whom the token knows nothing.
    is_trustee = answer["user"]["id"] == trust["trustee_user"]["id"]
    assert is_trustee == (not trust["impersonation"])


def test_kinds_whose_restrictions_a_token_does_not_tell_are_refused_by_default(issued, front, path):
    for way, (token, _) in issued.items():
        url = f"{path}/{way}"
        response = http1.get(front.ports["few"], url, [("x-auth-token", token.token)])
        is_default = token.kind in DEFAULT_KINDS
        assert response.status == (200 if is_default else 401), way
        if not is_default:
            assert front.details(url) == "voussoir_token_kind_refused"


def test_keystone_gets_no_request_while_tokens_are_validated(issued, front, keystone, path):
    requests = [
        http1.encode(path, [("x-auth-token", token.token)]) for token, _ in issued.values()
    ] * 20
    before = keystone.requests()
    responses = http1.in_turn(front.ports["all_kinds"], requests)
    assert [response.status for response in responses] == [200] * len(requests)
    assert len(before) > len(WAYS), "Keystone's access log is not what it seems"
    assert keystone.requests() == before


def test_a_token_works_over_http2_and_as_a_storage_token(issued, front, path):
    token, answer = issued["project_scoped"]
    for name in ("x-auth-token", "x-storage-token"):
        with Client(front.ports["all_kinds"]) as client:
            response = client.get(path, [(name, token.token)])
        assert response.status == 200
        assert identity_headers(response.json()["headers"])["x-user-id"] == answer["user"]["id"]
