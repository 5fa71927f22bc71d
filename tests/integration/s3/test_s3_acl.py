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
    listeners = {"s3": {"rules": rules}, "operations": operations(alice)}
    listeners = {
        name: Listener(plugin(token=None, sigv4={"forward": False}, acl=acl), upstream="s3s")
        for name, acl in listeners.items()
    }
    with start_envoy(listeners, keystone_relay.port, s3s=s3s_fs.port) as envoy:
        yield envoy


def operations(alice):
    """Alice does in her home what one is for, and in her other bucket everything but delete."""
    own = {"key": "access_key", "values": [alice.account.access]}
    objects = ["GetObject", "HeadObject", "PutObject", "CopyObject", "DeleteObject", "ListObjects*"]
    uploads = ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "ListParts"]
    home = {"operations": [*objects, *uploads], "buckets": [BUCKET], "keys": ["home/{key}/**"]}
    return {
        "s3_hosts": [DOMAIN, "127.0.0.1"],
        "rules": [
            {
                "name": "home",
                "action": "allow",
                "to": [home],
                "when": [{"key": "access_key", "values": ["{key}"]}],
            },
            {
                "name": "public",
                "action": "allow",
                "to": [{"operations": ["GetObject"], "buckets": [BUCKET], "keys": ["public/**"]}],
            },
            {
                "name": "other",
                "action": "allow",
                "to": [{"buckets": ["other-*"]}],
                "when": [own],
            },
            {
                "name": "kept",
                "action": "deny",
                "to": [{"operations": ["DeleteObject*"], "buckets": ["other-*"]}],
            },
        ],
    }


@pytest.fixture(scope="module")
def clients(front, alice, bea):
    endpoint = f"http://127.0.0.1:{front.ports['s3']}"
    made = {holder.name: boto3_client(endpoint, holder.account) for holder in (alice, bea)}
    yield made
    for client in made.values():
        client.close()


@pytest.fixture(scope="module")
def client(front, alice):
    """A client of the second listener."""
    made = boto3_client(f"http://127.0.0.1:{front.ports['operations']}", alice.account)
    yield made
    made.close()


def denied(call, **options):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**{"Bucket": BUCKET, **options})
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


def test_rules_by_operation_bucket_and_key(client, alice):
    home = f"home/{alice.account.access}"
    client.put_object(Bucket=BUCKET, Key=f"{home}/a bä.txt", Body=b"one")
    found = client.list_objects_v2(Bucket=BUCKET, Prefix=f"{home}/")
    assert [entry["Key"] for entry in found["Contents"]] == [f"{home}/a bä.txt"]
    source = {"Bucket": BUCKET, "Key": f"{home}/a bä.txt"}
    client.copy_object(Bucket=BUCKET, Key=f"{home}/copy", CopySource=source)
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=f"{home}/parts")["UploadId"]
    which = {"Bucket": BUCKET, "Key": f"{home}/parts", "UploadId": upload}
    part = client.upload_part(**which, PartNumber=1, Body=b"two")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    client.complete_multipart_upload(**which, MultipartUpload=parts)
    assert client.get_object(Bucket=BUCKET, Key=f"{home}/parts")["Body"].read() == b"two"
    client.delete_object(Bucket=BUCKET, Key=f"{home}/copy")

    denied(client.put_object, Key="home/other/a", Body=b"x")
    denied(client.put_object, Key="public/a", Body=b"x")
    denied(client.list_objects_v2, Prefix=home)
    denied(client.list_objects_v2)
    denied(client.get_object_tagging, Key=f"{home}/parts")
    denied(client.abort_multipart_upload, Key=f"{home}/parts", UploadId="1")
    # The keys are in the body.
    denied(client.delete_objects, Delete={"Objects": [{"Key": f"{home}/parts"}]})
    source = {"Bucket": BUCKET, "Key": "home/other/a"}
    denied(client.copy_object, Key=f"{home}/copy", CopySource=source)
    denied(client.create_bucket, Bucket="new")


def test_a_rule_for_a_bucket_is_for_all_of_it_that_is_not_denied(client, s3s_fs):
    http1.get(s3s_fs.port, "/other-1", method="PUT", host="127.0.0.1")
    client.put_object(Bucket="other-1", Key="a//b", Body=b"x")
    found = client.list_objects_v2(Bucket="other-1")
    assert found["KeyCount"] == 1
    for call in (client.delete_object, client.delete_object_tagging):
        denied(call, Bucket="other-1", Key="a//b")
    denied(client.delete_objects, Bucket="other-1", Delete={"Objects": [{"Key": "a"}]})


def test_what_is_no_operation_is_allowed_to_nobody(front, alice):
    home = f"/{BUCKET}/home/{alice.account.access}"
    for path, status in (
        (f"{home}/x", 404),
        (f"{home}/x?acl", 403),
        (f"{home}/x?acl&tagging", 403),
        (f"{home}/x?unheard-of", 403),
        (f"{home}/x?x-id=PutObject", 403),
        (f"{home}//x", 403),
        (f"/{BUCKET}/public/../home/x", 403),
        (f"/{BUCKET}/public/x", 404),
        (f"/{BUCKET}/public%2Fx", 404),
        (f"/{BUCKET}%2Fpublic/x", 403),
    ):
        signed = signing.sign(alice.account, "GET", path)
        answer = http1.get(front.ports["operations"], path, signed.headers, host=DOMAIN)
        assert answer.status == status, (path, front.details(path))


def test_a_bucket_in_the_host_is_one_where_that_is_named(front, alice):
    key = f"/home/{alice.account.access}/by-host"
    for host, path, status in (
        (f"{BUCKET}.{DOMAIN}", key, 200),
        (f"{BUCKET}.{DOMAIN}", f"/{BUCKET}{key}", 403),
        (f"other.{DOMAIN}", key, 403),
        (f"{BUCKET}.elsewhere.example", key, 403),
        (f"{BUCKET}.{DOMAIN}.", key, 403),
        (DOMAIN, key, 403),
    ):
        signed = signing.sign(alice.account, "PUT", path, body=b"x", host=host)
        port = front.ports["operations"]
        answer = http1.get(port, path, signed.headers, method="PUT", body=b"x", host=host)
        assert answer.status == status, (host, path, front.details(path))
