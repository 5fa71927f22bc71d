"""What is compared: who checks requests, and which requests each gets."""

import dataclasses
import json
import os
import pathlib
import subprocess
import time
import uuid
from collections.abc import Callable

import jwt
import msgpack
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec

import envoys
from parts import minting
from parts.ec2 import Cloud
from parts.keyserver import BEARER_TOKEN
from parts.signing import STREAMING, UNSIGNED, sign

# What every contender without a body is compared with.
BASE = "jwt_authn HS256"
# Those that answer validations are compared with Keystone itself.
VALIDATION = "Keystone answers validations"
# The same one with a cache in memcached, of which it is no part by default.
CACHED_VALIDATION = f"{VALIDATION}, memcached"
NO_FILTER = "no filter"
WARM, NEW = "Voussoir, warm token, two headers", "Voussoir, new tokens, two headers"
EMPTY, CALLS = "empty wasm filter", "wasm filter, the calls alone, two headers"
WARM_ALL, CALLS_OF_ALL = "Voussoir, warm token, all headers", "wasm filter, the calls alone, all headers"
SIGNED, ANSWERS = "Voussoir, SigV4, two headers", "Voussoir answers validations"
# What was aimed at before anything was built: a contender, another, and the most that its CPU time may be
# of that one's. Without a number, how near the ABI lets anybody come.
AIMS = [
    (WARM, BASE, 0.85),
    (NEW, BASE, 1.0),
    (SIGNED, BASE, 1.15),
    (WARM, EMPTY, 1.15),
    (CALLS, EMPTY, None),
    (WARM, CALLS, None),
    (WARM_ALL, CALLS_OF_ALL, None),
    (ANSWERS, VALIDATION, 1 / 1000),
    (ANSWERS, CACHED_VALIDATION, 1 / 100),
]
# A contender gets so many distinct tokens where every one is to be new: more than any cache keeps.
DISTINCT = 50_000
# The section of that name, as short as it can be.
TOKENS = {"www_authenticate_uri": "http://keystone.example/v3"}
# The document that tests have, too.
COMPUTE = pathlib.Path(__file__).parents[1] / "integration/schemas/compute.yaml"
# What AWS's SDKs make of a body at a time.
CHUNK = 64 * 1024

KIB, MIB = 1024, 1024 * 1024


@dataclasses.dataclass
class Contender:
    """A proxy, or what is asked directly."""

    # None: Keystone itself, or the application.
    filters: list | None
    # The heads of requests and their body, made anew for each round: signatures are good for a quarter of
    # an hour.
    requests: Callable[[], tuple[list, bytes]]
    base: str = BASE
    has_large_bodies: bool = False
    # Whether a service behind the proxy takes the bodies.
    has_service: bool = False
    # The process whose time counts as well.
    helper: str | None = None
    # There is an application, of its own, with these options of keystonemiddleware, or without that.
    options: dict | None = None


def field(keystone, module, empty_filter, digest=None):
    """The contenders by name. With a digest, that of the document which the key server has as `compute`,
    also one that holds requests against it."""
    cloud, holder, token = client(keystone)
    fresh = fresh_tokens(keystone, token)
    asked = question(keystone, token)

    claims = {"iss": "bench", "sub": holder.user, "project": cloud.project}
    claims["exp"] = int(time.time()) + 86_400
    secret = uuid.uuid4().bytes + uuid.uuid4().bytes
    symmetric = envoys.symmetric_jwk(secret)
    hs256 = {"x-auth-token": jwt.encode(claims, secret, "HS256")}
    private = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private.public_key()))
    es256 = {"x-auth-token": jwt.encode(claims, private, "ES256")}

    def filtered(**sections):
        return voussoir(module, "keyserver", **sections)

    tokens = TOKENS
    # What `jwt_authn` does: it adds nothing to the answers of a service.
    lean = tokens | {"challenge_service_401": False}
    two = ["X-User-Id", "X-Project-Id"]
    signatures = {"services": ["s3"], "regions": ["us-east-1"]}
    takes_signatures = filtered(sigv4=signatures)
    warm = always({"x-auth-token": token})
    servers = always({"x-auth-token": token, ":path": "/v2.1/servers/detail?limit=100"})
    contenders = {
        NO_FILTER: Contender([], warm),
        EMPTY: Contender([envoys.wasm(empty_filter, {})], warm),
        CALLS: Contender(
            [envoys.wasm(os.environ["CALLS_FILTER"], {"calls": "two headers"})], warm
        ),
        CALLS_OF_ALL: Contender(
            [envoys.wasm(os.environ["CALLS_FILTER"], {"calls": "all headers"})], warm
        ),
        BASE: Contender([envoys.jwt_authn("HS256", symmetric)], always(hs256)),
        f"{BASE}, cached": Contender(
            [envoys.jwt_authn("HS256", symmetric, cache_size=1000)], always(hs256)
        ),
        "jwt_authn ES256": Contender([envoys.jwt_authn("ES256", public)], always(es256)),
        "jwt_authn ES256, cached": Contender(
            [envoys.jwt_authn("ES256", public, cache_size=1000)], always(es256)
        ),
        "ext_authz": Contender([envoys.ext_authz("ext_authz")], warm, helper="ext_authz"),
        WARM: Contender(filtered(token=lean, identity_headers=two), warm),
        WARM_ALL: Contender(filtered(token=tokens), warm),
        "Voussoir, warm token, two headers, access control": Contender(
            filtered(token=lean, identity_headers=two, acl=acl()), warm
        ),
        NEW: Contender(filtered(token=lean, identity_headers=two), always(*fresh)),
        "Voussoir, new tokens, all headers": Contender(filtered(token=tokens), always(*fresh)),
        "Voussoir, payload alone": Contender(
            filtered(token=tokens | {"identity": "payload"}), warm
        ),
        SIGNED: Contender(
            filtered(sigv4=signatures, identity_headers=two), unsigned_payload(holder.account)
        ),
        "Voussoir, SigV4, all headers": Contender(takes_signatures, unsigned_payload(holder.account)),
        VALIDATION: Contender(None, asked, VALIDATION),
        ANSWERS: Contender(
            filtered(token=tokens | {"serve_validation": True}), asked, VALIDATION
        ),
    }
    if digest:
        name = "Voussoir, list of servers, all headers"
        contenders[name] = Contender(filtered(token=tokens), servers)
        whole = filtered(token=tokens, **whole_proxy(digest))
        contenders[f"{name}, all switched on"] = Contender(whole, servers)
    for name, requests in bodies(holder.account).items():
        base = f"no filter, {name}"
        large = "MiB" in name
        for contender, filters in [(base, []), (f"Voussoir, SigV4, {name}", takes_signatures)]:
            contenders[contender] = Contender(filters, requests, base, large, has_service=True)
    return contenders


def voussoir(module, keyserver, **sections):
    """The filter, which asks the key server behind the cluster of this name."""
    server = {"cluster": keyserver, "bearer_token": BEARER_TOKEN}
    return [envoys.wasm(module, {"keyserver": server} | sections)]


def cached_validation(keystone):
    """The contender that is a Keystone with memcached."""
    *_, token = client(keystone)
    return Contender(None, question(keystone, token), VALIDATION)


def client(keystone):
    """A cloud of its own, and who asks for something there, with a token."""
    cloud = Cloud(keystone, "bench")
    holder = cloud.holder("bench")
    token = keystone.user_token("bench", cloud.domain, {"project": {"id": cloud.project}})
    return cloud, holder, token


def question(keystone, token):
    """Asks a Keystone about a token, or who answers in its place."""
    asked = {"x-auth-token": keystone.admin_token, "x-subject-token": token}
    return always(asked | {":path": "/v3/auth/tokens"})


def unsigned_payload(account):
    return lambda: ([signed(account)], b"")


def always(*requests):
    """The same requests in each round, without a body."""
    return lambda: (list(requests), b"")


def compile_compute(directory):
    """The digest of the document of the Compute API, which is then in a directory for the key server."""
    compiled = directory / "compute.json"
    command = [os.environ["VOUSSOIR_KEYSERVER"], "schemas", "compile", COMPUTE, "-o", compiled]
    digest, _ = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split(" ", 1)
    return digest


def whole_proxy(digest):
    """What a service's common proxy does beside its tokens: a list, a document of the API, an audit log with
    an event for each request, and the time that it takes."""
    schema = {"name": "compute", "digest": digest, "path_prefix": "/v2.1/", "mode": "report"}
    return {
        "acl": acl(),
        "schema": [schema],
        "audit": {"collector": {"cluster": "service", "path": "/"}, "filter_state": "summary"},
        "metrics": {"time_heads": True},
    }


def acl():
    """Twenty rules of a usual kind, the last of which is about the request."""
    member = {"key": "roles", "values": ["member", "admin", "reader"]}
    own = {"key": "project_id", "values": ["{project_id}"]}
    rules = [
        {
            "name": f"resource-{number}",
            "action": "allow",
            "to": [{"methods": ["GET", "POST"], "paths": [f"/v{number}/{{project_id}}/servers/**"]}],
            "when": [own, member],
        }
        for number in range(18)
    ]
    console = {"name": "console", "action": "deny", "to": [{"paths": ["/v2.1/*/servers/*/console"]}]}
    reads = [{"paths": ["/"]}, {"methods": ["GET"], "paths": ["/v2.1/servers/**"]}]
    members = {"name": "members", "action": "allow", "to": reads, "when": [member]}
    return {"rules": [*rules, console, members]}


def bodies(account):
    """Signed requests with bodies, by what they are called."""

    def hashed(size):
        body = bytes(size)
        return lambda: ([signed(account, "PUT", body=body)], body)

    def chunks():
        headers = [
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", str(16 * MIB)),
        ]
        head = sign(account, "PUT", "/bucket/key", headers, host="bench", content=STREAMING)
        sent = {":method": "PUT", ":path": head.path, "Host": "bench"} | dict(head.headers)
        return [sent], head.chunks([bytes(CHUNK)] * (16 * MIB // CHUNK))

    return {
        "hash of 1 KiB": hashed(KIB),
        "hash of 1 MiB": hashed(MIB),
        "16 MiB in signed chunks": chunks,
    }


def fresh_tokens(keystone, token):
    """Many tokens of the same user and project, each with an audit id of its own."""
    primary = max(keystone.key_repository.iterdir(), key=lambda file: int(file.name)).read_text()
    padded = token + "=" * (-len(token) % 4)
    *fields, _ = msgpack.unpackb(Fernet(primary).decrypt(padded.encode()))
    return [
        {"x-auth-token": minting.seal(primary, msgpack.packb([*fields, [uuid.uuid4().bytes]]))}
        for _ in range(DISTINCT)
    ]


def signed(account, method="GET", body=None):
    """A request that is good for the next quarter of an hour."""
    content = {"content": UNSIGNED} if body is None else {"body": body}
    request = sign(account, method, "/bucket/key", host="bench", **content)
    return {":method": method, ":path": request.path, "Host": "bench"} | dict(request.headers)
