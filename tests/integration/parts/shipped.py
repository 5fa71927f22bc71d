"""The configurations that come with the project, as they are but for ports, paths and the bearer token."""

import json

import yaml

from parts.keyserver import BEARER_TOKEN
from parts.programs import ROOT


def shipped(name, module, ports, listen=0, **manager):
    """A configuration of the repository's top, for Envoy to be started with.

    `ports` has the port of each cluster. `manager` changes settings of the connection manager.
    """
    configuration = yaml.safe_load((ROOT / name).read_text())
    (wasm,) = wasm_configs(configuration)
    wasm["vm_config"]["code"]["local"]["filename"] = str(module)
    settings = json.loads(wasm["configuration"]["value"])
    settings["keyserver"]["bearer_token"] = BEARER_TOKEN
    wasm["configuration"]["value"] = json.dumps(settings)

    resources = configuration["static_resources"]
    (listener,) = resources["listeners"]
    listener["filter_chains"][0]["filters"][0]["typed_config"] |= manager
    _set_port(listener["address"], listen)
    _set_port(configuration["admin"]["address"], 0)
    for cluster in resources["clusters"]:
        (endpoints,) = cluster["load_assignment"]["endpoints"]
        (endpoint,) = endpoints["lb_endpoints"]
        _set_port(endpoint["endpoint"]["address"], ports[cluster["name"]])
    return configuration


def wasm_configs(value):
    """Every configuration of a Wasm plugin within a configuration of Envoy."""
    if isinstance(value, dict):
        found = [value["config"]] if str(value.get("@type")).endswith(".wasm.v3.Wasm") else []
        return found + [config for child in value.values() for config in wasm_configs(child)]
    if isinstance(value, list):
        return [config for child in value for config in wasm_configs(child)]
    return []


def _set_port(address, port):
    address["socket_address"]["port_value"] = port
