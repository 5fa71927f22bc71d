"""Bodies that are not what was signed: no service ever gets one as a whole request."""

import base64
import os
import re
import zlib

import pytest

from parts import http1, signing
from parts.http2 import Client as Http2
from parts.s3_store import BUCKET, DOMAIN

WAYS = ["echo_plain", "echo_early", "echo_through"]
PIECES = [os.urandom(65536), os.urandom(65536), b"the end"]
DATA = b"".join(PIECES)
CHUNKED = [("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", str(len(DATA)))]
TRAILER = [("x-amz-trailer", "x-amz-checksum-crc32")]


def checksum(data):
    return "x-amz-checksum-crc32", base64.b64encode(zlib.crc32(data).to_bytes(4)).decode()


def chunked(account, path, headers=(), pieces=PIECES):
    signed = signing.sign(
        account, "PUT", path, [*CHUNKED, *headers], content=signing.STREAMING, host=DOMAIN
    )
    return signed, signed.chunks(pieces)


def with_trailer(account, path, trailer):
    content = signing.STREAMING + "-TRAILER"
    signed = signing.sign(account, "PUT", path, [*CHUNKED, *TRAILER], content=content, host=DOMAIN)
    return signed, signed.chunks(PIECES, [trailer])


def hashed(account, path, body):
    return signing.sign(account, "PUT", path, body=body, host=DOMAIN), body


def swapped(body):
    """The first two chunks, which are of one size, in the other order."""
    size = body.index(PIECES[0]) + len(PIECES[0]) + 2
    return body[size : 2 * size] + body[:size] + body[2 * size :]


def changed(body, part):
    """One bit of it."""
    assert body.count(part) == 1
    return body.replace(part, bytes([part[0] ^ 1]) + part[1:])


def cut(body, mark):
    """Up to and with a mark."""
    return body[: body.index(mark) + len(mark)]


# Each makes a signed head and a body that does not belong to it; and what S3 calls that.
ATTACKS = {
    "another body": (
        lambda account, path: (hashed(account, path, b"a" * 50_000)[0], b"b" * 50_000),
        "XAmzContentSHA256Mismatch",
    ),
    "a longer body": (
        lambda account, path: (hashed(account, path, b"a" * 50_000)[0], b"a" * 50_001),
        "XAmzContentSHA256Mismatch",
    ),
    "a changed chunk": (
        lambda account, path: edited(chunked(account, path), lambda b: changed(b, PIECES[1])),
        "SignatureDoesNotMatch",
    ),
    "a changed last chunk": (
        lambda account, path: edited(chunked(account, path), lambda b: changed(b, PIECES[2])),
        "SignatureDoesNotMatch",
    ),
    "chunks in another order": (
        lambda account, path: edited(chunked(account, path), swapped),
        "SignatureDoesNotMatch",
    ),
    "chunks of another request": (
        lambda account, path: (chunked(account, path)[0], chunked(account, path + "/other")[1]),
        "SignatureDoesNotMatch",
    ),
    "no last chunk": (
        lambda account, path: edited(chunked(account, path), lambda b: cut(b, PIECES[2] + b"\r\n")),
        "IncompleteBody",
    ),
    "half a chunk": (
        lambda account, path: edited(chunked(account, path), lambda b: cut(b, PIECES[1][:30_000])),
        "IncompleteBody",
    ),
    "fewer bytes than announced": (
        lambda account, path: chunked(account, path, pieces=PIECES[:2]),
        "IncompleteBody",
    ),
    "more bytes than announced": (
        lambda account, path: chunked(account, path, pieces=[*PIECES[:2], PIECES[2] * 2]),
        "IncompleteBody",
    ),
    "no signatures": (
        lambda account, path: edited(
            chunked(account, path), lambda b: re.sub(rb";chunk-signature=[0-9a-f]{64}", b"", b)
        ),
        "IncompleteBody",
    ),
    "a changed trailer": (
        lambda account, path: edited(
            with_trailer(account, path, checksum(DATA)),
            lambda b: b.replace(checksum(DATA)[1].encode(), checksum(b"other")[1].encode()),
        ),
        "SignatureDoesNotMatch",
    ),
    "a wrong checksum": (
        lambda account, path: with_trailer(account, path, checksum(b"other")),
        "BadDigest",
    ),
    "no trailer": (
        lambda account, path: edited(
            with_trailer(account, path, checksum(DATA)),
            lambda b: b[: b.index(b"x-amz-checksum")] + b"\r\n",
        ),
        "IncompleteBody",
    ),
}


def edited(signed_and_body, edit):
    signed, body = signed_and_body
    edited_body = edit(body)
    assert edited_body != body
    return signed, edited_body


GOOD = {
    "hash": lambda account, path: hashed(account, path, DATA),
    "chunks": chunked,
    "trailer": lambda account, path: with_trailer(account, path, checksum(DATA)),
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("way", ["through", "s3s", "seaweedfs"])
def test_what_is_signed_by_hand_here_is_right(front, alice, way, name, path):
    """Says a store that verifies it all again; and the others got the same bytes."""
    key = f"/{BUCKET}{path}"
    signed, body = GOOD[name](alice.account, key)
    port = front.ports[way]
    response = http1.get(port, key, signed.headers, method="PUT", body=body, host=DOMAIN)
    assert response.status == 200, response
    response = http1.get(port, key, signing.sign(alice.account, "GET", key).headers, host=DOMAIN)
    assert response.body == DATA


@pytest.mark.parametrize("name", GOOD)
def test_a_service_gets_the_plain_body_or_the_one_that_was_sent(front, alice, upstream, name, path):
    for way in WAYS:
        url = f"{path}/{way}"
        signed, body = GOOD[name](alice.account, url)
        port = front.ports[way]
        response = http1.get(port, url, signed.headers, method="PUT", body=body, host=DOMAIN)
        assert response.status == 200, response
        (arrival,) = upstream.requests_to(url)
        is_decoded = name != "hash" and way != "echo_through"
        assert arrival.body == (DATA if is_decoded else body)
        # Nothing is left that a service would take for words about chunks.
        said = {name for name, _ in CHUNKED + TRAILER} & {name for name, _ in arrival.headers}
        assert bool(said) == (name != "hash" and way == "echo_through")
        assert arrival.values("content-length") == [str(len(arrival.body))]


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("way", WAYS)
def test_a_body_that_was_not_signed_never_arrives(front, alice, upstream, way, name, path):
    make, code = ATTACKS[name]
    signed, body = make(alice.account, path)
    port = front.ports[way]
    response = http1.get(port, path, signed.headers, method="PUT", body=body, host=DOMAIN)
    assert response.status in (400, 403), response
    assert f"<Code>{code}</Code>".encode() in response.body
    assert not any(arrival.is_complete for arrival in upstream.requests_to(path))


@pytest.mark.parametrize("name", ["another body", "a changed last chunk", "no last chunk"])
@pytest.mark.parametrize("way", WAYS)
def test_nor_does_it_over_http2(front, alice, upstream, way, name, path):
    make, code = ATTACKS[name]
    signed, body = make(alice.account, path)
    with Http2(front.ports[way]) as client:
        stream = client.start(path, signed.headers, method="PUT", is_end=False, authority=DOMAIN)
        client.data(stream, body)
        response = client.response(stream)
    assert f"<Code>{code}</Code>".encode() in response.body
    assert not any(arrival.is_complete for arrival in upstream.requests_to(path))


@pytest.mark.parametrize("trailers", [[], [("x-checksum", "1")], [("x-user-id", "forged")]])
@pytest.mark.parametrize("name", ["another body", "no last chunk"])
@pytest.mark.parametrize("way", WAYS)
def test_nor_does_it_before_trailers(front, alice, upstream, way, name, trailers, path):
    """Those without a field end a body too, and like any others they do it without a last piece."""
    make, _ = ATTACKS[name]
    signed, body = make(alice.account, path)
    with Http2(front.ports[way]) as client:
        stream = client.start(path, signed.headers, method="PUT", is_end=False, authority=DOMAIN)
        client.data(stream, body, is_end=False)
        client.trailers(stream, trailers)
        response = client.response(stream)
    assert (response.status, b"<Code>InvalidRequest</Code>" in response.body) == (400, True)
    assert not any(arrival.is_complete for arrival in upstream.requests_to(path))


@pytest.mark.parametrize("way", [*WAYS, "echo"])
def test_headers_for_the_store_must_be_signed(front, alice, upstream, way, path):
    """Else a signed upload could be made a copy of what the signer alone may read."""
    signed, body = hashed(alice.account, path, b"data")
    for header in ("x-amz-copy-source", "x-amz-acl", "X-Amz-Tagging", "x-amz-meta-a"):
        headers = [*signed.headers, (header, "/bucket/secret")]
        port = front.ports[way]
        response = http1.get(port, path, headers, method="PUT", body=body, host=DOMAIN)
        assert (response.status, b"<Code>AccessDenied</Code>" in response.body) == (403, True)
    assert not upstream.requests_to(path)
