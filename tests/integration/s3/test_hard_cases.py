"""Heads that verifiers get wrong, after a list of the hardest cases; the numbers are that list's.

The other cases need no proxy: core/tests/sigv4/hardest_cases.rs has them all.
"""

import os
import re
import ssl
import subprocess
import urllib.parse

import pytest

from parts import http1, signing
from parts.http2 import Client as Http2
from parts.programs import program
from parts.s3_clients import REGION
from parts.s3_store import DOMAIN


def code(response):
    found = re.search(rb"<Code>(\w+)</Code>", response.body)
    return found[1].decode() if found else None


def send(port, signed, path=None, *, host=DOMAIN, headers=None, method="GET", **options):
    """A signed request, or another one with its signature."""
    headers = signed.headers if headers is None else headers
    return http1.get(port, path or signed.path, headers, host=host, method=method, **options)


def assert_refused(upstream, response, path, answer):
    assert (response.status, code(response)) == answer, response
    assert not upstream.requests_to(path)


# 6: headers that were signed and do not arrive.


def test_case_06_a_signed_expect_is_made_good(edge, bob, upstream, path):
    """Envoy answers it, and takes it away."""
    for sent in ([("expect", "100-continue")], []):
        signed = signing.sign(bob, "PUT", path, body=b"data", unsent=[("expect", "100-continue")])
        with http1.Connection(edge.ports["held"]) as connection:
            headers = [*sent, *signed.headers]
            connection.send(http1.encode(path, headers, method="PUT", host=DOMAIN, body=b"data"))
            response = connection.response()
            if response.status == 100:
                response = connection.response()
        assert response.status == 200, response
    for arrival in upstream.requests_to(path):
        assert arrival.body == b"data"
        assert not arrival.values("expect")
    # The one value that it has, and no other.
    signed = signing.sign(bob, "PUT", path, body=b"data", unsent=[("expect", "101-continue")])
    response = send(edge.ports["held"], signed, method="PUT", body=b"data")
    assert (response.status, code(response)) == (403, "SignatureDoesNotMatch")


def test_case_06_curl_signs_expect(edge, bob, upstream, path, tmp_path):
    (tmp_path / "data").write_bytes(b"data")
    command = [program("curl"), "--silent", "--show-error", "--fail-with-body"]
    command += ["--aws-sigv4", f"aws:amz:{REGION}:s3", "--user", f"{bob.access}:{bob.secret}"]
    command += ["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
    command += ["--header", "Expect: 100-continue", "--upload-file", tmp_path / "data"]
    url = f"http://127.0.0.1:{edge.ports['held']}{path}"
    subprocess.run([*command, url], stdout=subprocess.PIPE, check=True, timeout=60)
    (arrival,) = upstream.requests_to(path)
    assert arrival.body == b"data"
    assert "SignedHeaders=expect;host;" in arrival.values("authorization")[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("connection", "keep-alive"),
        ("keep-alive", "timeout=5"),
        ("transfer-encoding", "chunked"),
        ("proxy-connection", "keep-alive"),
        ("te", "gzip"),
        ("x-envoy-retry-on", "5xx"),
    ],
)
def test_case_06_a_signed_header_that_envoy_takes_away_cannot_be_verified(
    edge, bob, upstream, name, value, path
):
    """Neither if it was sent nor if it was not: what of it was signed cannot be known."""
    signed = signing.sign(bob, "PUT", path, unsent=[(name, value)])
    port, answer = edge.ports["held"], (403, "SignatureDoesNotMatch")
    assert_refused(upstream, send(port, signed, method="PUT"), path, answer)
    if name == "transfer-encoding":
        response = send(port, signed, method="PUT", body=b"", trailers=[])
    else:
        response = send(port, signed, headers=[(name, value), *signed.headers], method="PUT")
    assert_refused(upstream, response, path, answer)


@pytest.mark.parametrize("value", ["value", ""])
def test_case_06_a_signed_header_must_be_there(edge, bob, upstream, value, path):
    port, answer = edge.ports["held"], (403, "SignatureDoesNotMatch")
    for name in ("x-absent", "x-amz-meta-absent", "content-type", "range"):
        signed = signing.sign(bob, "PUT", path, unsent=[(name, value)])
        assert_refused(upstream, send(port, signed, method="PUT"), path, answer)


# 7: keys that somebody on the way takes for other keys.

KEYS = [
    "/a//b",
    "//a/b",
    "/a/b/",
    "/a/b//",
    "/a/./b",
    "/a/../b",
    "/a/b/..",
    "/a/b/.",
    "/a/%2e%2e/b",
    "/a/%2E/b",
    "/a%2Fb",
    "/a%2fb",
    "/a%2F%2Fb",
    "/a%2F..%2Fb",
    "/a%2F../b",
    "/a%5Cb",
    "/a%5C..%5Cb",
    "/a\\b",
    "/a\\..\\b",
    "/a%252Fb",
    "/a%25%32%46b",
    "/%61/b",
    "/a%7Eb",
    "/a;b/..;/c",
    "/a%00b",
    "/a%0D%0Ab",
]
NORMAL = "/a/b"


@pytest.mark.parametrize("way", ["held", "normalize", "merge", "unescape", "all"])
def test_case_07_no_key_is_verified_as_one_and_forwarded_as_another(edge, bob, upstream, way, path):
    """Whatever the listener makes of paths before the filter sees them."""
    passed = 0
    for key in KEYS:
        for spelling, sent in ((key, key), (NORMAL, key), (key, NORMAL)):
            url, target = path + spelling, path + sent
            before = len(upstream.arrivals)
            response = send(edge.ports[way], signing.sign(bob, "GET", canonical(url)), target)
            arrivals = upstream.arrivals[before:]
            if response.status == 200:
                (arrival,) = arrivals
                assert decoded(arrival.path) == decoded(url), (spelling, sent)
                passed += 1
            else:
                refused = (response.status, code(response))
                # To an Envoy that normalises, a NUL makes it no path at all.
                is_nul = "%00" in target and way in ("normalize", "all")
                assert refused == ((400, None) if is_nul else (403, "SignatureDoesNotMatch"))
                assert not arrivals, (spelling, sent)
    # Where nobody touches them each passes as itself, and those that are the normal key as that.
    assert passed == len(KEYS) + 6 if way == "held" else passed > 0


def test_case_07_of_each_listener_that_is_not_checked_the_log_says_once_what_it_must_have(edge):
    lines = [line for line in edge.log().splitlines() if "cluster is not set" in line]
    plugins = [re.search(r"before the plugin (\w+) ", line)[1] for line in lines]
    assert sorted(plugins) == sorted(edge.ports)


def canonical(path):
    """As S3's clients sign it."""
    return urllib.parse.quote_from_bytes(decoded(path), safe="/-_.~")


def decoded(path):
    return urllib.parse.unquote_to_bytes(path)


# 9: queries that servers read in two ways.


@pytest.mark.parametrize("way", ["held", "sqs"])
@pytest.mark.parametrize(
    ("signed", "sent"),
    [
        ("a=1%3Bb=2", "a=1;b=2"),
        ("prefix=a%20b", "prefix=a+b"),
        ("prefix=ann%3B/&delimiter=/", "prefix=ann;/&delimiter=/"),
    ],
)
def test_case_09_a_query_is_forwarded_in_a_spelling_with_one_meaning(
    edge, bob, upstream, way, signed, sent, path
):
    """Whoever has a signed request can spell it otherwise; a service reads what was signed."""
    service = "sqs" if way == "sqs" else "s3"
    request = signing.sign(bob, "GET", f"{path}?{signed}", service=service)
    for query in (signed, sent):
        response = send(edge.ports[way], request, f"{path}?{query}")
        assert response.status == 200, response
    assert len(upstream.requests_to(f"{path}?{signed}")) == 2
    assert not upstream.requests_to(f"{path}?{sent}")


# 10: values of headers.

VALUES = {
    "tab": "a\tb",
    "runs": "a  b \t c",
    "ends": "  a b\t ",
    "empty": "",
    "spaces": " \t ",
    "quotes": '"a  b"',
    "latin-1": "h\xe9llo",
    "utf-8": "h\xc3\xa9llo",
    "not utf-8": "\xff\xfe\x80",
    "no-break space": "a\xa0b",
    "next line": "a\x85b",
    "commas": "a, b,c ,d",
    "delimiters": "a:b;c=d",
}


@pytest.mark.parametrize("version", ["http1", "http2"])
@pytest.mark.parametrize("name", VALUES)
def test_case_10_a_value_is_the_bytes_that_were_signed(edge, bob, upstream, version, name, path):
    header = ("x-amz-meta-a", VALUES[name])
    # HTTP/2 has no spaces around values (RFC 9113, section 8.2.1).
    header = (header[0], header[1].strip(" \t")) if version == "http2" else header
    signed = signing.sign(bob, "GET", path, [header])

    def get(url, headers):
        if version == "http1":
            return http1.get(edge.ports["held"], url, headers, host=DOMAIN)
        with Http2(edge.ports["held"]) as client:
            return client.get(url, headers, authority=DOMAIN)

    response = get(path, signed.headers)
    assert response.status == 200, response
    (arrival,) = upstream.requests_to(path)
    assert arrival.values("x-amz-meta-a") == [header[1].strip(" \t")]

    other = signing.sign(bob, "GET", path + "/x", [header])
    for value in (header[1] + "x", "x" + header[1]):
        headers = [(n, value if n == "x-amz-meta-a" else v) for n, v in other.headers]
        response = get(path + "/x", headers)
        assert_refused(upstream, response, path + "/x", (403, "SignatureDoesNotMatch"))


@pytest.mark.parametrize("fold", ["\r\n ", "\r\n\t", "\r\n  \t ", " \r\n "])
def test_case_10_a_folded_line_is_one_value(edge, bob, upstream, fold, path):
    """obs-fold (RFC 9112, section 5.2): Envoy takes the line break out, and no service sees it."""
    signed = signing.sign(bob, "GET", path, [("x-amz-meta-a", "one two")])
    headers = [(n, f"one{fold}two" if n == "x-amz-meta-a" else v) for n, v in signed.headers]
    response = send(edge.ports["held"], signed, headers=headers)
    assert response.status == 200, response
    (arrival,) = upstream.requests_to(path)
    (value,) = arrival.values("x-amz-meta-a")
    assert re.fullmatch("one[ \t]+two", value)


@pytest.mark.parametrize("byte", ["\0", "\r", "\n", "\x01", "\x7f"])
def test_case_10_a_byte_that_no_value_has_does_not_pass(edge, bob, upstream, byte, path):
    signed = signing.sign(bob, "GET", path, [("x-amz-meta-a", f"a{byte}b")])
    # All but one of them are for Envoy to refuse.
    response = send(edge.ports["held"], signed)
    assert response.status == (403 if byte == "\r" else 400), response
    with Http2(edge.ports["held"]) as client:
        assert client.get(path, signed.headers, authority=DOMAIN) is None
    assert not upstream.requests_to(path)


# 11: one list of codings in several lines.

CODINGS = {
    "one line": (["aws-chunked,gzip"], "gzip"),
    "one line with a space": (["aws-chunked, gzip"], "gzip"),
    "two lines": (["aws-chunked", "gzip"], "gzip"),
    "the other way round": (["gzip", "aws-chunked"], "gzip"),
    "three lines": (["gzip", "aws-chunked", "br"], "gzip, br"),
    "none but ours": (["aws-chunked"], None),
}


@pytest.mark.parametrize("version", ["http1", "http2"])
@pytest.mark.parametrize("name", CODINGS)
def test_case_11_codings_may_come_in_lines(edge, bob, upstream, version, name, path):
    lines, rest = CODINGS[name]
    headers = [("content-encoding", line) for line in lines]
    headers.append(("x-amz-decoded-content-length", "4"))
    signed = signing.sign(bob, "PUT", path, headers, content=signing.STREAMING)
    response = put(edge.ports["held"], version, path, signed.headers, signed.chunks([b"data"]))
    assert response.status == 200, response
    (arrival,) = upstream.requests_to(path)
    assert arrival.body == b"data"
    values = re.split(", *", ",".join(arrival.values("content-encoding")))
    assert values == (rest.split(", ") if rest else [""])


@pytest.mark.parametrize("version", ["http1", "http2"])
def test_case_11_a_space_in_a_line_is_signed(edge, bob, upstream, version, path):
    """Two lines are joined by a comma alone, and so are another text than one with a space."""
    length = ("x-amz-decoded-content-length", "4")
    line = [("content-encoding", "aws-chunked, gzip"), length]
    signed = signing.sign(bob, "PUT", path, line, content=signing.STREAMING)
    others = [h for h in signed.headers if h[0] != "content-encoding"]
    headers = [("content-encoding", "aws-chunked"), ("content-encoding", "gzip"), *others]
    response = put(edge.ports["held"], version, path, headers, signed.chunks([b"data"]))
    assert_refused(upstream, response, path, (403, "SignatureDoesNotMatch"))


def put(port, version, path, headers, body):
    if version == "http1":
        return http1.get(port, path, headers, method="PUT", host=DOMAIN, body=body)
    with Http2(port) as client:
        stream = client.start(path, headers, method="PUT", is_end=False, authority=DOMAIN)
        client.data(stream, body)
        return client.response(stream)


# 12: which host was meant.

HOSTS = {
    "the same": ("s3.example", "s3.example", 200),
    "upper case": ("S3.Example", "S3.Example", 200),
    "another port": ("s3.example:9000", "s3.example:9000", 200),
    "default port left out": ("s3.example:80", "s3.example", 200),
    "default port put in": ("s3.example", "s3.example:80", 200),
    "ipv6": ("[2001:db8::1]:9000", "[2001:db8::1]:9000", 200),
    "ipv6 without port": ("[2001:db8::1]", "[2001:db8::1]", 200),
    "ipv6 default port left out": ("[2001:db8::1]:80", "[2001:db8::1]", 200),
    "ipv6 default port put in": ("[2001:db8::1]", "[2001:db8::1]:80", 200),
    "the port of https": ("s3.example", "s3.example:443", 403),
    "a port left out": ("s3.example:9000", "s3.example", 403),
    "a port put in": ("s3.example", "s3.example:9000", 403),
    "another host": ("s3.example", "other.example", 403),
    "a host below": ("s3.example", "bucket.s3.example", 403),
    "a dot at the end": ("s3.example", "s3.example.", 403),
    "other case": ("s3.example", "S3.EXAMPLE", 403),
    "another address": ("[2001:db8::1]", "[2001:db8::2]", 403),
    "80 in an address": ("[2001:db8::80]", "[2001:db8:]", 403),
}


@pytest.mark.parametrize("version", ["http1", "http2"])
@pytest.mark.parametrize("name", HOSTS)
def test_case_12_the_host_is_the_one_that_was_signed(edge, bob, upstream, version, name, path):
    signed_host, sent, expected = HOSTS[name]
    signed = signing.sign(bob, "GET", path, host=signed_host)
    if version == "http1":
        response = send(edge.ports["held"], signed, host=sent)
    else:
        with Http2(edge.ports["held"]) as client:
            response = client.get(path, signed.headers, authority=sent)
    if expected == 200:
        assert response.status == 200, response
        (arrival,) = upstream.requests_to(path)
        assert arrival.values("host") == [sent]
    else:
        assert_refused(upstream, response, path, (403, "SignatureDoesNotMatch"))


# The same where the scheme is https.
HOSTS_OF_HTTPS = {
    "the same": ("s3.example", "s3.example", 200),
    "default port left out": ("s3.example:443", "s3.example", 200),
    "default port put in": ("s3.example", "s3.example:443", 200),
    "ipv6 default port put in": ("[2001:db8::1]", "[2001:db8::1]:443", 200),
    "the port of http": ("s3.example", "s3.example:80", 403),
    "a port left out": ("s3.example:9000", "s3.example", 403),
}


@pytest.mark.parametrize("name", HOSTS_OF_HTTPS)
def test_case_12_over_tls_the_default_port_is_another(edge, bob, upstream, authority, name, path):
    signed_host, sent, expected = HOSTS_OF_HTTPS[name]
    signed = signing.sign(bob, "GET", path, host=signed_host)
    context = ssl.create_default_context(cafile=authority.path)
    response = send(edge.ports["tls"], signed, host=sent, context=context)
    if expected == 200:
        assert response.status == 200, response
        assert len(upstream.requests_to(path)) == 1
    else:
        assert_refused(upstream, response, path, (403, "SignatureDoesNotMatch"))


def test_case_12_a_target_in_absolute_form_names_the_host(edge, bob, upstream, path):
    """RFC 9112, section 3.2.2: the host in the target counts, and not the header."""
    target = f"http://{DOMAIN}{path}"
    for host in (DOMAIN, "other.example"):
        response = send(edge.ports["held"], signing.sign(bob, "GET", path), target, host=host)
        assert response.status == 200, response
    assert [a.values("host") for a in upstream.requests_to(path)] == [[DOMAIN]] * 2
    signed = signing.sign(bob, "GET", path + "/x", host="other.example")
    response = send(edge.ports["held"], signed, target + "/x", host="other.example")
    assert_refused(upstream, response, path + "/x", (403, "SignatureDoesNotMatch"))


def test_case_12_a_host_beside_the_authority_counts_for_nothing(edge, bob, upstream, path):
    other = ("host", "other.example")
    with Http2(edge.ports["held"]) as client:
        signed = signing.sign(bob, "GET", path)
        response = client.get(path, [other, *signed.headers], authority=DOMAIN)
        assert response.status == 200, response
        (arrival,) = upstream.requests_to(path)
        assert arrival.values("host") == [DOMAIN]
        signed = signing.sign(bob, "GET", path + "/x", host="other.example")
        response = client.get(path + "/x", [other, *signed.headers], authority=DOMAIN)
        assert_refused(upstream, response, path + "/x", (403, "SignatureDoesNotMatch"))


@pytest.mark.parametrize(
    ("hosts", "status"), [([], 400), ([DOMAIN, DOMAIN], 403), (["other.example", DOMAIN], 403)]
)
def test_case_12_there_is_one_host(edge, bob, upstream, hosts, status, path):
    signed = signing.sign(bob, "GET", path)
    fields = [*(("host", host) for host in hosts), *signed.headers]
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    with http1.Connection(edge.ports["held"]) as connection:
        connection.send("\r\n".join([*lines, "", ""]).encode())
        assert connection.response().status == status
    assert not upstream.requests_to(path)


# 20: a large chunk.

LARGE = 16 << 20


def test_case_20_a_chunk_of_16_mib_is_held_until_it_is_verified(edge, bob, upstream, path):
    data, before = os.urandom(LARGE), edge.resident()
    headers = [("x-amz-decoded-content-length", str(LARGE))]
    for is_right in (False, True):
        url = f"{path}/{is_right}"
        signed = signing.sign(bob, "PUT", url, headers, content=signing.STREAMING)
        body = signed.chunks([data])
        if not is_right:
            at = body.rindex(data[-1:] + b"\r\n0;")
            body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        response = put(edge.ports["large_chunks"], "http1", url, signed.headers, body)
        (arrival,) = upstream.requests_to(url)
        if is_right:
            assert response.status == 200, response
            assert arrival.body == data
        else:
            assert (response.status, code(response)) == (403, "SignatureDoesNotMatch")
            assert (arrival.is_complete, arrival.body) == (False, b"")
    # Perhaps at two workers: three times in the instance's memory for a moment, and in Envoy's own.
    assert edge.resident() - before < 2 * 4 * LARGE


def test_case_20_a_chunk_above_the_limit_is_refused_when_it_begins(edge, bob, upstream, path):
    data = os.urandom((1 << 20) + 1)
    headers = [("x-amz-decoded-content-length", str(len(data)))]
    signed = signing.sign(bob, "PUT", path, headers, content=signing.STREAMING)
    with http1.Connection(edge.ports["held"]) as connection:
        # All but the chunk itself.
        body, length = signed.chunks([data]), ("content-length", str(len(data) + 200))
        options = {"method": "PUT", "host": DOMAIN}
        connection.send(http1.encode(path, [*signed.headers, length], **options) + body[:100])
        response = connection.response()
    assert (response.status, code(response)) == (400, "EntityTooLarge"), response
    assert not any(arrival.is_complete for arrival in upstream.requests_to(path))
    # One byte less is not.
    other = signing.sign(
        bob,
        "PUT",
        path + "/x",
        [("x-amz-decoded-content-length", str(1 << 20))],
        content=signing.STREAMING,
    )
    body = other.chunks([data[1:]])
    assert put(edge.ports["held"], "http1", path + "/x", other.headers, body).status == 200


# 24: what is no such signature, or is one and something else.


MALFORMED = (400, "AuthorizationHeaderMalformed")
UNKNOWN = (403, "InvalidAccessKeyId")
UNSUPPORTED = (400, "InvalidArgument")
# What is made of a good value, and the answer to it.
LOOK_ALIKES = {
    "version 2": (lambda value, access: f"AWS {access}:c2lnbmF0dXJl", (400, "InvalidRequest")),
    "sha1": (lambda value, access: value.replace("SHA256", "SHA1"), UNSUPPORTED),
    "sha512": (lambda value, access: value.replace("SHA256", "SHA512"), UNSUPPORTED),
    "lower case": (lambda value, access: value.replace("AWS4-HMAC", "aws4-hmac"), UNSUPPORTED),
    "a tab": (lambda value, access: value.replace("SHA256 ", "SHA256\t"), UNSUPPORTED),
    "a tab more": (lambda value, access: value.replace("SHA256 ", "SHA256\t "), UNSUPPORTED),
    "ecdsa": (
        lambda value, access: value.replace("HMAC-SHA256", "ECDSA-P256-SHA256"),
        (501, "NotImplemented"),
    ),
    "slash in the access key": (lambda value, access: value.replace(access, "AK/ID"), UNKNOWN),
    "encoded slash": (lambda value, access: value.replace(access, "AK%2FID"), UNKNOWN),
    "a uuid": (lambda value, access: value.replace(access, "f" * 32), UNKNOWN),
    "bearer": (lambda value, access: "Bearer token", UNSUPPORTED),
    "basic": (lambda value, access: "Basic YWxpY2U6c2VjcmV0", UNSUPPORTED),
    "the algorithm alone": (lambda value, access: "AWS4-HMAC-SHA256", MALFORMED),
    "two in one line": (lambda value, access: f"{value}, {value}", MALFORMED),
}


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_case_24_what_looks_alike_is_refused(edge, bob, upstream, name, path):
    change, answer = LOOK_ALIKES[name]
    signed = signing.sign(bob, "GET", path)
    *others, (_, value) = signed.headers
    headers = [*others, ("authorization", change(value, bob.access))]
    response = send(edge.ports["held"], signed, headers=headers)
    assert_refused(upstream, response, path, answer)


def test_case_24_two_signatures_are_one_too_many(edge, bob, upstream, path):
    """Envoy makes one line of them, which then has each part twice."""
    signed = signing.sign(bob, "GET", path)
    response = send(edge.ports["held"], signed, headers=[*signed.headers, signed.headers[-1]])
    assert_refused(upstream, response, path, MALFORMED)


def test_case_24_a_url_of_version_2_is_refused(edge, bob, upstream, path):
    url = f"{path}?AWSAccessKeyId={bob.access}&Expires=4102444800&Signature=c2lnbmF0dXJl"
    response = http1.get(edge.ports["held"], url, host=DOMAIN)
    assert_refused(upstream, response, url, (400, "InvalidRequest"))
    # Beside a good signature it is one too many.
    signed = signing.sign(bob, "GET", url)
    response = send(edge.ports["held"], signed)
    assert_refused(upstream, response, url, (400, "InvalidArgument"))


def test_case_24_a_token_and_a_signature_are_one_too_many(edge, bob, good_token, upstream, path):
    port, token = edge.ports["both"], ("x-auth-token", good_token)
    signed = signing.sign(bob, "GET", path)
    for headers in ([token], signed.headers):
        assert http1.get(port, path, headers, host=DOMAIN).status == 200
    assert len(upstream.requests_to(path)) == 2
    url = path + "/both"
    signed = signing.sign(bob, "GET", url)
    wrong = signing.sign(bob.with_secret("wrong"), "GET", url)
    for name in ("x-auth-token", "X-Auth-Token", "x-storage-token"):
        for headers in (signed.headers, wrong.headers):
            response = http1.get(port, url, [(name, good_token), *headers], host=DOMAIN)
            assert_refused(upstream, response, url, (400, "InvalidArgument"))
    # Where signatures alone are known, a token is none.
    response = http1.get(edge.ports["held"], url, [token], host=DOMAIN)
    assert (response.status, code(response)) == (403, "AccessDenied")


def test_case_24_who_shows_nothing_is_answered_as_the_listener_answers(edge, upstream, path):
    response = http1.get(edge.ports["both"], path, host=DOMAIN)
    assert (response.status, response.json()["error"]["code"]) == (401, 401)
    response = http1.get(edge.ports["held"], path, host=DOMAIN)
    assert_refused(upstream, response, path, (403, "AccessDenied"))
