"""The project's own envoy-s3.yaml, as it is but for ports and paths: signed requests, as README.md
says, and the settings without which they would not match."""

import json
import re
import subprocess

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from parts import http1
from parts.deadline import wait_until
from parts.envoy import Envoy
from parts.identity import identity_headers
from parts.keyserver import KeyServer
from parts.ports import held
from parts.shipped import shipped


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The flags of a store of access keys."""
    directory = tmp_path_factory.mktemp("store")
    return "--store", f"sqlite:{directory}/access-keys.db", "--store-key", directory / "store-key"


@pytest.fixture(scope="module")
def access_key(keyserver_program, store):
    command = [keyserver_program, "keys", "create", *store, "--format", "json"]
    flags = ["--user-id", "alice", "--project-id", "photos", "--role", "member"]
    done = subprocess.run([*command, *flags], stdout=subprocess.PIPE, check=True)
    made = json.loads(done.stdout)
    return Credentials(made["access_key"], made["secret"])


@pytest.fixture(scope="module")
def keyserver(keyserver_program, vector_keys, store, access_key, tmp_path_factory):
    directory = tmp_path_factory.mktemp("keyserver")
    with KeyServer(keyserver_program, vector_keys, directory, *store) as keyserver:
        yield keyserver


@pytest.fixture(scope="module")
def start(envoy_program, module, keyserver, upstream, tmp_path_factory):
    """Starts an Envoy with envoy-s3.yaml, and with changes to its connection manager."""

    def start(**changes):
        # The listener and the cluster that leads back to it are both told of it before it is there.
        with held(1) as (listen,):
            ports = {"service": upstream.port, "keyserver": keyserver.port, "ingress": listen}
            configuration = shipped("envoy-s3.yaml", module, ports, listen, **changes)
            return Envoy(envoy_program, configuration, tmp_path_factory.mktemp("envoy"))

    return start


@pytest.fixture(scope="module")
def envoy(start):
    with start() as envoy:
        yield envoy


def signed(envoy, path, credentials, auth=S3SigV4Auth):
    """Sends a request that botocore signs."""
    port = envoy.ports["ingress"]
    request = AWSRequest("GET", f"http://127.0.0.1:{port}{path}")
    if auth is S3SigV4Auth:
        request.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
    auth(credentials, "s3", "us-east-1").add_auth(request)
    target = request.url.removeprefix(f"http://127.0.0.1:{port}")
    headers = [(name, value) for name, value in request.headers.items()]
    return http1.get(port, target, headers, host=f"127.0.0.1:{port}")


@pytest.mark.parametrize("auth", [S3SigV4Auth, S3SigV4QueryAuth])
def test_a_signed_request_names_its_user_project_and_roles(envoy, access_key, auth):
    answer = signed(envoy, "/photos/a%20b//../c%2Fd.jpg", access_key, auth)
    assert answer.status == 200
    headers = identity_headers(answer.json()["headers"])
    assert headers["x-user-id"] == "alice"
    assert headers["x-project-id"] == "photos"
    assert headers["x-roles"] == "member"
    assert headers["x-voussoir-access-key-id"] == access_key.access_key


def test_a_wrong_secret_is_told_what_a_right_one_would_have_signed(envoy, access_key):
    answer = signed(envoy, "/photos/cat.jpg", Credentials(access_key.access_key, "wrong"))
    assert answer.status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body
    assert b"<CanonicalRequest>GET\n/photos/cat.jpg\n" in answer.body
    assert b"<HostId>voussoir</HostId>" in answer.body


def test_a_request_that_is_not_signed_is_answered_as_s3_does(envoy):
    answer = http1.get(envoy.ports["ingress"], "/photos/cat.jpg")
    assert answer.status == 403
    assert b"<Code>AccessDenied</Code>" in answer.body


def test_the_access_log_does_not_show_the_signature_of_a_presigned_url(envoy, access_key):
    signed(envoy, "/photos/presigned.jpg", access_key, S3SigV4QueryAuth)
    line = "GET /photos/presigned.jpg 200 via_upstream"
    wait_until(lambda: line in envoy.log(), "the request to be logged")
    assert "X-Amz-Signature" not in envoy.log()


def test_the_listener_leaves_requests_as_they_are_signed(envoy):
    wait_until(lambda: "leaves requests as they are signed" in envoy.log(), "the listener check")


def test_without_the_settings_the_listener_check_says_which_are_missing(start):
    changes = {
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
        "strip_any_host_port": True,
    }
    with start(**changes) as envoy:
        wait_until(lambda: "THE LISTENER CHANGES" in envoy.log(), "the listener check")
        line = next(line for line in envoy.log().splitlines() if "THE LISTENER CHANGES" in line)
        for setting in changes:
            assert setting in line
        counter = re.compile(r'voussoir_listener_checks_total\{result="changed"\} [1-9]')
        wait_until(lambda: counter.search(envoy.admin("/stats/prometheus")), "the count")
