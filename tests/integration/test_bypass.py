"""Requests that need no token: those that the configuration names, and none beside them."""

import pytest

from parts import http1
from parts.identity import identity_headers


def status(envoy, listener, path, *, method="GET", headers=()):
    return http1.get(envoy.ports[listener], path, headers, method=method).status


@pytest.mark.parametrize(
    ("path", "method", "expected"),
    [
        ("/exact", "GET", 200),
        ("/exact", "DELETE", 200),
        ("/exact?with=query", "GET", 200),
        ("/exact?a=/../b", "GET", 200),
        ("/exact/", "GET", 401),
        ("/exactly", "GET", 401),
        ("/Exact", "GET", 401),
        ("//exact", "GET", 401),
        ("/./exact", "GET", 401),
        ("/x/../exact", "GET", 401),
        ("/%65xact", "GET", 401),
        ("/exact%2f", "GET", 401),
        ("/exact;x", "GET", 401),
        ("/", "GET", 401),
        ("/reading", "GET", 200),
        ("/reading", "HEAD", 200),
        ("/reading", "POST", 401),
        ("/reading", "DELETE", 401),
        ("/public/", "GET", 200),
        ("/public/a/b", "PUT", 200),
        ("/public/a/", "GET", 200),
        ("/public/a?b=../c", "GET", 200),
        ("/public", "GET", 401),
        ("/publications", "GET", 401),
        ("/public/../secret", "GET", 401),
        ("/public/./a", "GET", 401),
        ("/public/a/..", "GET", 401),
        ("/public//a", "GET", 401),
        ("/public/%2e%2e/secret", "GET", 401),
        ("/public/%2fsecret", "GET", 401),
        ("/public/..%2fsecret", "GET", 401),
        ("/public/a%20b", "GET", 401),
        ("/public/..;/secret", "GET", 401),
        ("/public/\\..\\secret", "GET", 401),
        ("/secret?/public/", "GET", 401),
        ("/secret#/public/", "GET", 400),
        ("http://service/public/", "GET", 200),
        ("http://service/secret", "GET", 401),
    ],
)
def test_a_path_needs_no_token_exactly_where_it_says_so(envoy, path, method, expected):
    assert status(envoy, "bypass", path, method=method) == expected


def test_a_bypassed_request_has_no_identity_even_with_a_good_token(envoy, good_token):
    """It is not looked at, so nothing is said of it; and it travels on as it came."""
    response = http1.get(envoy.ports["bypass"], "/exact", [("x-auth-token", good_token)])
    assert response.status == 200
    assert identity_headers(response.json()["headers"]) == {}
    assert ["x-auth-token", good_token] in response.json()["headers"]


def test_an_ambiguous_credential_is_nobodys_business_where_none_is_needed(envoy):
    two = [("x-auth-token", "a"), ("x-auth-token", "b")]
    assert status(envoy, "bypass", "/exact", headers=two) == 200


def test_a_cors_preflight_passes_where_it_may(envoy, path):
    preflight = [("origin", "http://elsewhere"), ("access-control-request-method", "PUT")]
    assert status(envoy, "preflight", path, method="OPTIONS", headers=preflight) == 200
    assert status(envoy, "enforce", path, method="OPTIONS", headers=preflight) == 401


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("OPTIONS", ["origin"]),
        ("OPTIONS", ["access-control-request-method"]),
        ("OPTIONS", []),
        ("OPTIONS", ["origin", "access_control_request_method"]),
        ("GET", ["origin", "access-control-request-method"]),
        ("PUT", ["origin", "access-control-request-method"]),
    ],
)
def test_what_only_resembles_a_cors_preflight_is_refused(envoy, path, method, names):
    headers = [(name, "PUT") for name in names]
    assert status(envoy, "preflight", path, method=method, headers=headers) == 401
