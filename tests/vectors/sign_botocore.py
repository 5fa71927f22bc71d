#!/usr/bin/env python3
"""Signs hostile requests with botocore, AWS's own signer in Python, for our verifier to accept.

    python tests/vectors/sign_botocore.py           writes botocore-1.44.jsonl
    python tests/vectors/sign_botocore.py --check   fails if that would change it
    python tests/vectors/sign_botocore.py 50000     writes as many requests to standard output

Each line is a request as it arrives: `now` is the UNIX time of its arrival, `headers` are pairs in
order with Envoy's pseudo-headers among them, `body` is base64. Needs the packages of
tests/requirements.txt. The output is the same byte for byte each time: chance has a seed, and the
clock stands still.
"""

import base64
import datetime
import hashlib
import json
import pathlib
import random
import sys
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.httpchecksum
import botocore.utils

OUTPUT = pathlib.Path(__file__).with_name("botocore-1.44.jsonl")
SAMPLES = 240
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

# What keys, queries and header values are made of. In values there is all the white space that HTTP
# has; botocore folds the white space of Unicode too, such as U+00A0, which no verifier does.
KEY = [*"abZ09//%+ ?#&=;:@()*!',~-_\\\"<{|^`$\0\n", "//", "/./", "/../", "..", "%2F", "é", "ሴ", "😀"]
QUERY = [*"abBZ019 +&=;:/@()*!',~-_.%?#\"\0\n", "acl", "prefix", "%20", "é", "ሴ"]
VALUE = [*"aB0 ,;=\"/+:~\\\t", "  ", " \t ", ", ", "%20", "é"]
NAMES = [
    "a",
    "Content-Type",
    "Content-Encoding",
    "Range",
    "User-Agent",
    "Expect",
    "X-Amz-Meta-A",
    "X-Amz-Acl",
    "X-Z",
    "zz",
]
ONCE = ["Expect", "User-Agent", "X-Amz-Acl"]
# What clients leave as it is in a path, or spell differently.
SPELLINGS = [
    ("%28", "("),
    ("%29", ")"),
    ("%2A", "*"),
    ("%40", "@"),
    ("%21", "!"),
    ("%27", "'"),
    ("%2B", "+"),
    ("%3A", ":"),
    ("%2C", ","),
    ("%3B", ";"),
    ("%C3", "%c3"),
    ("a", "%61"),
    ("~", "%7e"),
]
CHECKSUMS = ["crc32", "sha1", "sha256"]


class Sample:
    """A request that is made up, signed and written down."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.is_s3 = self.chance(0.6)
        self.is_presigned = self.chance(0.4)
        self.time = self.random.randrange(86_400, 4_000_000_000)
        self.body = b""

    def chance(self, probability):
        return self.random.random() < probability

    def text(self, words, longest):
        return "".join(self.random.choice(words) for _ in range(self.random.randrange(longest)))

    def sign(self):
        request = self.request()
        if not self.is_presigned:
            self.bind_body(request)
        elif self.is_s3:
            self.body = self.random.randbytes(self.random.randrange(64))
            if self.chance(0.2):
                request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(self.body).hexdigest()
        now = datetime.datetime.fromtimestamp(self.time, datetime.timezone.utc)
        botocore.auth.get_current_datetime = lambda: now.replace(tzinfo=None)
        self.signer().add_auth(request)
        return self.line(request)

    def request(self):
        scheme = self.random.choice(["http", "https"])
        host = self.random.choice(
            ["a.example", "b.s3.example:8080", "c.example:443", "d.example:80", "[::1]:9000", "[2001:db8::1]"]
        )
        path = "/" + botocore.utils.percent_encode(self.text(KEY, 24), safe="/~")
        if self.chance(0.5):
            for usual, other in SPELLINGS:
                path = path.replace(usual, other) if self.chance(0.5) else path
        if not self.is_s3 and path.rsplit("/", 1)[1] in (".", ".."):
            # botocore makes `/a` of `/a/b/..`; RFC 3986 and AWS's other signers make `/a/` of it.
            path += "x"
        names = [self.text(QUERY, 8) for _ in range(self.random.randrange(5))]
        query = [(name, self.text(QUERY, 10)) for name in names]
        request = botocore.awsrequest.AWSRequest(
            method=self.random.choice(["GET", "PUT", "HEAD", "DELETE", "POST", "PATCH"]),
            url=f"{scheme}://{host}{path}",
            params=dict(query) if self.is_presigned else query,
        )
        for _ in range(self.random.randrange(6)):
            name = self.random.choice(NAMES)
            if name not in ONCE or name not in request.headers:
                request.headers[name] = "100-continue" if name == "Expect" else self.text(VALUE, 12)
        if not self.is_presigned and self.chance(0.1):
            request.headers["Date"] = "replaced when it is signed"
        return request

    def bind_body(self, request):
        """Gives the request a body, which the signature binds in one of botocore's ways."""
        body = self.random.randbytes(self.random.choice([0, 1, 5, 64, 200]))
        kind = self.random.random() if self.is_s3 else 1
        if kind < 0.3 and "https" in request.url:
            name = self.random.choice(CHECKSUMS)
            trailer = {"algorithm": name, "in": "trailer", "name": f"x-amz-checksum-{name}"}
            request.context["checksum"] = {"request_algorithm": trailer}
            parts = {"headers": request.headers, "body": body, "context": request.context}
            botocore.httpchecksum.apply_request_checksum(parts)
            self.body = parts["body"].read()
            # Envoy takes it away; botocore does not sign it.
            del request.headers["Transfer-Encoding"]
        else:
            if kind < 0.5:
                unsigned = botocore.config.Config(s3={"payload_signing_enabled": False})
                request.context["client_config"] = unsigned
            request.data = self.body = body

    def signer(self):
        token = "t" + self.text([*"Az0/+=%"], 40) if self.chance(0.3) else None
        credentials = botocore.credentials.Credentials("AKID/EXAMPLE", SECRET, token)
        region = self.random.choice(["us-east-1", "eu", "r_1.x-y"])
        if self.is_presigned:
            expires = self.random.choice([900, 86_400, 604_800])
            kind = botocore.auth.S3SigV4QueryAuth if self.is_s3 else botocore.auth.SigV4QueryAuth
            return kind(credentials, "s3" if self.is_s3 else "execute-api", region, expires)
        kind = botocore.auth.S3SigV4Auth if self.is_s3 else botocore.auth.SigV4Auth
        return kind(credentials, "s3" if self.is_s3 else "execute-api", region)

    def line(self, request):
        # The path and the query as botocore sends them. Its prepared request has lost all but one of
        # several headers with the same name.
        sent = request.prepare().url
        url = urllib.parse.urlsplit(sent)
        path = sent.removeprefix(f"{url.scheme}://{url.netloc}")
        headers = [
            (":method", request.method),
            (":path", path),
            (":scheme", url.scheme),
            (":authority", url.netloc),
        ]
        for name, value in request.headers.items():
            if isinstance(value, bytes):
                value = value.decode()
            headers.append((name.lower(), value))
        body = base64.b64encode(self.body).decode()
        now = self.time + self.random.randrange(290)
        return json.dumps({"now": now, "headers": headers, "body": body}, ensure_ascii=False)


def main(arguments):
    if arguments not in ([], ["--check"]) and not (len(arguments) == 1 and arguments[0].isdigit()):
        sys.exit(__doc__)
    if arguments and arguments[0].isdigit():
        # Others than the samples, which are tested anyway.
        for seed in range(SAMPLES, SAMPLES + int(arguments[0])):
            print(Sample(seed).sign())
        return
    lines = "".join(Sample(seed).sign() + "\n" for seed in range(SAMPLES))
    if not arguments:
        OUTPUT.write_text(lines, encoding="utf-8")
    elif lines != OUTPUT.read_text(encoding="utf-8"):
        sys.exit(f"{OUTPUT} is not what botocore {botocore.__version__} signs")
    print(f"{OUTPUT.name}: {SAMPLES} requests, signed by botocore {botocore.__version__}")


if __name__ == "__main__":
    main(sys.argv[1:])
