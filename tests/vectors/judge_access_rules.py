#!/usr/bin/env python3
"""Writes access-rules-13.json: random access rules, random requests, and what keystonemiddleware says.

Rules have nothing in their paths that means something to a regular expression, since what it then means
is nobody's intention; and the paths of requests are plain. Needs the packages of
tests/requirements.txt. What each section of the file means is in README.md beside it.

    python tests/vectors/judge_access_rules.py           writes access-rules-13.json
    python tests/vectors/judge_access_rules.py --check   fails if that would change it
"""

import importlib.metadata
import logging
import pathlib
import random
import urllib.parse

from keystonemiddleware import auth_token
from keystonemiddleware.auth_token import _exceptions, _request

import vector_file

OUTPUT = pathlib.Path(__file__).with_name("access-rules-13.json")

RULES = 300
REQUESTS = 400
SEED = 13
SERVICE = "object-store"
METHODS = ["GET", "HEAD", "PUT"]

# Of what patterns are made, and what in a path each of them may stand for.
WILDCARDS = ["*", "{name}", "{another name}", "{}", "**", "***", "*****", "{a}{b}", "*{c}*"]
LITERALS = ["/", "/", "/", "a", "b", "ab", "v1", "AUTH_", "-", "~", "%20", "%C3%A9", ":", "'", "é", "%c3"]
FILLINGS = ["", "a", "b", "ab", "a/b", "/", "v1", "x", "%20", "é", "A%41", "a-b", "%c3%a9", "ab/ab/ab"]


def vectors():
    dice = random.Random(SEED)
    patterns = [random_pattern(dice) for _ in range(RULES)]
    rules = [
        {
            "method": dice.choice(METHODS),
            "path": "".join(pattern),
            "service": SERVICE if dice.random() < 0.9 else "object-store2",
        }
        for pattern in patterns
    ]
    requests = []
    while len(requests) < REQUESTS:
        path = random_path(dice, dice.choice(patterns))
        if is_plain(path):
            method = dice.choice([*METHODS, "get"])
            requests.append({"method": method, "path": path})
    protocol = auth_token.BaseAuthProtocol(None, log=logging.getLogger(), service_type=SERVICE)
    for request in requests:
        seen = as_seen(request)
        request["allowed_by"] = [n for n, rule in enumerate(rules) if allows(protocol, rule, seen)]
        request["matched_by"] = [
            n
            for n, rule in enumerate(rules)
            if auth_token._path_matches(seen.path, rule["path"])
        ]
    allowed, matched = (
        sum(len(request[name]) for request in requests) for name in ("allowed_by", "matched_by")
    )
    assert 200 < allowed < matched < RULES * REQUESTS / 5, (allowed, matched)
    return {
        "comment": "Written by judge_access_rules.py.",
        "keystonemiddleware": importlib.metadata.version("keystonemiddleware"),
        "service": SERVICE,
        "rules": rules,
        "requests": requests,
    }


def random_pattern(dice):
    """As a list of its parts."""
    wildcards = dice.randrange(4)
    parts = dice.choices(LITERALS, k=dice.randrange(1, 6)) + dice.choices(WILDCARDS, k=wildcards)
    dice.shuffle(parts)
    return ["/", *parts]


def random_path(dice, pattern):
    """A path that the pattern may match."""
    parts = [dice.choice(FILLINGS) if part in WILDCARDS else part for part in pattern]
    if dice.random() < 0.2:
        parts[dice.randrange(len(parts))] = dice.choice(FILLINGS)
    path = "".join(parts)
    # The same path in another spelling.
    return "".join(
        f"%{ord(c):02x}" if c.isalnum() and c.isascii() and dice.random() < 0.05 else c
        for c in path
    )


def is_plain(path):
    """Whether what servers make of this path is beyond doubt, so that nothing refuses it for itself."""
    decoded = urllib.parse.unquote_to_bytes(path)
    try:
        decoded.decode()
    except UnicodeDecodeError:
        return False
    *segments, last = decoded.removeprefix(b"/").split(b"/")
    is_named = all(segment.strip() for segment in segments) and (last.strip() or not last)
    return bool(decoded.startswith(b"/") and is_named and b"%" not in decoded)


def as_seen(request):
    """The request, as a WSGI server gives it to the middleware (PEP 3333)."""
    seen = _request._AuthTokenRequest.blank("/", method=request["method"])
    seen.environ["PATH_INFO"] = urllib.parse.unquote_to_bytes(request["path"]).decode("latin-1")
    return seen


def allows(protocol, rule, request):
    token = {
        "application_credential": {"access_rules": [rule]},
        "catalog": [{"type": SERVICE}],
    }
    try:
        protocol.validate_allowed_request(request, token)
    except _exceptions.InvalidToken:
        return False
    return True


if __name__ == "__main__":
    vector_file.run(__doc__, OUTPUT, vectors, "keystonemiddleware 13")
