"""deploy/istio/wasmplugin.yaml: what Istio takes, and what the filter takes inside it."""

import copy
import json
import pathlib

import jsonschema
import pytest
import yaml

from parts.envoy import validate
from parts.envoy_config import Listener, bootstrap

SCHEMA = pathlib.Path(__file__).with_name("schemas") / "istio-wasmplugin.json"


@pytest.fixture(scope="module")
def documents(root):
    text = (root / "deploy/istio/wasmplugin.yaml").read_text()
    return [document for document in yaml.safe_load_all(text) if document]


@pytest.fixture(scope="module")
def wasm_plugin(documents):
    (found,) = [document for document in documents if document["kind"] == "WasmPlugin"]
    return found


def errors(document):
    """What Istio has against a document, by the path of the field."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    return {error.json_path: error.message for error in validator.iter_errors(document)}


def test_istio_takes_the_wasm_plugin(wasm_plugin):
    assert errors(wasm_plugin) == {}


def test_a_plugin_that_fails_lets_nothing_through(wasm_plugin):
    assert wasm_plugin["spec"]["failStrategy"] in ("FAIL_CLOSE", "FAIL_RELOAD")


def test_the_plugin_runs_before_authorisation(wasm_plugin):
    assert wasm_plugin["spec"]["phase"] == "AUTHN"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"failStratgy": "FAIL_RELOAD"}, "$.spec"),
        ({"failStrategy": "FAIL_CLOSED"}, "$.spec.failStrategy"),
        ({"phase": "AUTH"}, "$.spec.phase"),
        ({"url": ""}, "$.spec.url"),
        ({"sha256": "abc"}, "$.spec.sha256"),
        ({"priority": "10"}, "$.spec.priority"),
        ({"match": [{"mode": "INBOUND"}]}, "$.spec.match[0].mode"),
        ({"pluginConfig": "{}"}, "$.spec.pluginConfig"),
        ({"vm_config": {}}, "$.spec"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_mistake_in_the_wasm_plugin_would_be_noticed(wasm_plugin, change, path):
    changed = copy.deepcopy(wasm_plugin)
    changed["spec"] |= change
    assert list(errors(changed)) == [path]


def test_the_filter_takes_the_configuration_in_the_wasm_plugin(
    wasm_plugin, envoy_program, module, tmp_path
):
    """Istio hands it on as JSON in a StringValue."""
    listener = Listener(wasm_plugin["spec"]["pluginConfig"])
    configuration = bootstrap(
        module, {"istio": listener}, keyserver=1, upstream=1, access_log=tmp_path / "access.log"
    )
    is_valid, output = validate(envoy_program, configuration, tmp_path)
    assert is_valid, output


def test_every_yaml_file_to_deploy_is_yaml(root):
    files = list((root / "deploy").rglob("*.yaml"))
    assert files
    for file in files:
        for document in yaml.safe_load_all(file.read_text()):
            # Prometheus's own files are none of Kubernetes.
            is_prometheus = file.parent.name == "prometheus"
            expected = {"groups"} if is_prometheus else {"apiVersion", "kind", "metadata"}
            assert expected <= set(document), file
