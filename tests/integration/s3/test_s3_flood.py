"""A million requests of strangers: what they cost in memory, and at the key server."""

import base64
import datetime
import os
import time

import pytest

from parts.envoy_config import Listener, plugin
from parts.flood import flood

MILLION, WARM_UP = 1_000_000, 30_000
CALLS_PER_SECOND, WORKERS = 50, 2
PATHS = ("/v1/signing-keys", "/v1/token-keys", "/v1/changes")
# How often changes are asked for by default, in seconds.
POLL = 2


@pytest.fixture(scope="module")
def keyserver(serve_keystone):
    """One that nobody else asks, since what it is asked is counted."""
    with serve_keystone() as keyserver:
        yield keyserver


@pytest.fixture(scope="module")
def front(start_envoy, keyserver):
    limits = {"calls_per_second": CALLS_PER_SECOND}
    listener = Listener(plugin(sigv4={}, limits=limits))
    with start_envoy({"front": listener}, keyserver.port) as envoy:
        yield envoy


def answers(keyserver):
    """What the key server was asked so far."""
    return {path: keyserver.answers(path=path) for path in PATHS}


def token(number):
    """Garbage in the layout of a token, another for each number."""
    body = b"\x80" + bytes(8) + number.to_bytes(16) + _NOISE[: 16 * 6] + number.to_bytes(32)
    text = base64.urlsafe_b64encode(body).rstrip(b"=")
    return b"GET /token HTTP/1.1\r\nhost: a\r\nx-auth-token: " + text + b"\r\n\r\n"


def signed(number):
    """A signature of an access key that nobody has, another for each number."""
    return _SIGNED % number


_NOISE = os.urandom(96)


def requests(number):
    return (token if number % 2 else signed)(number)


@pytest.mark.timeout(900)
def test_a_million_strangers_leave_no_trace(front, keyserver, figures):
    global _SIGNED
    now = datetime.datetime.now(datetime.UTC)
    day, date = now.strftime("%Y%m%d").encode(), now.strftime("%Y%m%dT%H%M%SZ").encode()
    _SIGNED = (
        b"GET /signed HTTP/1.1\r\nhost: a\r\nx-amz-date: " + date + b"\r\n"
        b"x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"
        b"authorization: AWS4-HMAC-SHA256 Credential=STRANGER%d/" + day + b"/r/s3/aws4_request,"
        b"SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=" + b"0" * 64 + b"\r\n\r\n"
    )
    port = front.ports["front"]
    flood(port, lambda number: requests(MILLION + number), WARM_UP)
    memory, before = front.resident(), answers(keyserver)
    begun = time.monotonic()
    statuses = flood(port, requests, MILLION)
    seconds = time.monotonic() - begun
    memory = front.resident() - memory
    after = answers(keyserver)
    calls, keys, changes = (after[path] - before[path] for path in PATHS)
    figures["a million requests of strangers"] = [
        f"{MILLION:,} requests in {seconds:.0f} s: {memory / 2**20:+.1f} MiB, "
        f"{calls} calls ({calls / seconds:.0f}/s) for signing keys, {keys} for token keys, "
        f"{changes} for changes, statuses {statuses}"
    ]
    assert set(statuses) <= {401, 403, 503}
    assert sum(statuses.values()) == MILLION
    # What is no token is told so, and so are some of those who sign: as many as may be asked about.
    assert statuses[401] == MILLION // 2
    assert statuses[403] > 0 and calls > 0
    assert memory < 16 << 20
    # The allowance of a second may be used at once at the beginning.
    assert calls <= CALLS_PER_SECOND * WORKERS * (seconds + 1)
    # A token that no key opens may be of a new one, which is looked for once in five seconds.
    assert keys <= seconds / 5 + 2
    assert changes <= seconds / POLL * 1.3 + 2
