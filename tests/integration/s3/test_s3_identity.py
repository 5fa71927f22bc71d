"""What a service learns of a signed request: what Keystone itself says of its credential."""

import urllib.parse

import pytest

from parts import http1, signing
from parts.http2 import Client as Http2
from parts.identity import OWNED, identity_headers
from parts.s3_clients import boto3_client
from parts.s3_store import DOMAIN


@pytest.fixture(scope="module")
def zoe(cloud):
    """Someone whose name is not ASCII, as many are not."""
    return cloud.holder("Zoë Ångström")


def expected(cloud, holder):
    """The headers that Keystone's own view of a credential comes to; of roles, a set."""
    token = cloud.identity(holder)
    user, project = token["user"], token["project"]
    headers = {
        "x-identity-status": "Confirmed",
        "x-user-id": user["id"],
        "x-user-name": user["name"],
        "x-user-domain-id": user["domain"]["id"],
        "x-user-domain-name": user["domain"]["name"],
        "x-project-id": project["id"],
        "x-tenant-id": project["id"],
        "x-project-name": project["name"],
        "x-tenant-name": project["name"],
        "x-project-domain-id": project["domain"]["id"],
        "x-project-domain-name": project["domain"]["name"],
        "x-voussoir-access-key-id": holder.account.access,
    }
    return headers, {role["name"] for role in token["roles"]}


def identity(headers):
    """The headers that arrived, in the same form."""
    found = identity_headers(headers)
    roles = found.pop("x-roles").split(",")
    assert len(set(roles)) == len(roles), roles
    return {name: value.encode("latin-1").decode() for name, value in found.items()}, set(roles)


def signed_get(port, account, path, headers=()):
    signed = signing.sign(account, "GET", path)
    return http1.get(port, path, [*signed.headers, *headers], host=DOMAIN)


@pytest.mark.parametrize("way", ["echo", "echo_plain", "echo_early", "echo_through", "echo_both"])
def test_a_service_learns_what_keystone_says(front, cloud, alice, way, path):
    response = signed_get(front.ports[way], alice.account, path)
    assert response.status == 200, response
    headers, roles = identity(response.json()["headers"])
    assert (headers, roles) == expected(cloud, alice)
    # Of every origin, and none that is for the domain alone.
    names = {f"s3-{origin}" for origin in ("direct", "implied", "by-group", "inherited")}
    assert roles == names | {"member", "reader"}


def test_names_need_not_be_ascii(front, cloud, zoe, path):
    response = signed_get(front.ports["echo"], zoe.account, path)
    assert response.status == 200, response
    assert identity(response.json()["headers"]) == expected(cloud, zoe)


def test_so_it_does_over_http2(front, cloud, alice, path):
    signed = signing.sign(alice.account, "GET", path, host="service")
    with Http2(front.ports["echo"]) as client:
        response = client.get(path, signed.headers)
    assert identity(response.json()["headers"]) == expected(cloud, alice)


def test_so_it_does_of_a_presigned_url(front, cloud, alice, path):
    response = http1.get(front.ports["echo"], presigned(front, alice, path))
    assert identity(response.json()["headers"]) == expected(cloud, alice)


@pytest.mark.parametrize("way", ["echo", "echo_early"])
def test_what_a_client_claims_is_not_believed(front, cloud, alice, way, path):
    claims = [(name, "forged") for name in OWNED]
    claims += [(name.replace("-", "_"), "forged") for name in OWNED if "-" in name]
    response = signed_get(front.ports[way], alice.account, path, claims)
    assert response.status == 200, response
    assert identity(response.json()["headers"]) == expected(cloud, alice)


def test_credentials_travel_on_only_where_they_may(front, alice, path):
    for way, travels in (("echo", True), ("echo_plain", False), ("echo_early", False)):
        seen = signed_get(front.ports[way], alice.account, path).json()
        assert ("authorization" in dict(seen["headers"])) == travels
        seen = http1.get(front.ports[way], presigned(front, alice, path)).json()
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(seen["path"]).query)
        assert ("X-Amz-Signature" in query) == travels
        # What is no part of the signature stays.
        assert query["versionId"] == ["a b"]
        assert travels or set(query) == {"versionId"}


def test_a_listener_takes_tokens_and_signatures_but_not_both_at_once(
    front, cloud, keystone, alice, path
):
    scope = {"project": {"id": alice.project}}
    token = ("x-auth-token", keystone.user_token(alice.name, cloud.domain, scope))
    by_token = http1.get(front.ports["echo_both"], path, [token])
    by_signature = signed_get(front.ports["echo_both"], alice.account, path)
    for response in (by_token, by_signature):
        assert response.status == 200, response
        assert dict(response.json()["headers"])["x-user-id"] == alice.user
    # Both would be of the same user here, but that is nothing to rely on.
    both = signed_get(front.ports["echo_both"], alice.account, path + "/both", [token])
    assert both.status == 400, both
    # A listener for signatures has no use for a token.
    response = http1.get(front.ports["echo"], path, [token])
    assert (response.status, b"<Code>AccessDenied</Code>" in response.body) == (403, True)


def presigned(front, holder, path):
    """A URL for the host that http1 names."""
    s3 = boto3_client("http://service", holder.account)
    bucket, key = path[1:].split("/")
    parameters = {"Bucket": "bucket", "Key": f"{bucket}/{key}", "VersionId": "a b"}
    url = s3.generate_presigned_url("get_object", Params=parameters)
    s3.close()
    return url.removeprefix("http://service")
