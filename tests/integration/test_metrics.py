"""What the filter counts, as Envoy and Prometheus show it."""

import re

import pytest
import yaml

from parts import http1
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin


@pytest.fixture(scope="module")
def front(start_envoy, vector_keyserver, root):
    """An Envoy with the statistics' settings of envoy.yaml, as users copy them."""
    stats_config = yaml.safe_load((root / "envoy.yaml").read_text())["stats_config"]
    listeners = {
        "enforce": Listener(plugin(bypass=[{"path": "/healthcheck"}])),
        "anonymous": Listener(plugin(missing="anonymous")),
        "shadow": Listener(plugin(mode="shadow")),
        "whole": Listener(
            plugin(
                token={"identity": "records", "catalog": True},
                sigv4={},
                acl={"rules": [{"name": "Any-1_x", "action": "allow"}]},
                audit={"collector": {"cluster": "keyserver"}},
                hold_headers=True,
                schema=[
                    {"name": "Any-1_x.y", "compiled": {"voussoir_schema": 1}},
                    {"name": "absent", "digest": f"sha256:{'0' * 64}", "mode": "report"},
                ],
            )
        ),
        # Nobody asks here.
        "alone": Listener(
            plugin(token={"identity": "keystone"}, keystone={"cluster": "keyserver"})
        ),
    }
    with start_envoy(listeners, vector_keyserver.port, stats_config) as envoy:
        yield envoy


OUTCOMES = {
    "allowed",
    "answered",
    "rejected",
    "unavailable",
    "anonymous",
    "bypassed",
    "listener_check",
}


def series(envoy):
    """All of our series as Prometheus reads them."""
    lines = [line for line in envoy.admin("/stats/prometheus").splitlines() if "voussoir" in line]
    found = {}
    for line in lines:
        if match := re.fullmatch(r"(voussoir_\w+)\{(.*)\} (\d+)", line):
            labels = frozenset(re.findall(r'(\w+)="([^"]*)"', match[2]))
            found[match[1], labels] = int(match[3])
        else:
            assert line.startswith("# "), line
    return found


def labels(**values):
    return frozenset(values.items())


def requests(**values):
    return "voussoir_requests_total", labels(**values)


def test_every_request_is_counted_once_with_its_outcome(front, good_token):
    good, bad = [("x-auth-token", good_token)], [("x-auth-token", "bad")]
    sent = [
        ("enforce", "/", good, ("allowed", "none", "enforce")),
        ("enforce", "/", [], ("rejected", "token_missing", "enforce")),
        ("enforce", "/", bad, ("rejected", "token_malformed", "enforce")),
        ("enforce", "/healthcheck", [], ("bypassed", "none", "enforce")),
        ("anonymous", "/", [], ("anonymous", "token_missing", "enforce")),
        ("shadow", "/", bad, ("rejected", "token_malformed", "shadow")),
        ("shadow", "/", good, ("allowed", "none", "shadow")),
    ]
    for listener, path, headers, expected in sent:
        before = series(front)
        http1.get(front.ports[listener], path, headers)
        after = series(front)
        changed = {key: n - before[key] for key, n in after.items() if n != before[key]}
        changed = {key: n for key, n in changed.items() if key[0] == "voussoir_requests_total"}
        outcome, reason, mode = expected
        assert changed == {requests(outcome=outcome, reason=reason, mode=mode): 1}


def test_every_series_is_there_from_the_start(front, vectors):
    """A counter that appears with its first event shows no increase to Prometheus."""
    names = {name for name, _ in series(front)}
    assert names == {
        "voussoir_requests_total",
        "voussoir_key_fetches_total",
        "voussoir_keys",
        "voussoir_signing_key_fetches_total",
        "voussoir_signing_keys",
        "voussoir_signing_key_lookups_total",
        "voussoir_identity_fetches_total",
        "voussoir_identities",
        "voussoir_identity_lookups_total",
        "voussoir_catalog_fetches_total",
        "voussoir_catalogs",
        "voussoir_catalog_lookups_total",
        "voussoir_validation_fetches_total",
        "voussoir_validations",
        "voussoir_validation_lookups_total",
        "voussoir_revocation_loads_total",
        "voussoir_revocations",
        "voussoir_waiting_requests",
        "voussoir_feed_polls_total",
        "voussoir_feed_changes_total",
        "voussoir_feed_lag_milliseconds",
        "voussoir_listener_checks_total",
        "voussoir_acl_decisions_total",
        "voussoir_audit_events_total",
        "voussoir_audit_calls_total",
        "voussoir_audit_queue",
        "voussoir_schema_checks_total",
        "voussoir_schema_fetches_total",
    }
    outcomes = {dict(found)["outcome"] for name, found in series(front) if "requests_t" in name}
    assert outcomes == OUTCOMES
    for kind in ("signing_key", "identity", "catalog", "validation"):
        name = f"voussoir_{kind}_fetches_total"
        results = {dict(found)["result"] for other, found in series(front) if other == name}
        assert results == {"fetched", "denied", "failed"}
    results = {dict(found)["result"] for name, found in series(front) if "revocation_l" in name}
    assert results == {"loaded", "failed"}
    results = {dict(found)["result"] for name, found in series(front) if "listener" in name}
    assert results == {"sound", "changed", "not_reached"}
    decisions = [dict(found) for name, found in series(front) if "acl" in name]
    assert {(found["rule"], found["action"]) for found in decisions} == {
        ("Any-1_x", "allow"),
        ("default", "deny"),
    }
    assert all(found["mode"] == "enforce" for found in decisions)
    checks = [dict(found) for name, found in series(front) if "schema_c" in name]
    assert {(found["document"], found["mode"]) for found in checks} == {
        ("Any-1_x.y", "enforce"),
        ("absent", "report"),
    }
    assert {found["result"] for found in checks} > {"valid", "violated", "path_unknown"}
    reasons = {dict(found)["reason"] for name, found in series(front) if "requests_t" in name}
    assert reasons >= {v["expect"] for v in vectors["negative"] + vectors["envelope_negative"]}


def test_fetches_and_keys_are_counted(front):
    key = ("voussoir_key_fetches_total", labels(result="updated"))
    wait_until(lambda: series(front)[key] >= 1, "a fetch to be counted")
    # Each of the listeners holds them in both workers and in the main thread.
    held = 3 * len(front.ports) * (front.workers + 1)
    wait_until(lambda: series(front)["voussoir_keys", labels()] == held, f"{held} keys")


def test_lost_instances_are_counted_where_the_documentation_says(front, root):
    names = set(re.findall(r"(?m)^(\w+)\{", front.admin("/stats/prometheus")))
    text = (root / "docs/configuration.md").read_text()
    (documented,) = set(re.findall(r"`(envoy_wasm_\w+)`", text))
    # The plugin's name is part of it: `voussoir` in envoy.yaml, the listener's name here.
    assert {documented.replace("voussoir", name) for name in front.ports} <= names


def test_every_metric_outcome_and_result_is_documented_and_no_other(front, root):
    text = (root / "docs/configuration.md").read_text()
    rows = dict(re.findall(r"(?m)^\| `(voussoir_\w+)` \| \w+ \| (.*) \|$", text))
    assert set(rows) == {name for name, _ in series(front)}
    assert set(re.findall(r"`(\w+)`", rows["voussoir_requests_total"].split(";")[0])) == {
        "outcome",
        *OUTCOMES,
    }
    for name, row in rows.items():
        results = {dict(found).get("result") for other, found in series(front) if other == name}
        assert all(f"`{result}`" in row for result in results - {None})
