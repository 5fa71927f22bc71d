"""What a client gets in the service's place: status, headers and body, to the letter."""

import pytest

from parts import http1
from parts.envoy_config import WWW_AUTHENTICATE_URI
from parts.http2 import Client
from parts.identity import identity_headers

UNAUTHORIZED = (
    b'{"error":{"code":401,"title":"Unauthorized",'
    b'"message":"The request you have made requires authentication."}}'
)
BAD_REQUEST = (
    b'{"error":{"code":400,"title":"Bad Request",'
    b'"message":"The request carries more than one token."}}'
)
CHALLENGE = f'Keystone uri="{WWW_AUTHENTICATE_URI}"'
# What Envoy adds to every answer of its own.
ENVOYS = {"date", "server"}


def own_headers(response):
    headers = [(name, value) for name, value in response.headers if name not in ENVOYS]
    assert len(headers) == len(dict(headers)), headers
    return dict(headers)


def expected_headers(body, **others):
    return {"content-type": "application/json", "content-length": str(len(body)), **others}


@pytest.mark.parametrize(
    ("token", "details"),
    [(None, "token_missing"), ("", "token_missing"), ("bad", "token_malformed")],
)
def test_a_request_without_a_token_gets_keystones_answer(envoy, path, upstream, token, details):
    headers = [] if token is None else [("x-auth-token", token)]
    response = http1.get(envoy.ports["enforce"], path, headers)
    assert response.status == 401
    assert response.body == UNAUTHORIZED
    challenge = {"www-authenticate": CHALLENGE}
    assert own_headers(response) == expected_headers(UNAUTHORIZED, **challenge)
    assert envoy.details(path) == f"voussoir_{details}"
    assert not upstream.requests_to(path)


def test_the_answer_is_the_same_for_every_reason(envoy, path, vectors, good_token):
    """Nobody learns from it whether a token was forged, expired or of another kind."""
    by_name = {v["name"]: v["token"] for v in vectors["positive"] + vectors["envelope_negative"]}
    tokens = [by_name[n] for n in ("expired_in_2020", "application_credential", "foreign_key")]
    answers = [
        http1.get(envoy.ports["enforce"], path, [("x-auth-token", token)])
        for token in (*tokens, "", "A" * 5000, good_token[:-1])
    ]
    assert {(answer.status, answer.body) for answer in answers} == {(401, UNAUTHORIZED)}
    assert len({str(own_headers(answer)) for answer in answers}) == 1
    assert len(set(envoy.details(path, len(answers)))) == len(answers)


def test_an_ambiguous_request_is_a_bad_one(envoy, path):
    twice = [("x-auth-token", "one"), ("x-auth-token", "two")]
    response = http1.get(envoy.ports["enforce"], path, twice)
    assert response.status == 400
    assert response.body == BAD_REQUEST
    # Envoy ends a connection after any answer 400 of its own.
    assert own_headers(response) == expected_headers(BAD_REQUEST, connection="close")
    assert envoy.details(path) == "voussoir_token_ambiguous"


def test_an_answer_to_head_has_no_body(envoy, path):
    with http1.Connection(envoy.ports["enforce"]) as connection:
        response = connection.get(path, method="HEAD")
        assert response.status == 401
        assert own_headers(response)["www-authenticate"] == CHALLENGE
        # The connection is in step: nothing follows the head.
        assert connection.get(path).body == UNAUTHORIZED


def test_an_answer_over_http2_says_the_same(envoy, path):
    with Client(envoy.ports["enforce"]) as client:
        response = client.get(path)
        assert (response.status, response.body) == (401, UNAUTHORIZED)
        challenge = {"www-authenticate": CHALLENGE}
        assert own_headers(response) == expected_headers(UNAUTHORIZED, **challenge)
        assert client.get(path, method="HEAD").body == b""


def test_a_refused_upload_never_reaches_the_service(envoy, path, upstream):
    with http1.Connection(envoy.ports["enforce"]) as connection:
        response = connection.get(path, method="PUT", body=b"x" * 100_000)
        assert response.status == 401
    trailers = [("x-checksum", "1")]
    with http1.Connection(envoy.ports["enforce"]) as connection:
        connection.send(http1.encode(path, method="PUT", body=b"x" * 100_000, trailers=trailers))
        assert connection.response().status == 401
    assert not upstream.requests_to(path)


def test_the_reason_is_told_where_it_is_configured(envoy, path):
    def reason(listener, headers=()):
        return http1.get(envoy.ports[listener], path, headers).header("x-voussoir-reason")

    assert reason("reason") == "token_missing"
    assert reason("reason", [("x-auth-token", "bad")]) == "token_malformed"
    assert reason("reason", [("x-auth-token", "a"), ("x-auth-token", "b")]) == "token_ambiguous"
    assert reason("enforce") is None


def test_a_reason_is_given_with_refusals_only(envoy, path, good_token):
    response = http1.get(envoy.ports["reason"], path, [("x-auth-token", good_token)])
    assert response.status == 200
    assert response.header("x-voussoir-reason") is None


def test_a_missing_token_passes_as_invalid_where_the_service_decides(envoy, path, good_token):
    for headers in ([], [("x-auth-token", "bad")], [("x-auth-token", good_token[:-4])]):
        response = http1.get(envoy.ports["anonymous"], path, headers)
        assert response.status == 200
        arrived = response.json()["headers"]
        assert identity_headers(arrived) == {"x-identity-status": "Invalid"}
        # The service may look at it in its own way, as behind keystonemiddleware.
        assert [[n, v] for n, v in arrived if n == "x-auth-token"] == [list(h) for h in headers]
    response = http1.get(envoy.ports["anonymous"], path, [("x-auth-token", good_token)])
    assert identity_headers(response.json()["headers"])["x-identity-status"] == "Confirmed"


@pytest.mark.parametrize("name", ["x-auth-token", "x-storage-token", "X-Auth-Token"])
def test_a_token_that_was_accepted_travels_on_or_is_taken_away(envoy, path, good_token, name):
    for listener, is_forwarded in (("enforce", True), ("secretive", False)):
        response = http1.get(envoy.ports[listener], path, [(name, good_token), ("x-other", "kept")])
        assert response.status == 200
        values = [value for _, value in response.json()["headers"]]
        assert (good_token in values) == is_forwarded
        assert "kept" in values


def test_both_names_of_a_token_are_taken_away(envoy, path, good_token):
    both = [("x-auth-token", good_token), ("x-storage-token", good_token)]
    response = http1.get(envoy.ports["secretive"], path, both)
    assert response.status == 200
    assert not [n for n, _ in response.json()["headers"] if n.endswith("-token")]
