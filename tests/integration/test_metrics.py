"""What the filter counts, as Envoy and Prometheus show it, and what the dashboard and the alerts make of it."""

import json
import re

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

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
        "routed": Listener(
            plugin(
                acl={"rules": []},
                routes=[
                    {
                        "name": "open",
                        "to": [{"paths": ["/routed"]}],
                        "settings": {
                            "missing": "anonymous",
                            "acl": {"default": "allow"},
                            "schema": [
                                {
                                    "name": "routed",
                                    "compiled": {"voussoir_schema": 1},
                                    "mode": "report",
                                }
                            ],
                        },
                    }
                ],
            )
        ),
        "timed": Listener(plugin(metrics={"time_heads": True})),
        "held": Listener(
            plugin(hold_headers=True, require_complete_body=[{"path": "/held"}]),
            allow_on_headers_stop_iteration=True,
        ),
        # Nobody asks here, but for one.
        "alone": Listener(
            plugin(token={"identity": "keystone"}, keystone={"cluster": "keyserver"})
        ),
    }
    with start_envoy(listeners, vector_keyserver.port, stats_config) as envoy:
        yield envoy


SIGNED = [("authorization", "AWS4-HMAC-SHA256 x")]
OUTCOMES = {
    "allowed",
    "answered",
    "rejected",
    "unavailable",
    "anonymous",
    "bypassed",
    "listener_check",
}


def families(envoy):
    """All of our metrics as Prometheus reads them."""
    found = {}
    for family in text_string_to_metric_families(envoy.admin("/stats/prometheus")):
        # The parser calls counters as OpenMetrics does.
        name = family.name + ("_total" if family.type == "counter" else "")
        if name.startswith("voussoir_"):
            parts = ["_bucket", "_count", "_sum"] if family.type == "histogram" else [""]
            assert {sample.name for sample in family.samples} == {name + part for part in parts}
            found[name] = family
    return found


def series(envoy):
    """All of our series with their values; of a histogram, how often something was recorded."""
    return {
        (name, labels(**sample.labels)): int(sample.value)
        for name, family in families(envoy).items()
        for sample in family.samples
        if family.type != "histogram" or sample.name.endswith("_count")
    }


def labels(**values):
    return frozenset(values.items())


def requests(**values):
    return "voussoir_requests_total", labels(**values)


def test_every_request_is_counted_once_with_its_outcome(front, good_token):
    good, bad = [("x-auth-token", good_token)], [("x-auth-token", "bad")]
    sent = [
        ("enforce", "/", good, ("allowed", "none", "enforce", "token")),
        ("enforce", "/", [], ("rejected", "token_missing", "enforce", "none")),
        ("enforce", "/", bad, ("rejected", "token_malformed", "enforce", "token")),
        ("enforce", "/healthcheck", [], ("bypassed", "none", "enforce", "none")),
        ("anonymous", "/", [], ("anonymous", "token_missing", "enforce", "none")),
        ("shadow", "/", bad, ("rejected", "token_malformed", "shadow", "token")),
        ("shadow", "/", good, ("allowed", "none", "shadow", "token")),
        ("whole", "/", SIGNED, ("rejected", "signature_malformed", "enforce", "sigv4")),
    ]
    for listener, path, headers, expected in sent:
        before = series(front)
        http1.get(front.ports[listener], path, headers)
        after = series(front)
        changed = {key: n - before[key] for key, n in after.items() if n != before[key]}
        changed = {key: n for key, n in changed.items() if key[0] == "voussoir_requests_total"}
        names = ("outcome", "reason", "mode", "mechanism")
        assert changed == {requests(**dict(zip(names, expected, strict=True))): 1}


def test_every_series_is_there_from_the_start(front, vectors):
    """A counter that appears with its first event shows no increase to Prometheus."""
    names = {name for name, _ in series(front)}
    assert names == {
        "voussoir_requests_total",
        "voussoir_phase_microseconds",
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
    assert {(found["rule"], found["action"]) for found in decisions if "route" not in found} == {
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
    wait_for_keys(front)


def wait_for_keys(front):
    # Each of the listeners holds them in both workers and in the main thread.
    held = 3 * len(front.ports) * (front.workers + 1)
    wait_until(lambda: series(front)["voussoir_keys", labels()] == held, f"{held} keys")


def test_lost_instances_are_counted_where_the_documentation_says(front, root):
    names = set(re.findall(r"(?m)^(\w+)\{", front.admin("/stats/prometheus")))
    text = (root / "docs/configuration.md").read_text()
    (documented,) = set(re.findall(r"`(envoy_wasm_\w+)`", text))
    # The plugin's name is part of it: `voussoir` in envoy.yaml, the listener's name here.
    assert {documented.replace("voussoir", name) for name in front.ports} <= names


@pytest.fixture(scope="module")
def documented(root):
    """The rows of the tables of metrics: what each says of its labels."""
    rows = {}
    for name in ("configuration.md", "key-server.md"):
        text = (root / "docs" / name).read_text()
        rows |= dict(re.findall(r"(?m)^\| `(voussoir_\w+)` \| \w+ \| (.*) \|$", text))
    return rows


def test_every_metric_label_and_value_is_documented_and_no_other(front, documented):
    # Series of routes are there after the first request of each.
    assert http1.get(front.ports["routed"], "/routed").status == 200
    assert http1.get(front.ports["routed"], "/").status == 401
    documented = {name: row for name, row in documented.items() if "_keyserver_" not in name}
    found = families(front)
    assert set(documented) == set(found)
    for name, row in documented.items():
        named = set(re.findall(r"(?:^|; )`(\w+)`", row))
        samples = [sample.labels for sample in found[name].samples]
        assert {frozenset({*sample, *(named & {"route"})} - {"le"}) for sample in samples} == {
            frozenset(named)
        }
        assert set().union(*samples) - {"le"} == named, name
        for label in named & {"outcome", "result", "action", "mechanism", "phase"}:
            cell = re.search(rf"(?:^|; )`{label}`(.*?)(?:; `|$)", row)[1]
            values = {sample[label] for sample in samples}
            assert values <= set(re.findall(r"`(\w+)`", cell))
            assert label != "phase" or values == set(re.findall(r"`(\w+)`", cell))
    outcomes = re.search(r"`outcome`: (.*?);", documented["voussoir_requests_total"])[1]
    assert set(re.findall(r"`(\w+)`", outcomes)) == OUTCOMES


def test_phases_are_recorded_where_there_are_any(front, good_token):
    """A request that is decided at once costs no call for them, unless its head is to be timed."""

    def recorded(*phases):
        return [series(front)["voussoir_phase_microseconds", labels(phase=it)] for it in phases]

    def get(listener, status):
        answer = http1.get(front.ports[listener], "/", [("x-auth-token", good_token)])
        assert answer.status == status

    waits = ("keys", "validation", "waits")
    wait_for_keys(front)
    get("timed", 200)
    # So that what has been recorded so far is shown.
    wait_until(lambda: recorded("head") == [1], "a head")
    before = recorded(*waits)
    for _ in range(5):
        get("enforce", 200)
    get("timed", 200)
    # Whoever is asked knows no token.
    get("alone", 401)
    wait_until(lambda: recorded("head") == [2], "another head")
    wait_until(lambda: recorded("waits") > before[2:], "a wait")
    assert recorded(*waits) == [before[0], before[1] + 1, before[2] + 1]


def expressions(root):
    """All that the dashboard and the alerts ask Prometheus."""
    dashboard = json.loads((root / "deploy/grafana/voussoir.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    rules = yaml.safe_load((root / "deploy/prometheus/voussoir-rules.yaml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
            assert set(rule["annotations"]) == {"summary", "description"}
            yield rule["expr"]


def selectors(expression):
    """The metrics that are named in an expression, and what is asked of the labels of each."""
    for name, matchers in re.findall(r"\b((?:voussoir|envoy)_\w+)(?:\{([^}]*)\})?", expression):
        matchers = re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', matchers)
        yield name, [(label, value) for label, _, value in matchers if label != "instance"]


def test_the_dashboard_and_the_alerts_ask_for_what_there_is(front, root, documented):
    found = families(front)
    text = front.admin("/stats/prometheus").replace("envoy_wasm_enforce_", "envoy_wasm_voussoir_")
    asked = set()
    for expression in expressions(root):
        promql_parser.parse(expression.replace("$__rate_interval", "5m"))
        rows = ""
        for name, matchers in selectors(expression):
            if name.startswith("envoy_"):
                assert re.search(rf"(?m)^{name}\{{", text), name
                continue
            if name not in documented:
                name = re.sub(r"_(bucket|count|sum)$", "", name)
            asked.add(name)
            rows += documented[name]
            for label, value in matchers:
                assert f"`{label}`" in documented[name], expression
                # Without a value, whoever has no such label is meant.
                if name in found and value:
                    values = {sample.labels[label] for sample in found[name].samples}
                    assert set(value.split("|")) <= values, expression
        kept = re.findall(r"\bby \(([^)]*)\)", expression)
        kept = {label for labels in kept for label in labels.split(", ")} - {"instance", "le"}
        assert all(f"`{label}`" in rows for label in kept), expression
    # All there is of the filter is on the dashboard.
    assert set(found) <= asked
