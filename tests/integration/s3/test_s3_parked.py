"""Uploads that wait for a signing key: what becomes of a body that is larger than any buffer."""

import os
import threading

import pytest

from parts import http1, signing
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.s3_store import DOMAIN

BODY = os.urandom(4 << 20)
# Envoy's own limit is 1 MiB.
LIMITS = {"held": None, "shown": None, "shown_with_room": 2 * len(BODY)}


@pytest.fixture(scope="module")
def front(start_envoy, keystone_relay):
    """An Envoy with Envoy's two ways to hold a head, one of them with much room for bodies."""
    config = plugin(token=None, sigv4={}, keyserver={"timeout": "20s"})
    listeners = {
        name: Listener(
            config,
            allow_on_headers_stop_iteration=name != "held",
            per_connection_buffer_limit=limit,
        )
        for name, limit in LIMITS.items()
    }
    with start_envoy(listeners, keystone_relay.port) as envoy:
        yield envoy


class Upload(threading.Thread):
    """Sends the whole request, however long that takes, and takes the response."""

    def __init__(self, port, path, signed, body):
        super().__init__(name="upload", daemon=True)
        self.connection = http1.Connection(port)
        self.request = http1.encode(path, signed.headers, method="PUT", body=body, host=DOMAIN)
        self.response = None

    def run(self):
        with self.connection:
            try:
                self.connection.send(self.request)
            except (BrokenPipeError, ConnectionResetError):
                pass  # It was refused before all was sent; the response is there all the same.
            self.response = self.connection.response()


def uploaded(front, relay, alice, upstream, name, path):
    """The response to an upload while the key server holds its answer back for a while."""
    # A region of its own: no key for it is there yet.
    signed = signing.sign(alice.account, "PUT", path, body=BODY, region=f"region-{name}")
    relay.hold()
    try:
        upload = Upload(front.ports[name], path, signed, BODY)
        upload.start()
        active = f"http.{name}.downstream_rq_active"
        wait_until(lambda: front.stats(active)[active] == 1 or upload.response, "the request")
        upload.join(0.5)
        assert not upstream.requests_to(path), "it passed without a key"
    finally:
        relay.release()
    upload.join(20)
    assert not upload.is_alive()
    return upload.response


@pytest.mark.parametrize("name", ["held", "shown_with_room"])
def test_a_large_upload_waits_for_its_key(front, keystone_relay, alice, upstream, name, path):
    response = uploaded(front, keystone_relay, alice, upstream, name, path)
    assert response.status == 200, response
    (arrival,) = upstream.requests_to(path)
    assert arrival.body == BODY


def test_where_the_body_is_shown_meanwhile_it_must_fit_the_proxys_buffer(
    front, keystone_relay, alice, upstream, path
):
    response = uploaded(front, keystone_relay, alice, upstream, "shown", path)
    assert response is None or response.status == 413, response
    assert not upstream.requests_to(path)
