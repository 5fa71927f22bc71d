"""The project's own envoy.yaml, as it is but for ports and paths, before the key server's demo."""

import json

import pytest

from parts import http1
from parts.envoy import Envoy
from parts.identity import identity_headers
from parts.keyserver import KeyServer
from parts.shipped import shipped


@pytest.fixture(scope="module")
def keyserver(keyserver_program, tmp_path_factory):
    directory = tmp_path_factory.mktemp("demo")
    with KeyServer(keyserver_program, None, directory) as keyserver:
        yield keyserver


@pytest.fixture(scope="module")
def tokens(keyserver):
    return json.loads((keyserver.directory / "demo/tokens.json").read_text())


@pytest.fixture(scope="module")
def port(envoy_program, module, keyserver, upstream, tmp_path_factory):
    ports = {"service": upstream.port, "keyserver": keyserver.port}
    configuration = shipped("envoy.yaml", module, ports)
    with Envoy(envoy_program, configuration, tmp_path_factory.mktemp("envoy")) as envoy:
        (port,) = envoy.ports.values()
        yield port


@pytest.mark.parametrize(
    ("name", "status"), [("good", 200), ("expired", 401), ("tampered", 401), ("foreign", 401)]
)
def test_the_demos_tokens_do_what_their_names_say(port, tokens, path, name, status):
    assert http1.get(port, path, [("x-auth-token", tokens[name])]).status == status


def test_the_demos_good_token_names_its_user_and_project(port, tokens, path):
    response = http1.get(port, path, [("x-auth-token", tokens["good"])])
    headers = identity_headers(response.json()["headers"])
    assert headers["x-user-id"] == "1" * 32
    assert headers["x-project-id"] == "2" * 32


def test_the_demos_health_check_needs_no_token(port, path):
    assert http1.get(port, "/healthcheck").status == 200
    assert http1.get(port, path).status == 401


def test_a_name_with_an_underscore_is_refused_altogether(port, tokens, path):
    headers = [("x-auth-token", tokens["good"]), ("x_user_id", "forged")]
    assert http1.get(port, path, headers).status == 400
