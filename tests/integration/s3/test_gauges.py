"""Gauges that are sums: what each worker holds counts, not what the last one that said something holds. And
what is counted of lookups, each in its place."""

import pytest

from parts import http1, signing
from parts.deadline import holds_for, wait_until
from parts.envoy_config import Listener, plugin
from parts.s3_store import DOMAIN

REGIONS = ["here", "there", "elsewhere"]
SIGNING_KEYS = "wasmcustom.voussoir_signing_keys"
LOOKUPS = "wasmcustom.voussoir_signing_key_lookups_total"
FEED_LAG = "wasmcustom.voussoir_feed_lag_milliseconds"
WAITING = "wasmcustom.voussoir_waiting_requests"


@pytest.fixture
def front(start_envoy, store_relay):
    cache = {"fresh": "1h", "stale": "4h"}
    config = plugin(token=None, sigv4={}, cache=cache, keyserver={"timeout": "20s"})
    with start_envoy({"s3": Listener(config)}, store_relay.port) as envoy:
        envoy.wait_for_the_feed()
        yield envoy


def request(bob, region):
    signed = signing.sign(bob, "GET", "/", region=region)
    return http1.encode("/", signed.headers, host=DOMAIN)


def lookups(front):
    """How many there were so far, by what came of them."""
    prefix = f"{LOOKUPS};result="
    return {name.removeprefix(prefix): count for name, count in front.stats(prefix).items()}


def counted(front, before):
    """What has changed since."""
    after = lookups(front)
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


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


def test_each_lookup_is_counted_as_what_it_was(front, bob):
    region = request(bob, "counted")
    before = lookups(front)
    # Over one connection, so at one worker: a key that nobody has, and the same again.
    with http1.Connection(front.ports["s3"]) as connection:
        for expected in ({"searched": 1}, {"searched": 1, "fresh": 1}):
            connection.send(region)
            assert connection.response().status == 200
            wait_until(lambda it=expected: counted(front, before) == it, expected)

        # The other worker finds it in shared data. Each connection is either's.
        sent = 0
        expected = {"searched": 2, "shared": 1}
        while sent < 50:
            assert http1.in_turn(front.ports["s3"], [region])[0].status == 200
            sent += 1
            # All but the one were hits, whichever worker had them.
            hits = sent + 1
            wait_until(
                lambda it=hits: sum(counted(front, before).values()) >= it + 1, "all to be counted"
            )
            if "shared" in counted(front, before):
                break
        # The last one may not be counted yet: one that was found in shared data counted twice.
        everything = expected | {"fresh": sent}
        wait_until(lambda: counted(front, before) == everything, everything)


def test_the_lag_of_the_feed_is_about_a_poll_period_and_grows_in_silence(front, store_relay):
    # Of two seconds; a worker tells once a second.
    wait_until(lambda: 0 <= gauge(front, FEED_LAG) <= 4500, "the feed")
    holds_for(lambda: gauge(front, FEED_LAG) <= 4500, "about a poll period", 3, pause=0.2)
    store_relay.hold()
    try:
        wait_until(lambda: gauge(front, FEED_LAG) > 6000, "the lag to grow", 12)
    finally:
        store_relay.release()
    wait_until(lambda: gauge(front, FEED_LAG) <= 4500, "the feed again", 25)
