"""Two workers, one key set: what one fetched, both use."""

import time

import pytest

from parts import http1
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.keyserver import KeyServer


@pytest.fixture
def keyserver(keyserver_program, vector_keys, tmp_path):
    """A key server whose counters nobody else moves."""
    with KeyServer(keyserver_program, vector_keys, tmp_path / "keyserver") as keyserver:
        yield keyserver


def workers_used(envoy):
    """The workers that have had a connection."""
    connections = envoy.stats("downstream_cx_total")
    return [name for name, count in connections.items() if "worker_" in name and count]


def test_both_workers_use_what_one_call_fetched(start_envoy, keyserver, path, good_token):
    listener = Listener(plugin(cache={"fresh": "1s", "stale": "1h"}))
    with start_envoy({"enforce": listener}, keyserver.port) as envoy:

        def request():
            response = http1.get(envoy.ports["enforce"], path, [("x-auth-token", good_token)])
            assert response.status == 200
            return len(workers_used(envoy)) == 2

        wait_until(request, "both workers to be used")
        # Of two workers and the main thread, which all start at once, one has asked for keys. They may
        # have been confirmed since, which is another answer.
        assert keyserver.answers(200) == 1
        began, before = time.monotonic(), keyserver.answers()
        wait_until(lambda: request() and keyserver.answers() >= before + 4, "four more calls")
        # One call a second, a tenth less at most; three contexts on their own would make three.
        assert time.monotonic() - began >= 3 * 0.9
        assert keyserver.answers(304) >= 4
        assert keyserver.answers(200) == 1


def test_listeners_of_one_configuration_share_it_too(start_envoy, keyserver, path, good_token):
    listeners = {f"listener{number}": Listener(plugin()) for number in range(8)}
    with start_envoy(listeners, keyserver.port) as envoy:
        for port in envoy.ports.values():
            response = http1.get(port, path, [("x-auth-token", good_token)])
            assert response.status == 200
        assert keyserver.answers() == 1


def test_a_flood_of_forged_tokens_makes_few_calls(start_envoy, keyserver, path, vectors):
    forged = next(v["token"] for v in vectors["envelope_negative"] if v["name"] == "foreign_key")
    with start_envoy({"enforce": Listener(plugin())}, keyserver.port) as envoy:
        request = http1.encode(path, [("x-auth-token", forged)])
        end = time.monotonic() + 3
        count = 0
        while time.monotonic() < end:
            responses = http1.in_turn(envoy.ports["enforce"], [request] * 100)
            assert {response.status for response in responses} == {401}
            count += len(responses)
        assert count >= 300
        # Keys that were confirmed less than five seconds ago are new enough to refuse by.
        assert keyserver.answers() <= 1 + 1
