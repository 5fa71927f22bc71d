"""Who may do what with a store: rules over buckets, keys and the holders of access keys."""

import botocore.exceptions
import pytest

from parts import http1, signing
from parts.envoy_config import Listener, plugin
from parts.s3_clients import boto3_client
from parts.s3_store import BUCKET, DOMAIN

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def bea(cloud):
    return cloud.holder("bea")


@pytest.fixture(scope="module")
def front(start_envoy, keystone_relay, s3s_fs, alice, bea):
    """Everybody may read, each of them write to a place of their own, and nobody to what is kept."""

    def place(name, holder):
        return {
            "name": name,
            "action": "allow",
            "to": [{"paths": [f"/{BUCKET}/{name}/**"]}],
            "when": [{"key": "access_key", "values": [holder.account.access]}],
        }

    rules = [
        {
            "name": "readers",
            "action": "allow",
            "to": [{"methods": ["GET", "HEAD"]}],
            "when": [{"key": "roles", "values": ["reader"]}],
        },
        place("alice", alice),
        place("bea", bea),
        {"name": "secret", "action": "deny", "to": [{"paths": [f"/{BUCKET}/secret/**"]}]},
        {
            "name": "kept",
            "action": "deny",
            "to": [{"methods": ["PUT", "POST", "DELETE"], "paths": [f"/{BUCKET}/*/kept/**"]}],
        },
    ]
    config = plugin(token=None, sigv4={"forward": False}, acl={"rules": rules})
    with start_envoy(
        {"s3": Listener(config, upstream="s3s")}, keystone_relay.port, s3s=s3s_fs.port
    ) as envoy:
        yield envoy


@pytest.fixture(scope="module")
def clients(front, alice, bea):
    endpoint = f"http://127.0.0.1:{front.ports['s3']}"
    made = {holder.name: boto3_client(endpoint, holder.account) for holder in (alice, bea)}
    yield made
    for client in made.values():
        client.close()


def denied(call, **options):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(Bucket=BUCKET, **options)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return caught.value.response["Error"]


def test_each_writes_to_a_place_of_their_own_and_all_read(clients):
    for name, client in clients.items():
        client.put_object(Bucket=BUCKET, Key=f"{name}/a b.txt", Body=name.encode())
    for client in clients.values():
        for name in clients:
            found = client.get_object(Bucket=BUCKET, Key=f"{name}/a b.txt")
            assert found["Body"].read() == name.encode()
    error = denied(clients["alice"].put_object, Key="bea/a b.txt", Body=b"mine now")
    assert (error["Code"], error["Message"]) == ("AccessDenied", "Access Denied")
    assert "StringToSign" not in error
    denied(clients["alice"].delete_object, Key="bea/a b.txt")
    denied(clients["bea"].put_object, Key="elsewhere.txt", Body=b"x")
    found = clients["alice"].get_object(Bucket=BUCKET, Key="bea/a b.txt")
    assert found["Body"].read() == b"bea"


def test_what_is_denied_is_so_in_every_spelling_and_for_every_body(clients, front, alice):
    for key in ("alice/kept/x", "alice/./kept/x", "alice//kept/x", "alice/kept;v=1/x", "alice/%6bept"):
        denied(clients["alice"].put_object, Key=key, Body=b"x" * 100_000)
    path = f"/{BUCKET}/alice/kept/y"
    url = clients["alice"].generate_presigned_url(
        "put_object", Params={"Bucket": BUCKET, "Key": "alice/kept/y"}
    )
    target = url.split(str(front.ports["s3"]), 1)[1]
    host = f"127.0.0.1:{front.ports['s3']}"
    answer = http1.get(front.ports["s3"], target, method="PUT", body=b"x", host=host)
    assert answer.status == 403
    assert b"<Code>AccessDenied</Code>" in answer.body
    assert front.details(target) == "voussoir_acl_denied[kept]"
    # The list is asked about genuine requests only.
    other = signing.sign(alice.account, "PUT", f"/{BUCKET}/alice/y", body=b"x")
    answer = http1.get(
        front.ports["s3"], path, other.headers, method="PUT", body=b"x", host=DOMAIN
    )
    assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body
    assert front.details(path) == "voussoir_signature_wrong"


def test_a_copy_is_a_reading_too(clients, s3s_fs):
    """What may not be read cannot be copied to where it may."""
    clients["alice"].put_object(Bucket=BUCKET, Key="alice/open", Body=b"open")
    copied = {"Bucket": BUCKET, "Key": "alice/open"}
    clients["alice"].copy_object(Bucket=BUCKET, Key="alice/copy", CopySource=copied)
    # The store itself takes from anybody what is not signed.
    stored = http1.get(s3s_fs.port, f"/{BUCKET}/secret/plan", method="PUT", body=b"x", host=DOMAIN)
    assert stored.status == 200
    denied(clients["alice"].get_object, Key="secret/plan")
    for source in ("secret/plan", "secret/./plan", "x/../secret/plan"):
        copied = {"Bucket": BUCKET, "Key": source}
        denied(clients["alice"].copy_object, Key="alice/copy", CopySource=copied)
