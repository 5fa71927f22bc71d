"""Bodies of every form and size, on every way they can take: with a length and without, over both
versions of HTTP, shown to the filter at once or when the head is let through."""

import contextlib
import itertools
import os

import pytest

from parts import http1, signing
from parts.deadline import wait_until
from parts.http2 import Client as Http2
from parts.s3_store import DOMAIN
from parts.uploads import MODES, upload

WAYS = ["held", "early"]
TRANSPORTS = [
    "http1-length",
    "http1-chunked",
    "http2-length",
    "http2-no-length",
    "http2-empty-last-frame",
]
# Envoy's buffer is 1 MiB.
SIZES = {"empty": 0, "1-byte": 1, "100-kb": 100_000, "3-mib": 3 << 20}
DATA = {name: os.urandom(size) for name, size in SIZES.items()}

_regions = itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def key_at_both_workers(edge, bob):
    """A large body that is there before its key is another test's: see test_s3_parked.py."""
    signed = signing.sign(bob, "GET", "/first")
    for way in WAYS:
        with contextlib.ExitStack() as stack:
            connections = [
                stack.enter_context(http1.Connection(edge.ports[way])) for _ in range(20)
            ]
            for connection in connections:
                assert connection.get("/first", signed.headers, host=DOMAIN).status == 200


# What S3 calls a body with another last byte.
CODES = {
    "hash": "XAmzContentSHA256Mismatch",
    "chunks": "SignatureDoesNotMatch",
    "chunks-trailer": "SignatureDoesNotMatch",
    "unsigned-trailer": "BadDigest",
}


def assert_arrived(upstream, path, data):
    (arrival,) = upstream.requests_to(path)
    assert arrival.is_complete
    assert arrival.body == data
    assert arrival.trailers == []


def assert_refused(upstream, response, path, code):
    assert response.status in (400, 403), response
    assert f"<Code>{code}</Code>".encode() in response.body
    assert not any(arrival.is_complete for arrival in upstream.requests_to(path))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("way", WAYS)
def test_a_body_arrives_as_it_was_signed(edge, bob, upstream, way, transport, mode, size, path):
    sent = upload(bob, mode, path, DATA[size])
    response = sent.send(edge.ports[way], transport)()
    assert response.status == 200, response
    assert_arrived(upstream, path, DATA[size])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", CODES)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("way", WAYS)
def test_one_with_another_end_never_does(edge, bob, upstream, way, transport, mode, size, path):
    sent = upload(bob, mode, path, DATA[size], is_right=False)
    response = sent.send(edge.ports[way], transport)()
    assert_refused(upstream, response, path, CODES[mode])


@contextlib.contextmanager
def without_a_key(edge, relay, way, uploads):
    """While nobody has the key: uploads, all sent, of which none goes anywhere."""
    names = (f"http.{way}.downstream_cx_rx_bytes_total", f"http.{way}.downstream_rq_active")
    bytes_before, _ = (edge.stats(name)[name] for name in names)
    total = bytes_before + sum(len(sent.body) for sent, *_ in uploads)
    relay.hold()
    try:
        yield
        # Heads count as well: one worker may have some left to read when the bytes are enough.
        wait_until(
            lambda: edge.stats(names[0])[names[0]] >= total
            and edge.stats(names[1])[names[1]] == len(uploads),
            "all to be read, and to wait",
        )
    finally:
        relay.release()


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("way", WAYS)
def test_so_it_is_when_the_body_is_there_before_the_key(
    edge, bob, store_relay, upstream, way, transport, path
):
    region = f"late-{next(_regions)}"
    uploads = []
    for mode, size, is_right in itertools.product(MODES, ["empty", "1-byte", "100-kb"], [1, 0]):
        if is_right or mode in CODES:
            url = f"{path}/{mode}/{size}/{is_right}"
            sent = upload(bob, mode, url, DATA[size], is_right=is_right, region=region)
            uploads.append((sent, mode, size, is_right))
    with without_a_key(edge, store_relay, way, uploads):
        responses = [sent.send(edge.ports[way], transport) for sent, *_ in uploads]
    for (sent, mode, size, is_right), response in zip(uploads, responses, strict=True):
        if is_right:
            assert response().status == 200, sent.path
            assert_arrived(upstream, sent.path, DATA[size])
        else:
            assert_refused(upstream, response(), sent.path, CODES[mode])


TRAILERS = [("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-meta-a", "b")]
# Over HTTP/2 the frame may be empty.
TRAILING = [
    ("http1-chunked", TRAILERS),
    ("http2-no-length", TRAILERS),
    ("http2-no-length", []),
    ("http2-length", TRAILERS),
    ("http2-length", []),
]


@pytest.mark.parametrize(
    ("transport", "trailers", "mode", "size"),
    [
        (transport, trailers, mode, size)
        for (transport, trailers), mode, size in itertools.product(TRAILING, MODES, SIZES)
        # With a length these are complete, and perhaps answered, before the trailers are there.
        if transport != "http2-length" or (mode != "unsigned" and (mode, size) != ("hash", "empty"))
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_trailers_of_http_are_refused(
    edge, bob, upstream, way, transport, trailers, mode, size, path
):
    """Nobody signed them, and for some services they are headers."""
    sent = upload(bob, mode, path, DATA[size])
    response = sent.send(edge.ports[way], transport, trailers=trailers)()
    assert_refused(upstream, response, path, "InvalidRequest")
    assert response.status == 400


@pytest.mark.parametrize("mode", ["hash", "chunks"])
@pytest.mark.parametrize("way", WAYS)
def test_another_body_does_not_pass_before_empty_trailers(edge, bob, upstream, way, mode, path):
    """They end a body without a last piece of it."""
    sent = upload(bob, mode, path, DATA["100-kb"])
    sent.body = b"anything else, and a byte that would have been held back"
    response = sent.send(edge.ports[way], "http2-no-length", trailers=[])()
    assert response.status == 400, response
    assert not any(arrival.is_complete for arrival in upstream.requests_to(path))


@pytest.mark.parametrize("transport", ["http1-chunked", "http2-no-length"])
@pytest.mark.parametrize("way", WAYS)
def test_so_they_are_when_they_are_there_before_the_key(
    edge, bob, store_relay, upstream, way, transport, path
):
    region = f"late-{next(_regions)}"
    uploads = []
    for mode, size in itertools.product(MODES, ["empty", "1-byte", "100-kb"]):
        url = f"{path}/{mode}/{size}"
        uploads.append((upload(bob, mode, url, DATA[size], region=region), mode))
    store_relay.hold()
    try:
        responses = [
            sent.send(edge.ports[way], transport, trailers=TRAILERS) for sent, _ in uploads
        ]
    finally:
        store_relay.release()
    for (sent, _), response in zip(uploads, responses, strict=True):
        assert_refused(upstream, response(), sent.path, "InvalidRequest")


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("mode", ["hash", "chunks", "unsigned-trailer"])
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_goes_away_has_sent_nothing(
    edge, bob, store_relay, upstream, way, transport, mode, is_late, path
):
    region = f"late-{next(_regions)}"
    sent = upload(bob, mode, path, DATA["100-kb"], region=region)
    name = f"http.{way}.downstream_cx_destroy"
    before = edge.stats(name)[name]
    if is_late:
        store_relay.hold()
    try:
        leave_in_the_middle(sent, edge.ports[way], transport)
        wait_until(lambda: edge.stats(name)[name] > before, "the connection to be gone")
    finally:
        store_relay.release()
    # The same goes through afterwards, whatever is left of the first.
    again = upload(bob, mode, path + "/again", DATA["100-kb"], region=region)
    assert again.send(edge.ports[way], transport)().status == 200
    assert_arrived(upstream, path + "/again", DATA["100-kb"])
    assert not any(arrival.is_complete for arrival in upstream.requests_to(path))


def leave_in_the_middle(sent, port, transport):
    half = sent.body[: len(sent.body) // 2]
    if transport.startswith("http1"):
        options = {"method": "PUT", "host": DOMAIN}
        if transport == "http1-chunked":
            whole = http1.encode(sent.path, sent.headers, body=sent.body, trailers=[], **options)
        else:
            whole = http1.encode(sent.path, sent.headers, body=sent.body, **options)
        with http1.Connection(port) as connection:
            connection.send(whole[: -len(sent.body) // 2])
        return
    headers = list(sent.headers)
    if transport == "http2-length":
        headers.append(("content-length", str(len(sent.body))))
    with Http2(port) as client:
        options = {"method": "PUT", "is_end": False, "authority": DOMAIN}
        stream = client.start(sent.path, headers, **options)
        client.data(stream, half, is_end=False)
        if transport == "http2-empty-last-frame":
            client.reset(stream)


@pytest.mark.parametrize("is_right", [True, False])
@pytest.mark.parametrize("mode", CODES)
@pytest.mark.parametrize("way", WAYS)
def test_a_body_may_come_byte_by_byte(edge, bob, upstream, way, mode, is_right, path):
    data = DATA["100-kb"][:300]
    for version in ("http1", "http2"):
        url = f"{path}/{version}"
        sent = upload(bob, mode, url, data, is_right=is_right)
        response = drip(sent, edge.ports[way], version)
        if is_right:
            assert response.status == 200, response
            assert_arrived(upstream, url, data)
        else:
            assert_refused(upstream, response, url, CODES[mode])


def drip(sent, port, version):
    if version == "http1":
        request = http1.encode(
            sent.path, sent.headers, method="PUT", host=DOMAIN, body=sent.body, trailers=[]
        )
        with http1.Connection(port) as connection:
            for index in range(len(request)):
                connection.send(request[index : index + 1])
            return connection.response()
    with Http2(port) as client:
        options = {"method": "PUT", "is_end": False, "authority": DOMAIN}
        stream = client.start(sent.path, sent.headers, **options)
        for index in range(len(sent.body)):
            client.data(stream, sent.body[index : index + 1], is_end=False)
        client.end(stream)
        return client.response(stream)
