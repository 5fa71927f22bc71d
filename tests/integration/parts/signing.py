"""Signature Version 4 by hand, for requests that no client would send. Texts are Latin-1.

What is right here is proven by the stores: see test_s3_hostile.py, which begins with that.
"""

import dataclasses
import datetime
import hashlib
import hmac
import re
import urllib.parse

from parts.http1 import octets
from parts.s3_clients import REGION, Account
from parts.s3_store import DOMAIN

EMPTY = hashlib.sha256(b"").hexdigest()
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
UNSIGNED = "UNSIGNED-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@dataclasses.dataclass
class Signed:
    """A signed head, and what its chunks are signed with."""

    path: str
    headers: list[tuple[str, str]]
    signature: str
    scope: str
    time: str
    key: bytes

    def chunks(self, pieces, trailers=()):
        """The pieces, each signed, and the trailers if there are any, in the form aws-chunked."""
        previous, body = self.signature, b""
        for piece in [*pieces, b""]:
            previous = self._sign("PAYLOAD", previous, EMPTY, hashlib.sha256(piece).hexdigest())
            body += b"%x;chunk-signature=%s\r\n" % (len(piece), previous.encode())
            body += piece + b"\r\n" if piece else b""
        if trailers:
            text = "".join(f"{name}:{value}\n" for name, value in trailers)
            last = self._sign("TRAILER", previous, hashlib.sha256(octets(text)).hexdigest())
            lines = [*trailers, ("x-amz-trailer-signature", last)]
            body += octets("".join(f"{name}:{value}\r\n" for name, value in lines))
        return body + b"\r\n"

    def _sign(self, part, *lines):
        lines = (f"AWS4-HMAC-SHA256-{part}", self.time, self.scope, *lines)
        return _hmac(self.key, "\n".join(lines)).hex()


def sign(
    account: Account,
    method,
    path,
    headers=(),
    *,
    body=b"",
    content=None,
    host=DOMAIN,
    region=REGION,
    service="s3",
    at=None,
    unsent=(),
):
    """Signs a request with all of its headers, and with some that are not sent.

    `content` is the value of x-amz-content-sha256, by default the hash of the body.
    """
    time = (at or datetime.datetime.now(datetime.UTC)).strftime("%Y%m%dT%H%M%SZ")
    content = content or hashlib.sha256(body).hexdigest()
    headers = [*headers, ("x-amz-date", time), ("x-amz-content-sha256", content)]
    if account.token:
        headers.append(("x-amz-security-token", account.token))
    lines = {}
    for name, value in [("host", host), *headers, *unsent]:
        lines.setdefault(name.lower(), []).append(_SPACES.sub(" ", value).strip(" "))
    names = ";".join(sorted(lines))
    bare, _, query = path.partition("?")
    request = [method, bare, _canonical_query(query)]
    request += [*(f"{name}:{','.join(lines[name])}" for name in sorted(lines)), "", names, content]
    scope = "/".join([time[:8], region, service, "aws4_request"])
    digest = hashlib.sha256(octets("\n".join(request))).hexdigest()
    key = signing_key(account.secret, time[:8], region, service)
    signature = _hmac(key, "\n".join(["AWS4-HMAC-SHA256", time, scope, digest])).hex()
    authorization = f"AWS4-HMAC-SHA256 Credential={account.access}/{scope}, "
    authorization += f"SignedHeaders={names}, Signature={signature}"
    headers.append(("authorization", authorization))
    return Signed(path, headers, signature, scope, time, key)


def presign(account: Account, path, *, at, seconds, host=DOMAIN, region=REGION, service="s3"):
    """The path and query of a URL that was signed at that time, for a GET within so many seconds."""
    time = at.strftime("%Y%m%dT%H%M%SZ")
    scope = "/".join([time[:8], region, service, "aws4_request"])
    parameters = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{account.access}/{scope}",
        "X-Amz-Date": time,
        "X-Amz-Expires": seconds,
        "X-Amz-SignedHeaders": "host",
    }
    query = _canonical_query(urllib.parse.urlencode(parameters))
    request = ["GET", path, query, f"host:{host}", "", "host", UNSIGNED]
    digest = hashlib.sha256(octets("\n".join(request))).hexdigest()
    key = signing_key(account.secret, time[:8], region, service)
    signature = _hmac(key, "\n".join(["AWS4-HMAC-SHA256", time, scope, digest])).hex()
    return f"{path}?{query}&X-Amz-Signature={signature}"


def plain_chunks(pieces, trailers=()):
    """The pieces and the trailers in the form aws-chunked, without signatures."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    return body + b"0\r\n" + b"".join(octets(f"{n}:{v}\r\n") for n, v in trailers) + b"\r\n"


def signing_key(secret, day, region=REGION, service="s3"):
    """What the key server derives: good for one day, region and service."""
    return key_chain(secret, day, region, service)[-1]


def key_chain(secret, day, region=REGION, service="s3"):
    """All keys on the way from the secret: good for a day, a region of it, a service, this use."""
    keys = [("AWS4" + secret).encode()]
    for part in (day, region, service, "aws4_request"):
        keys.append(_hmac(keys[-1], part))
    return keys[1:]


def _canonical_query(query):
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    quoted = [
        (urllib.parse.quote(n, safe="-_.~"), urllib.parse.quote(v, safe="-_.~")) for n, v in pairs
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(quoted))


def _hmac(key, text):
    return hmac.new(key, octets(text), hashlib.sha256).digest()


# What folds to one space.
_SPACES = re.compile("[ \t]+")
