"""AWS's own signer for Rust, the crate aws-sigv4: core/examples/aws_sigv4_sign.rs signs with it."""

import json
import subprocess
import time
import urllib.parse

import pytest

from parts import http1
from parts.s3_clients import REGION
from parts.s3_store import BUCKET, DOMAIN


class Signer:
    """Sends requests of an account that the crate signs, in its headers or its query."""

    def __init__(self, program, port, account, expires_in):
        self.program, self.port, self.account = program, port, account
        self.expires_in = expires_in

    def send(self, method, path, headers=(), body="", secret=None):
        request = {
            "method": method,
            "url": f"http://{DOMAIN}{path}",
            "headers": [*headers],
            "body": body,
            "access_key": self.account.access,
            "secret": secret or self.account.secret,
            "session_token": self.account.token,
            "region": REGION,
            "time": int(time.time()),
            "expires_in": self.expires_in,
        }
        text = json.dumps(request)
        done = subprocess.run(
            [self.program], input=text, stdout=subprocess.PIPE, text=True, check=True
        )
        signed = json.loads(done.stdout)
        assert bool(signed["parameters"]) == (self.expires_in is not None)
        headers = [*headers, *signed["headers"]]
        if signed["parameters"]:
            quote = urllib.parse.quote
            pairs = (f"{name}={quote(value, safe='')}" for name, value in signed["parameters"])
            path += ("&" if "?" in path else "?") + "&".join(pairs)
        options = {"method": method, "host": DOMAIN, "body": body.encode()}
        return http1.get(self.port, path, headers, **options)


@pytest.fixture(params=["header", "presigned"])
def connect(request, aws_signer, front):
    """Makes a signer for a listener and an account."""
    expires_in = 60 if request.param == "presigned" else None
    return lambda way, account: Signer(aws_signer, front.ports[way], account, expires_in)


@pytest.mark.parametrize("way", ["s3s", "s3s_early", "seaweedfs", "through"])
def test_an_object_comes_and_goes(connect, way, alice, path):
    client, key = connect(way, alice.account), f"/{BUCKET}{path}/a%20%2B%C3%B6%28%29~.txt"
    meta = [("content-type", "text/x-odd; a=b"), ("x-amz-meta-of", "a  b")]
    response = client.send("PUT", key, meta, body="signed in Rust")
    assert response.status == 200, response
    response = client.send("GET", key)
    assert (response.status, response.body) == (200, b"signed in Rust")
    assert response.header("content-type") == "text/x-odd; a=b"
    listing = client.send("GET", f"/{BUCKET}?list-type=2&prefix={path[1:]}%2Fa%20")
    assert listing.body.count(b"<Key>") == 1, listing
    assert client.send("DELETE", key).status == 204
    assert client.send("GET", key).status == 404


def test_a_wrong_secret_is_refused(connect, alice, s3s_fs, path):
    key = f"/{BUCKET}{path}"
    response = connect("s3s", alice.account).send("PUT", key, body="data", secret="wrong")
    assert response.status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in response.body
    assert s3s_fs.request("GET", key)[0] == 404
