"""Where the secret of an access key is, and where it is not."""

import base64
import datetime

from parts import http1, memory, signing
from parts.keystone import password_of
from parts.s3_clients import Boto3
from parts.s3_store import BUCKET, DOMAIN


def forms(secret):
    """A secret in the forms in which it may lie about."""
    text = secret.encode()
    plain = [text, b"AWS4" + text]
    # At each offset of three, Base64 has other letters; the first and last depend on neighbours.
    encoded = [base64.b64encode(b"-" * shift + text)[4:-4] for shift in range(3)]
    keys = [text.hex().encode(), text.hex().upper().encode(), bytes.fromhex(secret)]
    return [*plain, *encoded, *keys, text.decode().encode("utf-16-le")]


def test_the_proxy_has_the_signing_key_and_never_the_secret(front, alice, path, tmp_path):
    client = Boto3(front.ports["s3s"], alice.account, tmp_path)
    client.put(BUCKET, path[1:], b"x" * 100_000)
    assert client.get(BUCKET, path[1:]) == b"x" * 100_000
    client.close()
    signed = signing.sign(alice.account, "GET", path)
    for way in ("echo", "echo_early", "echo_both"):
        response = http1.get(front.ports[way], path, signed.headers, host=DOMAIN)
        assert response.status == 200

    day = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d")
    key = signing.signing_key(alice.account.secret, day)
    access, secrets = alice.account.access.encode(), forms(alice.account.secret)
    found = memory.count(front.child.pid, [access, key, *secrets])
    # That these are found shows that the others would have been.
    assert found.pop(access) > 0
    assert found.pop(key) > 0
    assert found == dict.fromkeys(secrets, 0)


def test_the_proxy_has_no_key_that_signs_for_more(front, alice, path):
    """Of the chain from the secret to the signing key only the last link leaves the key server.

    In rustfs (GHSA-m77q, rustfs#4823) the secret of root signed for sessions wherever they were verified.
    """
    signed = signing.sign(alice.account, "GET", path)
    assert http1.get(front.ports["echo"], path, signed.headers, host=DOMAIN).status == 200
    day = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d")
    links = signing.key_chain(alice.account.secret, day)
    found = memory.count(front.child.pid, links + [key.hex().encode() for key in links])
    *wider, last = links
    assert found[last] > 0
    assert [found[key] + found[key.hex().encode()] for key in wider] == [0] * len(wider)


def test_neither_of_them_is_in_a_log(front, keystone_keyserver, alice, cloud, path):
    signed = signing.sign(alice.account.with_secret("f" * 32), "GET", path)
    assert http1.get(front.ports["echo"], path, signed.headers, host=DOMAIN).status == 403
    day = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d")
    key = signing.signing_key(alice.account.secret, day)
    for text in (front.log(), keystone_keyserver.log(), keystone_keyserver.get("/metrics")):
        assert text
        for secret in (alice.account.secret, key.hex(), password_of(alice.name)):
            assert secret not in text
