"""Shadow mode: everything is checked and counted, and every request passes."""

import pytest

from parts import http1
from parts.envoy_config import Listener, plugin
from parts.identity import identity_headers
from parts.impostor import Impostor

FORGED = [("x-user-id", "forged"), ("X_PROJECT_ID", "forged"), ("openstack-system-scope", "all")]


def refusals(vectors, good_token):
    """Headers that enforcing would refuse, by reason."""
    by_name = {v["name"]: v["token"] for v in vectors["positive"] + vectors["envelope_negative"]}
    tokens = {
        "token_missing": [],
        "token_malformed": ["bad"],
        "token_too_long": ["A" * 5000],
        "token_expired": [by_name["expired_in_2020"]],
        "token_not_authentic": [by_name["foreign_key"]],
        "token_kind_refused": [by_name["application_credential"]],
        "payload_malformed": [vectors["negative"][0]["token"]],
        "token_ambiguous": [good_token, "bad"],
    }
    return {why: [("x-auth-token", token) for token in some] for why, some in tokens.items()}


def counted(envoy, outcome, reason):
    name = f"voussoir_requests_total;outcome={outcome};reason={reason};mode=shadow"
    return sum(envoy.stats(name).values())


def test_what_would_be_refused_passes_without_an_identity_and_is_counted(
    envoy, path, vectors, good_token
):
    for reason, headers in refusals(vectors, good_token).items():
        before = counted(envoy, "rejected", reason)
        response = http1.get(envoy.ports["shadow"], path, [*FORGED, *headers])
        assert response.status == 200, reason
        arrived = response.json()["headers"]
        assert identity_headers(arrived) == {"x-identity-status": "Invalid"}, reason
        # The service has to look at the token itself: it travels on, whatever `forward` says.
        assert [[n, v] for n, v in arrived if n == "x-auth-token"] == [list(h) for h in headers]
        assert counted(envoy, "rejected", reason) == before + 1, reason


def test_what_would_be_allowed_passes_with_its_identity_and_its_token(envoy, path, good_token):
    before = counted(envoy, "allowed", "none")
    headers = [*FORGED, ("x-auth-token", good_token)]
    arrived = http1.get(envoy.ports["shadow"], path, headers).json()["headers"]
    assert identity_headers(arrived)["x-identity-status"] == "Confirmed"
    assert "forged" not in [value for _, value in arrived]
    assert ["x-auth-token", good_token] in arrived
    assert counted(envoy, "allowed", "none") == before + 1


@pytest.mark.parametrize("missing", ["reject", "anonymous"])
def test_what_cannot_be_known_passes_without_an_identity(start_envoy, path, good_token, missing):
    listener = Listener(plugin(mode="shadow", missing=missing))
    with (
        Impostor(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n") as impostor,
        start_envoy({"shadow": listener}, impostor.port) as envoy,
    ):
        headers = [*FORGED, ("x-auth-token", good_token)]
        response = http1.get(envoy.ports["shadow"], path, headers)
        assert response.status == 200
        assert identity_headers(response.json()["headers"]) == {"x-identity-status": "Invalid"}
        assert counted(envoy, "unavailable", "keys_unavailable") == 1
