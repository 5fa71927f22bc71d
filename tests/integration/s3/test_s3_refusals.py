"""Refusals of signed requests: what the client is told, and what they cost the key server."""

import datetime
import logging
import re
from xml.etree import ElementTree

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from parts import http1, signing
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.s3_clients import REGION, Account
from parts.s3_store import DOMAIN

PATH = "/v1/signing-keys"


@pytest.fixture(scope="module")
def mallory(cloud):
    """Someone whose credential is not there for long."""
    return cloud.holder("mallory")


@pytest.fixture
def calls(keystone_keyserver):
    """How many questions the key server has answered since the last look."""
    seen = [keystone_keyserver.answers(path=PATH)]

    def count():
        seen.append(keystone_keyserver.answers(path=PATH))
        return seen[-1] - seen[-2]

    return count


def get(port, account, path, **options):
    signed = signing.sign(account, "GET", path, **options)
    return http1.get(port, path, signed.headers, host=DOMAIN)


def code(response):
    """The code in AWS's error document, of S3 or of its other services."""
    assert response.header("content-type") in ("application/xml", "text/xml"), response
    return re.search(rb"<Code>(\w+)</Code>", response.body)[1].decode()


def test_an_unknown_access_key_costs_one_call_however_often_it_comes(front, upstream, calls, path):
    account = Account("0" * 31 + "1", "f" * 32)
    # On one connection, and so at one worker.
    signed = signing.sign(account, "GET", path)
    request = http1.encode(path, signed.headers, host=DOMAIN)
    responses = http1.in_turn(front.ports["echo"], [request] * 100)
    assert {(r.status, code(r)) for r in responses} == {(403, "InvalidAccessKeyId")}
    assert calls() == 1
    assert not upstream.requests_to(path)


def test_a_signing_key_is_fetched_once_for_many_requests(front, alice, calls, path):
    day = datetime.datetime.now(datetime.UTC)
    signed = signing.sign(alice.account, "GET", path, region="eu-somewhere-1", at=day)
    request = http1.encode(path, signed.headers, host=DOMAIN)
    responses = http1.in_turn(front.ports["echo"], [request] * 100)
    assert {r.status for r in responses} == {200}
    assert calls() == 1


@pytest.mark.parametrize(
    ("way", "changes", "expected"),
    [
        ("echo_strict", {"region": "us-west-9"}, (400, "AuthorizationHeaderMalformed")),
        # In the manner of the service that was meant.
        ("echo_strict", {"service": "sqs"}, (400, "AuthorizationHeaderMalformed")),
        ("echo_strict", {}, (403, "InvalidAccessKeyId")),
        ("echo", {"service": "ec2"}, (400, "AuthorizationHeaderMalformed")),
        ("echo", {"at": datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)}, "skewed"),
        ("echo", {"at": datetime.datetime(2040, 1, 2, tzinfo=datetime.UTC)}, "skewed"),
    ],
)
def test_what_the_head_alone_gives_away_costs_no_call(
    front, alice, upstream, calls, path, way, changes, expected
):
    response = get(front.ports[way], alice.account, path, **changes)
    expected = (403, "RequestTimeTooSkewed") if expected == "skewed" else expected
    assert (response.status, code(response)) == expected
    assert calls() == 0
    assert not upstream.requests_to(path)


def test_garbage_costs_no_call(front, alice, upstream, calls, path):
    good = dict(signing.sign(alice.account, "GET", path).headers)
    authorization = good["authorization"]
    garbage = [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 " + "x" * 5000,
        "AWS4-HMAC-SHA256 \xff\xfe=\x80",
        authorization[:-1],
        authorization.replace("Signature=", "signature="),
        authorization.replace(";x-amz-date", ""),
        authorization.replace("/s3/", "//"),
        authorization.replace("aws4_request", "aws5_request"),
        authorization.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"),
        "AWS4-ECDSA-P256-SHA256" + authorization.removeprefix("AWS4-HMAC-SHA256"),
        f"AWS {alice.account.access}:c2lnbmF0dXJl",
        "Basic YWxpY2U6c2VjcmV0",
    ]
    for value in garbage:
        headers = good | {"authorization": value}
        response = http1.get(front.ports["echo"], path, list(headers.items()), host=DOMAIN)
        assert response.status in (400, 403, 501), (value, response)
        assert code(response), value
    assert calls() == 0
    assert not upstream.requests_to(path)


def test_a_head_has_no_body_in_its_refusal(front, alice, path):
    signed = signing.sign(alice.account.with_secret("f" * 32), "HEAD", path)
    response = http1.get(front.ports["echo"], path, signed.headers, method="HEAD", host=DOMAIN)
    assert (response.status, response.body) == (403, b"")


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/bucket/%C3%BC%20%2B%2A%28~%29/../a//b?response-content-type=a%3B%20b%3Dc&acl", {}),
        ("PUT", "/bucket/key", {"x-amz-meta-a": "b   c", "content-type": "text/plain; a=b"}),
        ("GET", "/bucket?list-type=2&prefix=a%2Fb%20c&delimiter=%2F", {"range": "bytes=0-1"}),
    ],
)
def test_the_texts_of_a_refusal_are_those_that_the_client_has_signed(
    front, alice, caplog, method, target, headers
):
    """All but the secret is right: so botocore's texts are what ours have to be, byte by byte."""
    caplog.set_level(logging.DEBUG, "botocore.auth")
    request = AWSRequest(method, f"http://{DOMAIN}{target}", headers, b"" if method == "PUT" else None)
    S3SigV4Auth(Credentials(alice.account.access, "f" * 32), "s3", REGION).add_auth(request)
    options = {"method": method, "host": DOMAIN, "body": b"" if method == "PUT" else None}
    response = http1.get(front.ports["echo"], target, list(request.headers.items()), **options)
    assert (response.status, code(response)) == (403, "SignatureDoesNotMatch")
    told = {element.tag: element.text for element in ElementTree.fromstring(response.body)}
    assert told["AWSAccessKeyId"] == alice.account.access
    messages = [record.getMessage().partition("\n") for record in caplog.records]
    texts = {name.removesuffix(":"): text for name, _, text in messages}
    assert told["SignatureProvided"] == texts["Signature"]
    for name in ("CanonicalRequest", "StringToSign"):
        assert told[name] == texts[name]
        assert told[f"{name}Bytes"] == texts[name].encode().hex(" ")


def test_a_deleted_credential_is_refused_when_what_is_remembered_is_old(
    start_envoy, keystone_keyserver, cloud, mallory, path
):
    listener = Listener(plugin(token=None, sigv4={}, cache={"fresh": "1s"}))
    with start_envoy({"echo": listener}, keystone_keyserver.port) as envoy:
        port = envoy.ports["echo"]
        roles = roles_of(get(port, mallory.account, path))
        assert "s3-by-group" in roles
        # Someone who leaves a group keeps no role of it.
        cloud.keystone.call("DELETE", f"/groups/{cloud.group}/users/{mallory.user}")
        rest = wait_until(
            lambda: "s3-by-group" not in (r := roles_of(get(port, mallory.account, path))) and r,
            "the role to be gone",
        )
        assert rest == roles - {"s3-by-group"}

        cloud.delete(mallory)
        refused = wait_until(
            lambda: (r := get(port, mallory.account, path)).status != 200 and r,
            "the credential to be refused",
        )
        assert (refused.status, code(refused)) == (403, "InvalidAccessKeyId")


def test_without_a_key_server_clients_are_told_to_come_again(
    start_envoy, keystone_relay, alice, path
):
    """And what is remembered goes on working."""
    listener = Listener(plugin(token=None, sigv4={}))
    with start_envoy({"echo": listener}, keystone_relay.port) as envoy:
        port = envoy.ports["echo"]
        signed = signing.sign(alice.account, "GET", path)
        request = http1.encode(path, signed.headers, host=DOMAIN)
        other = signing.sign(Account("0" * 31 + "2", "f" * 32), "GET", path)
        with http1.Connection(port) as connection:
            connection.send(request)
            assert connection.response().status == 200
            keystone_relay.down()
            try:
                connection.send(request)
                assert connection.response().status == 200
                connection.send(http1.encode(path, other.headers, host=DOMAIN))
                refused = connection.response()
                assert (refused.status, code(refused)) == (503, "SlowDown")
                assert int(refused.header("retry-after")) >= 1
            finally:
                keystone_relay.up()


def roles_of(response):
    assert response.status == 200, response
    return set(dict(response.json()["headers"])["x-roles"].split(","))
