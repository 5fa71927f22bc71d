"""Clients of S3 as people use them, with EC2 credentials of a real Keystone, before real stores."""

import contextlib
import os

import pytest

from parts import s3_clients, s3_programs
from parts.recorder import Recorder
from parts.s3_clients import LARGE, Account, Refused
from parts.s3_store import BUCKET

WAYS = ["s3s", "s3s_early", "seaweedfs", "through"]
CLIENTS = {
    "boto3": s3_clients.Boto3,
    "minio": s3_clients.Minio,
    "aws": s3_programs.AwsCli,
    "s3cmd": s3_programs.S3cmd,
    "rclone": s3_programs.Rclone,
    "curl": s3_programs.Curl,
    "javascript": s3_programs.JavaScript,
}


@pytest.fixture(params=CLIENTS)
def connect(request, front, tmp_path):
    """Makes a client of one kind for a listener and an account."""
    with contextlib.ExitStack() as clients:

        def make(way, account):
            client = CLIENTS[request.param](front.ports[way], account, tmp_path / "client")
            clients.callback(client.close)
            return client

        yield make


@pytest.mark.parametrize("way", WAYS)
def test_objects_come_and_go(connect, way, alice, path):
    client = connect(way, alice.account)
    # Odder keys are in test_s3_requests.py: s3s-fs and some clients spoil them in lists.
    contents = {f"{path[1:]}/{size} bytes, ö.bin": os.urandom(size) for size in (11, LARGE)}
    for key, data in contents.items():
        client.put(BUCKET, key, data)
    for key, data in contents.items():
        assert client.get(BUCKET, key) == data
    small, large = contents
    assert sorted(client.keys(BUCKET, path[1:] + "/")) == [small, large]
    client.delete(BUCKET, small)
    assert client.keys(BUCKET, path[1:] + "/") == [large]


def test_a_wrong_secret_is_refused_in_each_clients_own_words(connect, alice, s3s_fs, path):
    client = connect("s3s", alice.account.with_secret("f" * 32))
    assert refusals(client, path) == {"SignatureDoesNotMatch"}
    assert s3s_fs.request("GET", f"/{BUCKET}{path}")[0] == 404


def test_an_unknown_access_key_is_refused_in_each_clients_own_words(connect, alice, s3s_fs, path):
    client = connect("s3s", Account("f" * 32, alice.account.secret))
    assert refusals(client, path) == {"InvalidAccessKeyId"}
    assert s3s_fs.request("GET", f"/{BUCKET}{path}")[0] == 404


def refusals(client, path):
    """What a client says of refusals of a body and of a query."""
    said = set()
    operations = [
        lambda: client.put(BUCKET, path[1:], b"data"),
        lambda: client.keys(BUCKET, path[1:]),
    ]
    for operation in operations:
        with pytest.raises(Refused) as refused:
            operation()
        said.add(refused.value.code)
    return said


@pytest.mark.parametrize("way", ["s3s", "through"])
def test_restic_signs_each_chunk(front, alice, way, path, tmp_path):
    """As other programs in Go do over plain HTTP."""
    contents = os.urandom(300_000)
    with Recorder(front.ports[way]) as recorder:
        restic = s3_programs.Restic(recorder.port, alice.account, tmp_path)
        restic.back_up(BUCKET, path[1:], contents)
        assert restic.restore(BUCKET, path[1:]) == contents
    forms = [head["x-amz-content-sha256"] for _, head in recorder.requests]
    # The key, the configuration, the snapshot, its data and its index.
    assert forms.count("STREAMING-AWS4-HMAC-SHA256-PAYLOAD") >= 5
