"""What a client says about its own identity never reaches the service, however it says it."""

import pytest

from parts import http1
from parts.http2 import Client
from parts.identity import OWNED, identity_headers, spellings

FORGED = "forged-by-the-client"

# How a request can come to pass: the listener, the path, the headers, and the method.
WAYS_THROUGH = {
    "accepted": ("enforce", "/", "token", "GET"),
    "bypassed": ("bypass", "/exact", "", "GET"),
    "bypassed with a token": ("bypass", "/exact", "token", "GET"),
    "anonymous without a token": ("anonymous", "/", "", "GET"),
    "anonymous with a bad token": ("anonymous", "/", "bad", "GET"),
    "accepted where anonymous passes too": ("anonymous", "/", "token", "GET"),
    "preflight": ("preflight", "/", "preflight", "OPTIONS"),
    "accepted in shadow mode": ("shadow", "/", "token", "GET"),
    "refused in shadow mode": ("shadow", "/", "bad", "GET"),
}
PREFLIGHT = [("origin", "http://elsewhere"), ("access-control-request-method", "PUT")]


@pytest.fixture(params=WAYS_THROUGH.values(), ids=WAYS_THROUGH.keys())
def way(request, envoy, good_token):
    """The port, path, headers and method of a request that passes."""
    listener, path, kind, method = request.param
    headers = {
        "": [],
        "token": [("x-auth-token", good_token)],
        "bad": [("x-auth-token", "bad")],
        "preflight": PREFLIGHT,
    }
    return envoy.ports[listener], path, headers[kind], method


def test_no_owned_header_gets_through_in_any_spelling(way):
    port, path, headers, method = way
    honest = identity_headers(http1.get(port, path, headers, method=method).json()["headers"])
    forged = [(spelling, FORGED) for name in OWNED for spelling in spellings(name)]
    # Envoy takes a hundred headers. Before and after the credential, and in the middle of others.
    for some in _batched(forged, 60):
        for sent in ([*some, *headers], [*headers, *some, ("x-other", "kept")]):
            response = http1.get(port, path, sent, method=method)
            assert response.status == 200
            arrived = response.json()["headers"]
            assert FORGED not in [value for _, value in arrived]
            assert identity_headers(arrived) == honest


def test_what_the_body_is_is_said_in_one_spelling(way):
    """A WSGI server waits for as many bytes as `content_length` says, of a request that has ended."""
    port, path, headers, method = way
    names = ("content_length", "Content_Type", "content_encoding", "transfer_encoding")
    sent = [*headers, ("content-type", "text/plain"), *((name, FORGED) for name in names)]
    response = http1.get(port, path, sent, method=method)
    assert response.status == 200
    arrived = response.json()["headers"]
    assert FORGED not in [value for _, value in arrived]
    assert ["content-type", "text/plain"] in [list(pair) for pair in arrived]


def test_an_owned_header_sent_many_times_is_gone_altogether(way):
    port, path, headers, method = way
    sent = [*[("x-user-id", FORGED)] * 20, *headers, *[("X-User_Id", FORGED)] * 20]
    response = http1.get(port, path, sent, method=method)
    assert response.status == 200
    assert FORGED not in [value for _, value in response.json()["headers"]]


def test_no_owned_header_gets_through_over_http2(way):
    port, path, headers, method = way
    honest = identity_headers(http1.get(port, path, headers, method=method).json()["headers"])
    names = {spelling.lower() for name in OWNED for spelling in spellings(name)}
    with Client(port) as client:
        for some in _batched(sorted(names), 60):
            sent = [*headers, *[(name, FORGED) for name in some]]
            response = client.get(path, sent, method=method)
            assert response.status == 200
            arrived = response.json()["headers"]
            assert FORGED not in [value for _, value in arrived]
            assert identity_headers(arrived) == honest


def test_a_credential_in_another_spelling_neither_counts_nor_gets_through(way, good_token):
    port, path, headers, method = way
    for name in ("x-auth-token", "x-storage-token"):
        for spelling in spellings(name):
            if "_" in spelling:
                response = http1.get(port, path, [*headers, (spelling, good_token)], method=method)
                assert response.status == 200
                arrived = [(n, v) for n, v in response.json()["headers"] if "token" in n.lower()]
                ours = [(n, v) for n, v in arrived if n.startswith("x-voussoir-")]
                honest = [(n, v) for n, v in headers if "token" in n]
                assert sorted(set(arrived) - set(ours)) == honest


def test_a_credential_in_another_spelling_is_no_credential(envoy, path, good_token, upstream):
    for spelling in ("x_auth_token", "X_AUTH_TOKEN", "x-auth_token", "x_storage-token"):
        response = http1.get(envoy.ports["enforce"], path, [(spelling, good_token)])
        assert response.status == 401
    assert not upstream.requests_to(path)
    assert set(envoy.details(path, 4)) == {"voussoir_token_missing"}


def test_no_owned_trailer_gets_through_http1(way):
    port, path, headers, method = way
    names = [spelling for name in OWNED[::5] for spelling in spellings(name)]
    for some in _batched(names, 40):
        sent = http1.encode(
            path, headers, method=method, body=b"body", trailers=[(name, FORGED) for name in some]
        )
        with http1.Connection(port) as connection:
            connection.send(sent)
            response = connection.response()
        assert response.status == 200
        assert response.json()["size"] == 4
        assert FORGED not in [value for _, value in response.json()["trailers"]]
        assert FORGED not in [value for _, value in response.json()["headers"]]


def test_no_owned_trailer_gets_through_http2(way):
    port, path, headers, method = way
    trailers = [(spelling.lower(), FORGED) for spelling in spellings("x-user-id")]
    with Client(port) as client:
        number = client.start(path, headers, method=method, is_end=False)
        client.data(number, b"body", is_end=False)
        client.trailers(number, [*dict(trailers).items()])
        response = client.response(number)
    assert response.status == 200
    assert response.json()["size"] == 4
    assert FORGED not in [value for _, value in response.json()["trailers"]]
    assert FORGED not in [value for _, value in response.json()["headers"]]


def test_an_honest_trailer_arrives(envoy, path, good_token):
    trailers = [("x-checksum", "5d41402a")]
    sent = http1.encode(path, [("x-auth-token", good_token)], body=b"body", trailers=trailers)
    with http1.Connection(envoy.ports["enforce"]) as connection:
        connection.send(sent)
        assert connection.response().json()["trailers"] == [["x-checksum", "5d41402a"]]


def _batched(items, size):
    return [items[start : start + size] for start in range(0, len(items), size)]
