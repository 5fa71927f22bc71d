"""Signed requests whose bodies must be complete: held first, and then verified as always."""

import pytest

from parts import http1, signing
from parts.deadline import holds_for
from parts.envoy_config import Listener, plugin
from parts.http2 import Client
from parts.s3_store import DOMAIN

BODY = b'{"a": "' + b"x" * 20_000 + b'"}'
CONTENTS = {"hash": None, "unsigned": signing.UNSIGNED, "chunks": signing.STREAMING}


@pytest.fixture(scope="module")
def front(start_envoy, store_relay):
    rule = {"path_prefix": "/", "max": "32KiB", "json": False}
    config = plugin(token=None, sigv4={}, hold_headers=True, require_complete_body=[rule])
    shadow = config | {"mode": "shadow"}
    listeners = {
        name: Listener(value, allow_on_headers_stop_iteration=True)
        for name, value in {"enforce": config, "shadow": shadow}.items()
    }
    with start_envoy(listeners, store_relay.port) as envoy:
        yield envoy


def put(account, path, way, region):
    """The head and the body of an upload, as they are sent."""
    headers = [("x-amz-decoded-content-length", str(len(BODY)))] if way == "chunks" else []
    content = CONTENTS[way]
    options = {"body": BODY, "content": content, "region": f"{region}-{way}"}
    signed = signing.sign(account, "PUT", path, headers, **options)
    pieces = [BODY[:8192], BODY[8192:16384], BODY[16384:]]
    return signed.headers, signed.chunks(pieces) if way == "chunks" else BODY


@pytest.mark.parametrize("mode", ["enforce", "shadow"])
@pytest.mark.parametrize("way", CONTENTS)
def test_what_is_signed_well_passes_when_it_is_whole(front, bob, upstream, path, way, mode):
    """Before its key is there, and after; all at once, and with the end missing for a while."""
    for number in range(4):
        headers, body = put(bob, f"{path}/{number}", way, "region")
        request = http1.encode(f"{path}/{number}", headers, method="PUT", body=body, host=DOMAIN)
        with http1.Connection(front.ports[mode]) as connection:
            if number % 2:
                connection.send(request[:-9])
                if mode == "enforce":
                    holds_for(lambda: not upstream.requests_to(path), "it waits", seconds=0.1)
                request = request[-9:]
            connection.send(request)
            assert connection.response().status == 200
        (arrival,) = upstream.requests_to(f"{path}/{number}")
        assert arrival.body == (body if mode == "shadow" else BODY)
    headers, body = put(bob, path, way, "region")
    headers = [(name.lower(), value) for name, value in headers]
    with Client(front.ports[mode]) as client:
        options = {"method": "PUT", "authority": DOMAIN, "is_end": False}
        number = client.start(path, headers, **options)
        client.data(number, body)
        assert client.response(number).status == 200


@pytest.mark.parametrize("way", ["hash", "chunks"])
def test_what_is_signed_wrongly_does_not(front, bob, upstream, path, way):
    for number in range(3):
        headers, body = put(bob, f"{path}/{number}", way, "other")
        other = body.replace(b"xxx", b"xyx", 1)
        request = http1.encode(f"{path}/{number}", headers, method="PUT", body=other, host=DOMAIN)
        with http1.Connection(front.ports["enforce"]) as connection:
            connection.send(request)
            response = connection.response()
        assert response.status == (400 if way == "hash" else 403)
        assert not any(a.is_complete for a in upstream.requests_to(f"{path}/{number}"))


def test_what_is_too_long_or_late_is_refused(front, bob, upstream, path):
    headers, _ = put(bob, path, "unsigned", "region")
    headers = [*headers, ("content-length", "32769")]
    with http1.Connection(front.ports["enforce"]) as connection:
        connection.send(http1.encode(path, headers, method="PUT", host=DOMAIN))
        response = connection.response()
    assert response.status == 400
    assert b"<Code>EntityTooLarge</Code>" in response.body
    assert not upstream.requests_to(path)
