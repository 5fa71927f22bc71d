"""A key server that is killed and started anew, under load: nobody who was there is refused, whoever lost
access meanwhile is refused soon after, and all is as before within two seconds."""

import signal
import threading
import time

import pytest

from parts import http1, signing
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.relay import Relay
from parts.s3_clients import Account
from parts.s3_store import DOMAIN

pytestmark = pytest.mark.timeout(180)

POLL, CHANGE_POLL = 0.5, 0.5
# For ten times as long as anything stays fresh, in seconds.
FRESH, AWAY = 1, 10
# Two seconds, and what this machine takes.
BACK = 2 + 1
NOBODY = Account("0" * 31 + "7", "f" * 32)


@pytest.fixture(scope="module")
def start(serve_keystone):
    return lambda: serve_keystone("--change-poll", f"{int(CHANGE_POLL * 1000)}ms")


def signed(front, account):
    """The status of a request that is signed."""
    request = signing.sign(account, "GET", "/")
    return http1.get(front.ports["front"], "/", request.headers, host=DOMAIN).status


def with_token(front, token):
    return http1.get(front.ports["front"], "/", [("x-auth-token", token)]).status


class Load:
    """Threads that send requests as fast as the answers come."""

    def __init__(self, *requests):
        self.statuses = [[] for _ in requests]
        self.stop = threading.Event()
        pairs = zip(requests, self.statuses, strict=True)
        self.threads = [threading.Thread(target=self._work, args=pair) for pair in pairs]

    def _work(self, request, statuses):
        while not self.stop.is_set():
            statuses.append(request())

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until(lambda: all(len(found) > 30 for found in self.statuses), "some load")
        return self

    def __exit__(self, *exception):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def test_a_key_server_that_is_killed_costs_nobody_who_was_there(start, start_envoy, cloud, figures):
    def token(holder):
        return cloud.keystone.user_token(
            holder.name, cloud.domain, {"project": {"id": cloud.project}}
        )

    warm, doomed, new = (cloud.holder(f"{name}-in-an-outage") for name in ("warm", "doomed", "new"))
    tokens = {holder.name: token(holder) for holder in (warm, doomed, new)}
    config = plugin(
        token={"identity": "records"},
        sigv4={},
        cache={"fresh": f"{FRESH}s", "stale": "1h", "negative": "1s"},
        keyserver={"poll": f"{int(POLL * 1000)}ms", "timeout": "500ms"},
    )
    keyserver = start()
    try:
        with (
            Relay(keyserver.port) as way,
            start_envoy({"front": Listener(config)}, way.port) as front,
        ):

            def get(holder):
                return {signed(front, holder.account), with_token(front, tokens[holder.name])}

            for holder in (warm, doomed):
                wait_until(
                    lambda it=holder: all(get(it) == {200} for _ in range(10)), "all to be warm"
                )
            requests = [
                lambda: signed(front, warm.account),
                lambda: with_token(front, tokens[warm.name]),
            ]
            with Load(*requests * 2) as load:
                keyserver.stop(signal.SIGKILL)
                killed = time.monotonic()
                # It does not hear of this.
                cloud.keystone.call("PATCH", f"/users/{doomed.user}", {"user": {"enabled": False}})
                while time.monotonic() < killed + AWAY:
                    assert signed(front, NOBODY) == 503
                    assert get(new) == {503}
                    time.sleep(0.5)
                assert get(doomed) == {200}, "nobody can know"
                served = sum(map(len, load.statuses))
                keyserver = start()
                way.target = keyserver.port
                back = time.monotonic()
                wait_until(lambda: get(new) == {200}, "the new one to be served", BACK)
                wait_until(lambda: signed(front, NOBODY) == 403, "a word on nobody", BACK)
                normal = time.monotonic() - back
                assert normal < BACK

                def is_refused():
                    found = [get(doomed) for _ in range(10)]
                    return all(statuses == {401, 403} for statuses in found)

                wait_until(is_refused, "who lost access meanwhile to be refused", BACK + 5)
                refused = time.monotonic() - back
                # Until the key server is found to be back, and two periods from there.
                assert refused < 2 + 2 * (POLL + CHANGE_POLL) + 1
                time.sleep(1)
            assert {status for found in load.statuses for status in found} == {200}
            workers = front.stats("downstream_cx_total")
            used = [name for name, count in workers.items() if "worker_" in name and count]
            assert len(used) == front.workers
            figures["a key server that is killed and started anew"] = [
                f"{served} requests of those who were there meanwhile; new ones were served {normal:.1f} s "
                f"after it was back, and who lost access was refused after {refused:.1f} s"
            ]
    finally:
        keyserver.stop()
