"""Gauges that are sums: what each worker holds counts, not what the last one that said something holds."""

import pytest

from parts import http1, signing
from parts.deadline import holds_for, wait_until
from parts.envoy_config import Listener, plugin
from parts.s3_store import DOMAIN

REGIONS = ["here", "there", "elsewhere"]
SIGNING_KEYS = "wasmcustom.voussoir_signing_keys"
WAITING = "wasmcustom.voussoir_waiting_requests"


@pytest.fixture
def front(start_envoy, store_relay):
    cache = {"fresh": "1h", "stale": "4h"}
    config = plugin(token=None, sigv4={}, cache=cache, keyserver={"timeout": "20s"})
    with start_envoy({"s3": Listener(config)}, store_relay.port) as envoy:
        yield envoy


def request(bob, region):
    signed = signing.sign(bob, "GET", "/", region=region)
    return http1.encode("/", signed.headers, host=DOMAIN)


def gauge(front, name):
    return front.stats(name)[name]


def test_the_signing_keys_of_both_workers_count(front, bob):
    requests = [request(bob, region) for region in REGIONS]
    assert gauge(front, SIGNING_KEYS) == 0

    def both_hold_all():
        # Each on a connection of its own, so that either worker may get it.
        for one in requests:
            assert http1.in_turn(front.ports["s3"], [one])[0].status == 200
        return gauge(front, SIGNING_KEYS) == front.workers * len(REGIONS)

    wait_until(both_hold_all, f"{len(REGIONS)} keys in each worker", 20)
    # Workers that say the same again add nothing.
    all_of_them = front.workers * len(REGIONS)
    holds_for(lambda: gauge(front, SIGNING_KEYS) == all_of_them, "the sum", 2.5, pause=0.2)


def test_requests_that_wait_count_while_they_do(front, store_relay, bob):
    store_relay.hold()
    waiting = []
    try:
        for _ in range(20):
            waiting.append(http1.Connection(front.ports["s3"]))
            waiting[-1].send(request(bob, "waited-for"))
        wait_until(lambda: gauge(front, WAITING) == len(waiting), "all to be counted")
        # Those who go away wait no more.
        for connection in waiting[:5]:
            connection.socket.close()
        wait_until(lambda: gauge(front, WAITING) == len(waiting) - 5, "those who have gone")
    finally:
        store_relay.release()
    assert {connection.response().status for connection in waiting[5:]} == {200}
    wait_until(lambda: gauge(front, WAITING) == 0, "nobody to wait")
    for connection in waiting[5:]:
        connection.socket.close()
