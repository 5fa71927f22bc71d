"""Masses that wait for keys: what would cost the worker its VM if it were done in one go.

Envoy sends each local reply from within the end of the one before, on one stack: some three hundred
in one callback overflow it (docs/decisions/0005-resume-in-batches.md).
"""

import contextlib

import pytest

from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.http2 import Client

CONNECTIONS, STREAMS = 10, 100


@pytest.fixture
def relay(relay):
    """From the start, no answer comes through."""
    relay.hold()
    return relay


@pytest.fixture
def envoy(start_envoy, relay):
    listener = Listener(plugin(keyserver={"timeout": "30s"}))
    with start_envoy({"held": listener}, relay.port) as envoy:
        yield envoy


@pytest.fixture(scope="module")
def tokens(vectors, good_token):
    negative = {vector["name"]: vector["token"] for vector in vectors["envelope_negative"]}
    return {200: good_token, 401: negative["foreign_key"], 503: good_token}


@pytest.mark.parametrize("status", [200, 401, 503])
def test_a_thousand_that_wait_are_all_answered(envoy, relay, path, tokens, status):
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(Client(envoy.ports["held"], seconds=60)) for _ in range(CONNECTIONS)
        ]
        waiting = [
            (client, client.start(path, [("x-auth-token", tokens[status])]))
            for client in clients
            for _ in range(STREAMS)
        ]
        name = "http.held.downstream_rq_active"
        wait_until(lambda: envoy.stats(name)[name] == len(waiting), "all of them wait")
        if status == 503:
            relay.down()
        else:
            relay.release()
        assert {client.response(number).status for client, number in waiting} == {status}
