"""Keys over mutual TLS: both sides check each other, and without that there are no keys."""

import pytest

from parts import http1
from parts.certificates import Authority
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin, tls
from parts.keyserver import KeyServer

NAME = "keyserver.example"


@pytest.fixture
def authorities(tmp_path):
    return Authority(tmp_path, "servers"), Authority(tmp_path, "clients")


def test_keys_travel_over_mutual_tls_and_not_without(
    authorities, keyserver_program, vector_keys, start_envoy, tmp_path, path, good_token
):
    servers, clients = authorities
    certificate, key = servers.issue(NAME)
    options = ["--tls-certificate", certificate, "--tls-private-key", key]
    shown = dict(zip(("certificate", "private_key"), clients.issue("edge"), strict=True))
    forged = dict(zip(("certificate", "private_key"), servers.issue("edge"), strict=True))
    edges = {
        "mutual": tls(ca=servers.path, name=NAME, **shown),
        "no-certificate": tls(ca=servers.path, name=NAME),
        "anothers-certificate": tls(ca=servers.path, name=NAME, **forged),
        "not-the-servers-authority": tls(ca=clients.path, name=NAME, **shown),
        "not-the-servers-name": tls(ca=servers.path, name="elsewhere.example", **shown),
        "no-tls": None,
    }
    listeners = {name: Listener(plugin(keyserver={"cluster": name})) for name in edges}
    with KeyServer(
        keyserver_program, vector_keys, tmp_path, *options, "--client-ca", clients.path
    ) as keyserver:
        assert keyserver.url.startswith("https://")
        ports = {name: (keyserver.port, socket) for name, socket in edges.items()}
        with start_envoy(listeners, ports) as envoy:
            statuses = {
                name: http1.get(port, path, [("x-auth-token", good_token)]).status
                for name, port in envoy.ports.items()
            }
            assert statuses == {name: 200 if name == "mutual" else 503 for name in edges}
            wait_until(lambda: "answered 403" in envoy.log(), "the log to say why")
