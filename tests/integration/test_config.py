"""`envoy --mode validate` is the linter of the filter's configuration: it runs the filter on it."""

import json

import pytest
import yaml

from parts import http1
from parts.envoy import validate
from parts.envoy_config import Listener, bootstrap, plugin
from parts.identity import identity_headers
from parts.keyserver import BEARER_TOKEN
from parts.shipped import wasm_configs


@pytest.fixture
def check(envoy_program, module, tmp_path):
    """Whether Envoy takes a plugin's configuration, and what it says."""

    def check(config, **options):
        listener = Listener(config, **options)
        configuration = bootstrap(
            module, {"check": listener}, keyserver=1, upstream=1, access_log=tmp_path / "access.log"
        )
        if isinstance(config, str):
            wasm = wasm_configs(configuration)[0]
            wasm["configuration"]["value"] = config
        return validate(envoy_program, configuration, tmp_path)

    return check


def test_envoy_takes_the_projects_own_envoy_yaml(envoy_program, module, root, tmp_path):
    configuration = yaml.safe_load((root / "envoy.yaml").read_text())
    (wasm,) = wasm_configs(configuration)
    assert wasm["vm_config"]["code"]["local"]["filename"] == (
        "target/wasm32-wasip1/release/voussoir.wasm"
    )
    wasm["vm_config"]["code"]["local"]["filename"] = str(module)
    is_valid, output = validate(envoy_program, configuration, tmp_path)
    assert is_valid, output


def test_the_projects_own_envoy_yaml_refuses_when_the_filter_is_lost(root):
    (wasm,) = wasm_configs(yaml.safe_load((root / "envoy.yaml").read_text()))
    assert wasm["failure_policy"] == "FAIL_RELOAD"
    assert "fail_open" not in wasm


def test_a_listener_for_signatures_that_is_not_checked_is_told_what_it_must_have(check):
    is_valid, output = check(plugin(token=None, sigv4={}))
    assert is_valid, output
    # Once, and not for each instance of the filter.
    (line,) = (line for line in output.splitlines() if "listener_check.cluster is not set" in line)
    for setting in ("normalize_path: false", "merge_slashes: false", "strip_any_host_port"):
        assert setting in line
    checked = plugin(token=None, sigv4={"listener_check": {"cluster": "keyserver"}})
    assert "listener_check" not in check(checked)[1]


def test_envoy_takes_every_field(check):
    full = {
        "mode": "shadow",
        "keyserver": {
            "cluster": "keyserver",
            "authority": "keyserver.example:9311",
            "timeout": "250ms",
            "bearer_token": BEARER_TOKEN,
        },
        "token": {
            "www_authenticate_uri": "https://keystone.example/v3",
            "methods": ["password", "token"],
            "kinds": ["project", "application_credential", "trust"],
            "max_length": 1024,
            "forward": False,
            "identity": "records",
            "service_type": "compute",
            "service_token_roles": ["service", "admin"],
            "service_token_roles_required": False,
            "allow_expired_window": "24h",
            "catalog": True,
        },
        "missing": "anonymous",
        "bypass": [{"path": "/healthcheck", "methods": ["GET"]}, {"path_prefix": "/public/"}],
        "bypass_cors_preflight": True,
        "reason_header": "x-voussoir-reason",
        "cache": {"fresh": "5m", "stale": "1h"},
        "limits": {"parked": 16},
    }
    for is_struct in (False, True):
        is_valid, output = check(full, is_struct=is_struct)
        assert is_valid, output


# A few of each sort: the core's own tests go through all fields.
MISTAKES = {
    "an unknown field": (plugin(token={"kindz": ["project"]}), "token.kindz"),
    "an unknown field of a rule": (
        plugin(bypass=[{"path": "/a"}, {"paht": "/b"}]),
        "bypass[1].paht",
    ),
    "a duration without a unit": (plugin(cache={"fresh": "60"}), "cache.fresh"),
    "a number for a duration": (plugin(cache={"fresh": 60}), "cache.fresh"),
    "a header that would be split": (plugin(reason_header="x\r\ny"), "reason_header"),
    "a kind that no record tells the whole of": (
        plugin(token={"identity": "records", "kinds": ["restricted"]}),
        "token.kinds[0]",
    ),
    "a field of records without them": (plugin(token={"catalog": True}), "token.catalog"),
    "a missing field": ({**plugin(), "token": {}}, "www_authenticate_uri"),
    "a missing section": ({"token": plugin()["token"]}, "keyserver"),
}


@pytest.mark.parametrize(("config", "field"), MISTAKES.values(), ids=MISTAKES.keys())
def test_envoy_refuses_a_mistake_and_names_the_field(check, config, field):
    assert_refused(check(config), field)


def test_envoy_refuses_a_mistake_in_a_struct_and_names_the_field(check):
    assert_refused(check(plugin(token={"kindz": ["project"]}), is_struct=True), "token.kindz")


def assert_refused(result, field):
    is_valid, output = result
    assert not is_valid
    (line,) = [line for line in output.splitlines() if "configuration refused" in line]
    assert field in line.split("configuration refused", 1)[1]
    assert BEARER_TOKEN not in line


@pytest.mark.parametrize("text", ["", "mode: enforce", json.dumps(plugin()) + "}"])
def test_envoy_refuses_what_is_no_configuration_at_all(check, text):
    is_valid, output = check(text)
    assert not is_valid
    assert "configuration refused" in output


def test_a_struct_does_the_same_as_json(start_envoy, vector_keyserver, vectors, good_token, path):
    config = plugin(
        token={"max_length": 200, "forward": False},
        bypass=[{"path": "/open", "methods": ["GET"]}],
        reason_header="x-voussoir-reason",
    )
    listeners = {"json": Listener(config), "struct": Listener(config, is_struct=True)}
    long = next(v["token"] for v in vectors["positive"] if len(v["token"]) > 200)
    answers = {}
    with start_envoy(listeners, vector_keyserver.port) as envoy:
        for name, port in envoy.ports.items():
            accepted = http1.get(port, path, [("x-auth-token", good_token)])
            refused = http1.get(port, path, [("x-auth-token", long)])
            bypassed = http1.get(port, "/open")
            answers[name] = (
                identity_headers(accepted.json()["headers"]),
                "x-auth-token" in dict(accepted.json()["headers"]),
                (refused.status, refused.body, refused.header("x-voussoir-reason")),
                bypassed.status,
            )
    assert answers["json"] == answers["struct"]
    assert answers["json"][2][0] == 401
    assert answers["json"][3] == 200
