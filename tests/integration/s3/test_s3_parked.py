"""Uploads that wait for a signing key: what becomes of a body that is larger than any buffer."""

import contextlib
import itertools
import os
import threading
import time

import h2.exceptions
import pytest

from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.uploads import MODES, upload

BODY = os.urandom(4 << 20)
# Envoy's own limit is 1 MiB. In chunks it is a little more.
LIMITS = {"held": None, "shown": None, "shown_with_room": 2 * len(BODY)}
TRANSPORTS = ["http1-length", "http2-no-length"]


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


class Sending(threading.Thread):
    """Sends an upload, however long that takes, and takes the response; None if there is none."""

    def __init__(self, sent, port, transport):
        super().__init__(name="upload", daemon=True)
        self.sent, self.port, self.transport = sent, port, transport
        self.response = None

    def run(self):
        # A stream that was reset takes nothing more.
        with contextlib.suppress(h2.exceptions.ProtocolError):
            self.response = self.sent.send(self.port, self.transport)()


@pytest.fixture
def uploaded(front, keystone_relay, alice, upstream, path):
    """Uploads in every form while the key server holds its answer back until some are refused, if any are."""

    def uploaded(name, is_refused=lambda url: False):
        threads = {}
        for mode, transport in itertools.product(MODES, TRANSPORTS):
            # A region of its own: no key for it is there yet.
            url = f"{path}/{mode}/{transport}"
            sent = upload(alice.account, mode, url, BODY, region=f"region-{name}")
            threads[url] = Sending(sent, front.ports[name], transport)
        waiting = {url for url in threads if not is_refused(url)}
        active = f"http.{name}.downstream_rq_active"
        keystone_relay.hold()
        try:
            for thread in threads.values():
                thread.start()
            wait_until(
                lambda: {url for url, thread in threads.items() if thread.is_alive()} == waiting
                and front.stats(active)[active] == len(waiting),
                "all of them to wait or be refused",
            )
            time.sleep(0.5)
            assert all(threads[url].is_alive() for url in waiting)
            assert not any(upstream.requests_to(url) for url in threads), "it passed without a key"
        finally:
            keystone_relay.release()
        for thread in threads.values():
            thread.join(20)
            assert not thread.is_alive()
        return {url: thread.response for url, thread in threads.items()}

    return uploaded


def assert_passed(upstream, url, response):
    assert response.status == 200, (url, response)
    (arrival,) = upstream.requests_to(url)
    assert arrival.body == BODY, url


@pytest.mark.parametrize("name", ["held", "shown_with_room"])
def test_a_large_upload_waits_for_its_key(uploaded, upstream, name):
    for url, response in uploaded(name).items():
        assert_passed(upstream, url, response)


def test_where_the_body_is_shown_meanwhile_it_must_fit_the_proxys_buffer(uploaded, upstream):
    """In HTTP/2 it need not: the client is made to wait."""

    def is_refused(url):
        return "http1" in url

    for url, response in uploaded("shown", is_refused).items():
        if is_refused(url):
            assert response is None or response.status == 413, (url, response)
            assert not upstream.requests_to(url)
        else:
            assert_passed(upstream, url, response)
