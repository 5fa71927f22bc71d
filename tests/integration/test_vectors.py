"""The project's token vectors, one by one through Envoy: the module reads them as its core does."""

import collections

import pytest

from parts import http1
from parts.envoy_config import DEFAULT_KINDS, OPTIONAL_KINDS, Listener, plugin
from parts.identity import identity_headers


@pytest.fixture(scope="module")
def front(start_envoy, vector_keyserver, vectors):
    """One listener for each list of methods that the vectors were made with."""
    kinds = [*DEFAULT_KINDS, *OPTIONAL_KINDS]
    listeners = {
        str(len(methods)): Listener(plugin(token={"kinds": kinds, "methods": methods}))
        for methods in [methods_of(vector, vectors) for vector in vectors["positive"]]
    }
    with start_envoy(listeners, vector_keyserver.port) as envoy:
        yield envoy


def methods_of(vector, vectors):
    return vector.get("auth_methods", vectors["auth_methods"])


def expected(vector):
    """All the identity headers that a vector's fields come to."""
    scope = vector["scope"]
    trust = "trust_id" in vector
    headers = {
        "x-identity-status": "Confirmed",
        "x-voussoir-trustee-user-id" if trust else "x-user-id": vector["user_id"],
        "x-domain-id": scope.get("domain_id"),
        "x-project-id": scope.get("project_id"),
        "x-tenant-id": scope.get("project_id"),
        "openstack-system-scope": scope.get("system"),
        "x-voussoir-token-kind": vector["kind"],
        "x-voussoir-token-methods": ",".join(vector["methods"]),
        "x-voussoir-token-audit-ids": ",".join(vector["audit_ids"]),
        "x-voussoir-token-expires-at": vector["expires_at_text"],
        "x-voussoir-token-issued-at": vector["issued_at_text"],
        "x-voussoir-trust-id": vector.get("trust_id"),
        "x-voussoir-access-token-id": vector.get("access_token_id"),
        "x-voussoir-application-credential-id": vector.get("application_credential_id"),
        "x-voussoir-certificate-thumbprint": vector.get("thumbprint"),
        "x-voussoir-identity-provider-id": vector.get("identity_provider_id"),
        "x-voussoir-protocol-id": vector.get("protocol_id"),
        "x-voussoir-token-restriction-id": vector.get("token_restriction_id"),
    }
    if "group_ids" in vector:
        headers["x-voussoir-group-ids"] = ",".join(vector["group_ids"])
    return {name: value for name, value in headers.items() if value is not None}


def test_every_positive_vector_is_accepted_with_all_that_it_says(front, vectors, path):
    for vector in vectors["positive"]:
        port = front.ports[str(len(methods_of(vector, vectors)))]
        url = f"{path}/{vector['name']}"
        response = http1.get(port, url, [("x-auth-token", vector["token"])])
        if vector["name"].startswith("expired_"):
            assert response.status == 401, vector["name"]
            assert front.details(url) == "voussoir_token_expired"
        elif vector["kind"] == "oauth2_credential":
            # No client here has a certificate.
            assert response.status == 401, vector["name"]
            assert front.details(url) == "voussoir_certificate_missing"
        else:
            assert response.status == 200, vector["name"]
            assert identity_headers(response.json()["headers"]) == expected(vector), vector["name"]


def test_every_payload_vector_that_breaks_a_rule_is_refused(front, vectors, path, upstream):
    assert_refused(front, vectors["negative"], path, upstream)


def test_every_envelope_vector_that_breaks_a_rule_is_refused(front, vectors, path, upstream):
    sendable = [v for v in vectors["envelope_negative"] if is_field_value(v["token"])]
    assert len(sendable) >= len(vectors["envelope_negative"]) - 4
    assert_refused(front, sendable, path, upstream)


def test_what_http_itself_does_to_a_header_makes_no_token_of_none(front, vectors, path):
    """An empty field, white space at its ends, control characters: Envoy's codec sees to these."""
    outcomes = collections.Counter()
    for vector in vectors["envelope_negative"]:
        if not is_field_value(vector["token"]):
            url = f"{path}/{vector['name']}"
            response = http1.get(front.ports["7"], url, [("x-auth-token", vector["token"])])
            outcomes[vector["name"], response.status] += 1
    assert outcomes == {
        # A field without a value is as good as none.
        ("empty", 401): 1,
        # RFC 9112, section 5.1: white space around a value is no part of it.
        ("space_at_the_start", 200): 1,
        # A newline ends the field, and what it ends is the good token.
        ("newline_at_the_end", 200): 1,
        ("nul_at_the_end", 400): 1,
    }


def is_field_value(text):
    """Whether HTTP carries this text as it is: RFC 9110, section 5.5."""
    return text == text.strip() and text != "" and not any(ord(c) < 32 for c in text)


def assert_refused(front, vectors, path, upstream):
    urls = [f"{path}/{vector['name']}" for vector in vectors]
    requests = [
        http1.encode(url, [("x-auth-token", vector["token"])])
        for url, vector in zip(urls, vectors, strict=True)
    ]
    responses = http1.in_turn(front.ports["7"], requests)
    for url, vector, response in zip(urls, vectors, responses, strict=True):
        assert response.status == 401, vector["name"]
        assert front.details(url) == f"voussoir_{vector['expect']}", vector["name"]
        assert not upstream.requests_to(url)
