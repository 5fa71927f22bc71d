"""Access keys that are good for a while, with a session token: case 15 of the hardest ones."""

import re

import pytest

from parts import http1, signing
from parts.deadline import wait_until
from parts.s3_clients import Account, boto3_client
from parts.s3_store import DOMAIN

TEMPORARY = ("--session-token", "--expires-in=1h")


@pytest.fixture(scope="module")
def carol(access_keys):
    return access_keys.create(*TEMPORARY)


@pytest.fixture(scope="module")
def dave(access_keys):
    return access_keys.create(*TEMPORARY)


def in_header(port, account, path):
    signed = signing.sign(account, "GET", path)
    return http1.get(port, path, signed.headers, host=DOMAIN)


def presigned(port, account, path):
    return http1.get(port, presigned_url(account, path), host=DOMAIN)


def presigned_url(account, path):
    s3 = boto3_client(f"http://{DOMAIN}", account)
    bucket, key = path[1:].split("/", 1)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    s3.close()
    return url.removeprefix(f"http://{DOMAIN}")


FORMS = {"header": in_header, "presigned": presigned}


@pytest.fixture(params=FORMS)
def get(request, edge):
    """Sends a request of an account."""
    return lambda account, path: FORMS[request.param](edge.ports["held"], account, path)


def answer(response):
    code = re.search(rb"<Code>(\w+)</Code>", response.body)
    return response.status, code and code[1].decode()


def with_token(account, token):
    return Account(account.access, account.secret, token)


def test_case_15_with_its_token_a_temporary_key_is_good(get, carol, path):
    response = get(carol, path)
    assert response.status == 200, response
    headers = dict(response.json()["headers"])
    assert headers["x-user-id"] == "bob"
    assert headers["x-voussoir-access-key-id"] == carol.access


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda carol, dave, bob: with_token(carol, None), (403, "InvalidAccessKeyId")),
        (lambda carol, dave, bob: with_token(carol, "wrong"), (400, "InvalidToken")),
        (lambda carol, dave, bob: with_token(carol, carol.token[:-1]), (400, "InvalidToken")),
        (lambda carol, dave, bob: with_token(carol, carol.token + "x"), (400, "InvalidToken")),
        (lambda carol, dave, bob: with_token(carol, dave.token), (400, "InvalidToken")),
        (lambda carol, dave, bob: with_token(bob, carol.token), (400, "InvalidToken")),
        (lambda carol, dave, bob: carol.with_secret(bob.secret), (403, "SignatureDoesNotMatch")),
    ],
    ids=["none", "wrong", "cut", "longer", "another-key's", "of-a-static-key", "wrong-secret"],
)
def test_case_15_no_other_token_is(get, carol, dave, bob, upstream, change, expected, path):
    """Each is signed as it should be, but for the last."""
    before = len(upstream.arrivals)
    assert answer(get(change(carol, dave, bob), path)) == expected
    assert len(upstream.arrivals) == before


def test_case_15_an_empty_token_is_none(get, carol, bob, path):
    assert answer(get(with_token(carol, ""), path))[0] in (400, 403)
    assert get(bob, path).status == 200


def test_case_15_a_token_is_signed(edge, carol, upstream, path):
    """Some services had it put behind the signature; S3 never had."""
    bare = with_token(carol, None)
    signed = signing.sign(bare, "GET", path)
    headers = [*signed.headers, ("x-amz-security-token", carol.token)]
    response = http1.get(edge.ports["held"], path, headers, host=DOMAIN)
    assert answer(response) == (403, "AccessDenied")
    assert b"<HeadersNotSigned>x-amz-security-token</HeadersNotSigned>" in response.body
    url = f"{presigned_url(bare, path)}&X-Amz-Security-Token={carol.token}"
    response = http1.get(edge.ports["held"], url, host=DOMAIN)
    assert answer(response) == (403, "SignatureDoesNotMatch")
    assert not upstream.requests_to(path)
    assert not upstream.requests_to(url)


def test_case_15_there_is_one_token(edge, carol, dave, upstream, path):
    """Envoy joins two lines with a comma, and what comes of that is the token of nobody."""
    tokens = [("x-amz-security-token", token) for token in (carol.token, dave.token)]
    for lines in (tokens, tokens[::-1], [tokens[0]] * 2):
        signed = signing.sign(with_token(carol, None), "GET", path, lines)
        response = http1.get(edge.ports["held"], path, signed.headers, host=DOMAIN)
        assert answer(response)[0] == 400, response
    assert not upstream.requests_to(path)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [((), (403, "InvalidAccessKeyId")), (("--session-token",), (400, "ExpiredToken"))],
    ids=["static", "temporary"],
)
def test_case_15_a_key_that_has_expired_is_refused(get, access_keys, flags, expected, path):
    """Also where it is remembered, and the key server is not asked again."""
    account = access_keys.create(*flags, "--expires-in=5s")
    assert get(account, path).status == 200
    refused = wait_until(lambda: (r := get(account, path)).status != 200 and r, "it to expire")
    assert answer(refused) == expected
    late = access_keys.create(*flags, "--expires-in=1s")
    wait_until(lambda: answer(get(late, path + "/late")) == expected, "the other to expire")
