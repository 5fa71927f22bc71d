"""Bytes and combinations in a request's head that no honest client sends."""

import pytest

from parts import http1
from parts.http2 import Client
from parts.identity import identity_headers

CREDENTIALS = ["x-auth-token", "x-storage-token"]
# Some that Envoy treats in its own ways, some that this filter looks at, some that nobody knows.
NAMES = [
    *CREDENTIALS,
    "x-service-token",
    "x-user-id",
    "x_user_id",
    "x-identity-status",
    "x-voussoir-trust-id",
    "openstack-system-scope",
    "origin",
    "access-control-request-method",
    "authorization",
    "user-agent",
    "accept",
    "cookie",
    "content-type",
    "x-forwarded-for",
    "x-request-id",
    "traceparent",
    "x-other",
]
# Control characters, which HTTP forbids; the first and last beyond ASCII, a Latin-1 space, and the
# first byte of two in UTF-8 without the second.
ODD_BYTES = [0x01, 0x08, 0x0B, 0x1F, 0x7F, 0x80, 0xA0, 0xC3, 0xFF]


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_byte_in_a_header_makes_no_difference(envoy, good_token, path, name):
    credential = [] if name in CREDENTIALS else [("x-auth-token", good_token)]
    for byte in ODD_BYTES:
        for value in (bytes([byte]), b"a%cb" % byte, bytes([byte]) * 100):
            response = http1.get(envoy.ports["enforce"], path, [*credential, (name, value)])
            if byte < 0x80:
                # Envoy's own codec; the filter never sees it.
                assert response.status == 400, (byte, response)
            elif credential:
                assert response.status == 200, (byte, response)
                assert "x-user-id" in identity_headers(response.json()["headers"])
            else:
                assert response.status == 401, (byte, response)


def test_every_byte_in_every_place_of_a_token_is_refused(envoy, good_token, path, upstream):
    good = good_token.encode()
    places = {"start": (b"", good), "middle": (good[:60], good[61:]), "end": (good, b"")}
    for place, (before, after) in places.items():
        for byte in range(1, 256):
            token = before + bytes([byte]) + after
            if token == good or bytes([byte]) in b"\t\n\r ":
                continue  # The token itself; what ends a field, or surrounds it.
            response = http1.get(envoy.ports["enforce"], path, [("x-auth-token", token)])
            expected = 400 if byte < 0x20 or byte == 0x7F else 401
            assert response.status == expected, (place, byte)
    assert not upstream.requests_to(path)


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_byte_over_http2_makes_no_difference(envoy, good_token, path, name):
    credential = [] if name in CREDENTIALS else [("x-auth-token", good_token)]
    with Client(envoy.ports["enforce"]) as client:
        for byte in (0x80, 0xA0, 0xC3, 0xFF):
            response = client.get(path, [*credential, (name, b"a%cb" % byte)])
            assert response.status == (200 if credential else 401), byte


def test_a_control_character_over_http2_is_refused_by_envoy(envoy, path):
    with Client(envoy.ports["enforce"]) as client:
        # It ends the connection.
        assert client.get(path, [("x-auth-token", b"a\x01b")]) is None


@pytest.mark.parametrize("byte", [0x80, 0xC3, 0xFF])
def test_an_odd_byte_in_a_trailer_makes_no_difference(envoy, good_token, path, byte):
    credential = [("x-auth-token", good_token)]
    trailers = [("x-user-id", b"a%cb" % byte), ("x-checksum", b"a%cb" % byte)]
    expected = [["x-checksum", f"a{chr(byte)}b"]]
    with http1.Connection(envoy.ports["enforce"]) as connection:
        connection.send(http1.encode(path, credential, body=b"body", trailers=trailers))
        response = connection.response()
    assert (response.status, response.json()["trailers"]) == (200, expected)
    with Client(envoy.ports["enforce"]) as client:
        number = client.start(path, credential, is_end=False)
        client.data(number, b"body", is_end=False)
        client.trailers(number, trailers)
        response = client.response(number)
    assert (response.status, response.json()["trailers"]) == (200, expected)


@pytest.mark.parametrize(
    "headers",
    [
        ["x-auth-token good", "x-auth-token good"],
        ["x-auth-token good", "x-auth-token bad"],
        ["x-auth-token bad", "x-auth-token good"],
        ["x-auth-token good", "X-AUTH-TOKEN good"],
        ["x-auth-token good", "x-auth-token "],
        ["x-auth-token ", "x-auth-token good"],
        ["x-storage-token good", "x-storage-token good"],
        ["x-auth-token good", "x-storage-token bad"],
        ["x-auth-token bad", "x-storage-token good"],
        ["x-storage-token bad", "x-auth-token good"],
        ["x-auth-token good", "x-storage-token "],
    ],
    ids=", ".join,
)
def test_more_than_one_token_is_refused(envoy, good_token, path, upstream, headers):
    sent = [header.replace("good", good_token).split(" ") for header in headers]
    for listener in ("enforce", "anonymous"):
        response = http1.get(envoy.ports[listener], path, sent)
        assert response.status == 400
        with Client(envoy.ports[listener]) as client:
            lower = [(name.lower(), value) for name, value in sent]
            assert client.get(path, lower).status == 400
    assert set(envoy.details(path, 4)) == {"voussoir_token_ambiguous"}
    assert not upstream.requests_to(path)


def test_the_same_token_under_both_names_is_one_token(envoy, good_token, path):
    sent = [("x-auth-token", good_token), ("x-storage-token", good_token)]
    assert http1.get(envoy.ports["enforce"], path, sent).status == 200


def test_two_tokens_in_one_field_are_none(envoy, good_token, path):
    for separator in (",", ", ", " ", ";"):
        token = good_token + separator + good_token
        assert http1.get(envoy.ports["enforce"], path, [("x-auth-token", token)]).status == 401


@pytest.mark.parametrize(
    "tail",
    [b"\xff", b"%ff", b"\x01", b"%00", b"\\..\\x", b"..;/x", b"./../x", b"a//b", b"%2e%2e/x"],
)
def test_an_odd_path_is_never_bypassed(envoy, upstream, tail):
    path = b"/public/odd-" + tail
    assert http1.get(envoy.ports["bypass"], path).status in (400, 401)
    assert not [arrival for arrival in upstream.arrivals if "/odd-" in arrival.path]


# Beside what looks odd, what Envoy joins or keeps apart, and more than one call of the host would set.
OTHERS = {
    "few": [
        ("x-twice", "1"),
        ("cookie", "a=1"),
        ("x-twice", "2"),
        ("cookie", "b=2"),
        ("x-empty", ""),
        ("x-odd", b"a\xff\x80b"),
        ("x-long", "l" * 8000),
        ("accept", "text/html, */*;q=0.1"),
        ("accept", "text/plain"),
        ("x-forwarded-for", "192.0.2.1"),
        ("user-agent", "test/1.0 (a; b)"),
        ("content-type", "text/plain"),
        ("x_under_score", "kept"),
    ],
    "many": [(f"x-other-{number}", str(number)) for number in range(90)],
}


@pytest.mark.parametrize("version", ["http1", "http2"])
@pytest.mark.parametrize("others", OTHERS)
@pytest.mark.parametrize("kind", ["project", "federated_project"])
def test_what_is_not_about_identity_arrives_as_without_the_filter(
    envoy, vectors, path, others, kind, version
):
    token = next(v["token"] for v in vectors["positive"] if v["kind"] == kind)
    claims = [("x-user-id", "mallory"), ("x_roles", "admin"), ("X-Voussoir-Group-Ids", "wheel")]

    def heard(listener, url, headers):
        if version == "http1":
            response = http1.get(envoy.ports[listener], url, headers)
        else:
            with Client(envoy.ports[listener]) as client:
                response = client.get(url, [(name.lower(), value) for name, value in headers])
        assert response.status == 200
        return response.json()["headers"]

    def rest(headers):
        ours = identity_headers(headers)
        varies = ["x-request-id", "x-auth-token"]
        return [(n, v) for n, v in headers if n not in ours and n not in varies], ours

    without, nobody = rest(heard("bypass", f"/public{path}", OTHERS[others]))
    sent = [*claims, *OTHERS[others], ("x-auth-token", token)]
    behind, somebody = rest(heard("enforce", path, sent))
    assert behind == without
    assert not nobody
    assert somebody["x-identity-status"] == "Confirmed"
    assert "mallory" not in somebody.values()
    assert (len(somebody) >= 12) == (kind == "federated_project")
