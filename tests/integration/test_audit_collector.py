"""The audit log's collector: what it does, or does not do, is no request's concern."""

import contextlib

import pytest

from parts import cadf, http1
from parts.collector import QUEUE, Collector
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.ports import held

pytestmark = pytest.mark.timeout(300)


def counted(envoy, metric):
    """By result, what the audit log counts."""
    found = {}
    for name, count in envoy.stats(f"voussoir_audit_{metric}").items():
        result = name.split("result=")[-1]
        found[result] = found.get(result, 0) + count
    return found


@contextlib.contextmanager
def held_up(collector, how):
    """A collector that takes nothing."""
    if how == "silent":
        collector.hold()
    else:
        collector.status = {"failing": 503, "breaking": None}[how]
    try:
        yield
    finally:
        collector.status = 204
        collector.release()


@pytest.mark.parametrize("how", ["breaking", "closed", "failing", "silent"])
def test_a_collector_that_is_away_delays_and_loses_no_request(
    start_envoy, pair, issued, path, how
):
    count = 300
    config = plugin(token={"identity": "records"}, audit={"collector": QUEUE})
    with contextlib.ExitStack() as stack:
        if how == "closed":
            (port,) = stack.enter_context(held(1))
        else:
            collector = stack.enter_context(Collector())
            port = collector.port
        listeners = {"audited": Listener(config)}
        envoy = stack.enter_context(start_envoy(listeners, pair.keyserver.port, collector=port))
        good = [("x-auth-token", issued["project_scoped"])]
        assert http1.get(envoy.ports["audited"], f"{path}/first", good).status == 200
        with held_up(collector, how) if how != "closed" else contextlib.nullcontext():
            requests = [http1.encode(f"{path}/{n}", good) for n in range(count)]
            answers = http1.in_turn(envoy.ports["audited"], requests)
            assert [answer.status for answer in answers] == [200] * count
            # All of them were answered, and the collector has not taken one.
            if how != "closed":
                assert not collector.events(f"{path}/1")

            def all_counted():
                events = counted(envoy, "events")
                return events["recorded"] == count + 1 and events

            events = wait_until(all_counted, "all events to be counted")
            assert events["dropped_full"] > 0, "64 KiB are not enough for so many"
            wait_until(lambda: counted(envoy, "calls")["failed"] > 0, "a call to fail")
        # What waited is delivered, and each event was sent, was dropped, or waits.
        if how != "closed":
            wait_until(lambda: counted(envoy, "queue")["wasmcustom.voussoir_audit_queue"] == 0,
                       "the queue to be empty", seconds=40)
            delivered = [event["requestPath"] for event in collector.events(path)]
            # The first of each worker, in order: the newest were dropped.
            numbers = [int(p.rsplit("/", 1)[1]) for p in delivered if not p.endswith("first")]
            events = counted(envoy, "events")
            assert events["sent"] == len(delivered)
            assert events["sent"] + events["dropped_full"] == events["recorded"]
            assert numbers == list(range(len(numbers)))
            for event in collector.events(path):
                cadf.read(event)
        else:
            assert events["sent"] == 0
        assert (counted(envoy, "calls")["taken"] > 0) == (how != "closed")
        assert "events could not be sent" in envoy.log()
