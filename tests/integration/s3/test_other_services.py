"""Services that are none of S3's: botocore signs the hash of the body, and sends it nowhere."""

import datetime
import itertools
import json
import os
import re

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from parts import http1
from parts.deadline import wait_until
from parts.http2 import Client as Http2
from parts.s3_store import DOMAIN

FORM = ("content-type", "application/x-www-form-urlencoded; charset=utf-8")
JSON = ("content-type", "application/x-amz-json-1.0")
TARGET = ("x-amz-target", "AmazonSQS.SendMessage")
TRANSPORTS = ["http1-length", "http1-chunked", "http2-length", "http2-no-length"]
SIZES = {"empty": 0, "1-byte": 1, "100-kb": 100_000, "900-kb": 900_000}

_regions = (f"region-{number}" for number in itertools.count(1))


class Post:
    """A request as botocore signs it. Each has a region, and so perhaps a key, of its own."""

    def __init__(
        self, account, path, body=b"", *headers, region=None, method="POST", auth=SigV4Auth
    ):
        request = AWSRequest(method, f"http://{DOMAIN}{path}", dict(headers), body)
        credentials = Credentials(account.access, account.secret)
        auth(credentials, "sqs", region or next(_regions)).add_auth(request)
        assert "x-amz-content-sha256" not in request.headers
        self.method, self.body = method, body
        self.path = request.url.removeprefix(f"http://{DOMAIN}")
        self.headers = list(request.headers.items())

    def send(self, port, transport="http1-length", *, body=None, path=None):
        """Sends it, or another body or to another path with its signature."""
        body = self.body if body is None else body
        path = path or self.path
        if transport.startswith("http1"):
            trailers = [] if transport == "http1-chunked" else None
            options = {"method": self.method, "host": DOMAIN, "trailers": trailers}
            return http1.get(port, path, self.headers, body=body, **options)
        headers = [(name.lower(), value) for name, value in self.headers]
        if transport == "http2-length":
            headers.append(("content-length", str(len(body))))
        with Http2(port) as client:
            options = {"method": self.method, "authority": DOMAIN, "is_end": False}
            stream = client.start(path, headers, **options)
            client.data(stream, body, is_end=False)
            client.end(stream)
            return client.response(stream)


def error(response):
    """Status, and code in the document of the query protocol."""
    assert response.header("content-type") == "text/xml", response
    assert response.body.startswith((b"<ErrorResponse", b"<?xml")), response
    return response.status, re.search(rb"<Code>(\w+)</Code>", response.body)[1].decode()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_body_arrives_whose_hash_was_signed(edge, bob, upstream, transport, size, path):
    """Before its key is there, and after."""
    body, region = os.urandom(SIZES[size]), next(_regions)
    for number in range(3):
        post = Post(bob, f"{path}/{number}", body, FORM, region=region)
        response = post.send(edge.ports["sqs"], transport)
        assert response.status == 200, response
        (arrival,) = upstream.requests_to(post.path)
        assert (arrival.is_complete, arrival.body) == (True, body)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_of_another_body_nothing_arrives_at_all(edge, bob, upstream, transport, size, path):
    body, region = os.urandom(SIZES[size]), next(_regions)
    wrong = body[:-1] + bytes([body[-1] ^ 1]) if body else b"x"
    for _ in range(3):
        post = Post(bob, path, body, FORM, region=region)
        response = post.send(edge.ports["sqs"], transport, body=wrong)
        assert error(response) == (403, "SignatureDoesNotMatch")
    assert not upstream.requests_to(path)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_body_is_held_while_the_key_is_fetched(
    edge, bob, store_relay, upstream, transport, path
):
    """All of it is there before the key, and of the wrong one still nothing passes."""
    body = os.urandom(100_000)
    name = "http.sqs.downstream_cx_rx_bytes_total"
    for is_right in (True, False):
        post, before = Post(bob, f"{path}/{is_right}", body, FORM), edge.stats(name)[name]
        store_relay.hold()
        try:
            sent = body if is_right else body[:-1] + bytes([body[-1] ^ 1])
            answer = start(post, edge.ports["sqs"], transport, sent)
            wait_until(lambda b=before: edge.stats(name)[name] >= b + len(body), "all of it")
            assert not upstream.requests_to(post.path)
        finally:
            store_relay.release()
        response = answer()
        if is_right:
            assert response.status == 200, response
            (arrival,) = upstream.requests_to(post.path)
            assert arrival.body == body
        else:
            assert error(response) == (403, "SignatureDoesNotMatch")
            assert not upstream.requests_to(post.path)


def start(post, port, transport, body):
    """Sends it; what is returned waits for the response."""
    if transport.startswith("http1"):
        connection = http1.Connection(port)
        trailers = [] if transport == "http1-chunked" else None
        options = {"method": "POST", "host": DOMAIN, "body": body, "trailers": trailers}
        connection.send(http1.encode(post.path, post.headers, **options))
        return lambda: close_after(connection, connection.response)
    client = Http2(port)
    headers = [(name.lower(), value) for name, value in post.headers]
    if transport == "http2-length":
        headers.append(("content-length", str(len(body))))
    options = {"method": "POST", "authority": DOMAIN, "is_end": False}
    stream = client.start(post.path, headers, **options)
    client.data(stream, body)
    return lambda: close_after(client, lambda: client.response(stream))


def close_after(connection, response):
    with connection:
        return response()


def test_a_body_that_envoy_cannot_hold_is_refused(edge, bob, upstream, path):
    post = Post(bob, path, os.urandom(3 << 20), FORM)
    with http1.Connection(edge.ports["sqs"]) as connection:
        request = http1.encode(path, post.headers, method="POST", host=DOMAIN, body=post.body)
        try:
            connection.send(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # It was refused before all was sent; the response is there all the same.
        response = connection.response()
    assert response is None or response.status == 413, response
    assert not upstream.requests_to(path)


def test_without_hold_headers_a_body_cannot_be_verified(edge, bob, upstream, path):
    port = edge.ports["sqs_not_held"]
    for transport in TRANSPORTS:
        response = Post(bob, path, b"Action=ListQueues", FORM).send(port, transport)
        assert error(response) == (501, "NotImplemented")
    assert not upstream.requests_to(path)
    # What has none is verified all the same, and so is a hash in a signed header.
    assert Post(bob, path, method="GET").send(port, body=b"").status == 200
    assert Post(bob, path).send(port, body=b"").status == 200
    assert len(upstream.requests_to(path)) == 2
    response = Post(bob, path, method="GET").send(port, body=b"", path=path + "/x")
    assert error(response) == (403, "SignatureDoesNotMatch")


def test_a_presigned_url_is_verified(edge, bob, upstream, path):
    post = Post(bob, path + "?Action=ListQueues", method="GET", auth=SigV4QueryAuth)
    assert post.send(edge.ports["sqs"], body=b"").status == 200
    assert len(upstream.requests_to(post.path)) == 1
    response = post.send(edge.ports["sqs"], body=b"", path=post.path.replace("List", "Delete"))
    assert error(response) == (403, "SignatureDoesNotMatch")


REFUSALS = {
    "a wrong secret": (
        lambda account, path, header: Post(account.with_secret("x"), path, b"{}", header),
        (403, "SignatureDoesNotMatch"),
        (400, "InvalidSignatureException"),
    ),
    "an unknown access key": (
        lambda account, path, header: Post(
            type(account)("VSRUNKNOWN", account.secret), path, b"{}", header
        ),
        (403, "InvalidClientTokenId"),
        (400, "UnrecognizedClientException"),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_are_in_the_clients_protocol(edge, bob, upstream, name, path):
    make, in_xml, in_json = REFUSALS[name]
    assert error(make(bob, path, FORM).send(edge.ports["sqs"])) == in_xml
    for header in (JSON, TARGET):
        response = make(bob, path, header).send(edge.ports["sqs"])
        assert response.header("content-type") == "application/x-amz-json-1.1"
        document = json.loads(response.body)
        assert (response.status, document["__type"]) == in_json
        assert response.header("x-amzn-errortype") == in_json[1]
        assert document["message"]
    assert not upstream.requests_to(path)


@pytest.mark.parametrize("minutes", [-6, -4, 4, 6])
def test_a_clock_may_be_off_by_five_minutes(edge, bob, upstream, monkeypatch, minutes, path):
    """By fifteen it may be for S3."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    monkeypatch.setattr(
        "botocore.auth.get_current_datetime", lambda: now + datetime.timedelta(minutes=minutes)
    )
    response = Post(bob, path, b"Action=ListQueues", FORM).send(edge.ports["sqs"])
    if abs(minutes) < 5:
        assert response.status == 200, response
    else:
        assert error(response) == (403, "SignatureDoesNotMatch")
    assert len(upstream.requests_to(path)) == (1 if abs(minutes) < 5 else 0)


PATHS = {
    "/queue": "/queue",
    "/queue/": "/queue/",
    "//a///queue": "/a/queue",
    "/a/./queue": "/a/queue",
    "/a/b/../queue": "/a/queue",
    "/a/../../../../queue": None,
    "/a%20b/%2E%2e/queue": "/a%20b/%2E%2e/queue",
    "/a%2Fb/c%2f": "/a%2Fb/c%2f",
    "/~a/(b)*c": "/~a/(b)*c",
}


@pytest.mark.parametrize("way", ["sqs", "sqs_normalize"])
@pytest.mark.parametrize("target", PATHS)
def test_what_is_forwarded_is_the_path_that_was_signed(edge, bob, upstream, way, target, path):
    """And that is its normal form, whatever was sent: a service might read another."""
    before = len(upstream.arrivals)
    post = Post(bob, path + target, method="GET")
    response = post.send(edge.ports[way], body=b"")
    arrivals = [arrival.path for arrival in upstream.arrivals[before:]]
    expected = "/queue" if PATHS[target] is None else path + PATHS[target]
    if way == "sqs_normalize" and "%2E" in target:
        # Envoy takes these for dots, and botocore does not.
        assert (error(response), arrivals) == ((403, "SignatureDoesNotMatch"), [])
    else:
        assert response.status == 200, response
        assert arrivals == [expected]


@pytest.mark.parametrize(
    ("signed", "sent"),
    [("/a/b", "/a%2Fb"), ("/a%2Fb", "/a/b"), ("/a%20b", "/a+b"), ("/a", "/%61"), ("/a/", "/a")],
)
def test_another_spelling_is_another_path(edge, bob, upstream, signed, sent, path):
    """What is on the wire is what is signed: unlike in S3, nothing is decoded."""
    before = len(upstream.arrivals)
    post = Post(bob, path + signed, method="GET")
    response = post.send(edge.ports["sqs"], body=b"", path=path + sent)
    assert error(response) == (403, "SignatureDoesNotMatch")
    assert len(upstream.arrivals) == before


@pytest.mark.parametrize("transport", ["http1-chunked", "http2-no-length"])
def test_trailers_of_http_are_refused(edge, bob, upstream, transport, path):
    post, trailers = Post(bob, path, b"Action=ListQueues", FORM), [("x-a", "b")]
    if transport == "http1-chunked":
        options = {"method": "POST", "host": DOMAIN, "trailers": trailers}
        response = http1.get(edge.ports["sqs"], path, post.headers, body=post.body, **options)
    else:
        with Http2(edge.ports["sqs"]) as client:
            headers = [(name.lower(), value) for name, value in post.headers]
            options = {"method": "POST", "authority": DOMAIN, "is_end": False}
            stream = client.start(path, headers, **options)
            client.data(stream, post.body, is_end=False)
            client.trailers(stream, trailers)
            response = client.response(stream)
    assert error(response) == (400, "InvalidRequest")
    assert not upstream.requests_to(path)
