#!/usr/bin/env python3
"""Mints keystone-30-jws.json, the signed tokens that this project's readers are tested against.

The tokens are made, and read back, by Keystone's own provider `jws`, so the file holds what Keystone 30
says about them and not what we believe. Needs the packages of tests/requirements.txt; needs no
database and no running Keystone. What each section of the file means is in README.md beside it.

    python tests/vectors/mint_keystone_jws.py           writes keystone-30-jws.json
    python tests/vectors/mint_keystone_jws.py --check   fails if that would change it

The output is the same byte for byte each time: the keys are derived from texts, the clock stands still, and
signatures are made without chance (RFC 6979).
"""

import base64
import contextlib
import datetime
import hashlib
import importlib.metadata
import json
import pathlib
import tempfile
import unittest.mock

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils as asymmetric_utils
from jwt import algorithms

import keystone.conf
from keystone import exception
from keystone.token.providers.jws import core as provider
from oslo_utils import timeutils

import mint_keystone as fernet
import vector_file

CONF = keystone.conf.CONF
OUTPUT = pathlib.Path(__file__).with_name("keystone-30-jws.json")

ISSUED = fernet.ISSUED + 12_345
EXPIRES = int(fernet.EXPIRES)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def private_key(name, curve=ec.SECP256R1()):
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(name).digest()) >> 8, curve)


KEYS = {name: private_key(name.encode()) for name in ("current", "previous", "foreign")}


def pem(key):
    """As `keystone-manage create_jws_keypair` writes it."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def vectors():
    with tempfile.TemporaryDirectory() as directory, at(ISSUED), without_chance():
        configure(pathlib.Path(directory))
        accepted = list(positives())
        tokens = {vector["name"]: vector["token"] for vector in accepted}
        claims = list(claims_negatives())
        texts = list(text_negatives(tokens))
        keys = list(key_negatives())
    for section in (accepted, claims, texts, keys):
        names = [vector["name"] for vector in section]
        assert len(set(names)) == len(names), names
        # All of them pass a filter that looks at 4096 characters at most.
        assert all(len(vector.get("token", "")) <= 4096 for vector in section)
    return {
        "comment": "Written by mint_keystone_jws.py. The keys are for tests and open nothing else.",
        "keystone": importlib.metadata.version("keystone"),
        "keys": [pem(KEYS[name]).decode() for name in ("previous", "current")],
        "positive": accepted,
        "claims_negative": claims,
        "text_negative": texts,
        "key_negative": keys,
    }


# Signing


def configure(directory):
    """Gives Keystone the little configuration that its provider reads."""
    keystone.conf.configure()
    CONF([], project="keystone", default_config_files=[], default_config_dirs=[])
    public = directory / "public"
    public.mkdir()
    for name in ("current", "previous"):
        (public / f"{name}.pem").write_bytes(pem(KEYS[name]))
        private = directory / name
        private.mkdir()
        (private / "private.pem").write_bytes(
            KEYS[name].private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    CONF.set_override("jws_public_key_repository", str(public), "jwt_tokens")
    CONF.set_override("jws_private_key_repository", str(directory / "current"), "jwt_tokens")


@contextlib.contextmanager
def signing_with(name):
    private = pathlib.Path(CONF.jwt_tokens.jws_private_key_repository)
    CONF.set_override("jws_private_key_repository", str(private.parent / name), "jwt_tokens")
    try:
        yield
    finally:
        CONF.set_override("jws_private_key_repository", str(private), "jwt_tokens")


def at(seconds):
    """Stops the clock that Keystone reads when it makes a token."""
    now = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).replace(tzinfo=None)
    return unittest.mock.patch.object(timeutils, "utcnow", lambda: now)


@contextlib.contextmanager
def without_chance():
    """Has the library for JWS sign with the number that follows from key and message (RFC 6979)."""
    with unittest.mock.patch.object(algorithms.ECAlgorithm, "sign", lambda _, m, k: signature(m, k)):
        yield


def signature(message, key, hash_=hashes.SHA256()):
    der = key.sign(message, ec.ECDSA(hash_, deterministic_signing=True))
    return algorithms.der_to_raw_signature(der, key.curve)


def read(token):
    """What Keystone says about a token, by the names of `create_token`'s arguments."""
    names = (
        "user_id",
        "methods",
        "audit_ids",
        "system",
        "domain_id",
        "project_id",
        "trust_id",
        "federated_group_ids",
        "identity_provider_id",
        "protocol_id",
        "access_token_id",
        "app_cred_id",
        "thumbprint",
        "issued_at",
        "expires_at",
    )
    return dict(zip(names, provider.JWSFormatter().validate_token(token), strict=True))


def keystone_accepts(token):
    try:
        read(token)
    except (exception.TokenNotFound, KeyError, TypeError, ValueError, jwt.PyJWTError):
        return False
    return True


# Tokens to accept


def mint(name, kind, key="current", expires_at=EXPIRES, source="keystone", token=None, **fields):
    """A token exactly as Keystone makes it; or `token`, which says the same in another spelling."""
    fields = {
        "user_id": fernet.USER,
        "methods": ["password"],
        "audit_ids": [fernet.OWN],
        **fernet.FIELDS.get(VERSIONS[kind], {}),
        **fields,
        "expires_at": fernet.iso(expires_at),
    }
    if token is None:
        with signing_with(key):
            token, issued_at = provider.JWSFormatter().create_token(**fields)
        assert issued_at == fernet.iso(ISSUED), issued_at
    said = read(token)
    wanted = {**dict.fromkeys(said), **fields, "issued_at": fernet.iso(ISSUED)}
    assert said == wanted, (name, said, wanted)
    vector = {
        "name": name,
        "source": source,
        "token": token,
        "kind": kind,
        "user_id": said["user_id"],
        "methods": said["methods"],
        "expires_at_text": said["expires_at"],
        "issued_at": ISSUED,
        "audit_ids": said["audit_ids"],
        "scope": fernet.present({k: said[k] for k in ("project_id", "domain_id", "system")}),
        "trust_id": said["trust_id"],
        "group_ids": said["federated_group_ids"],
        "identity_provider_id": said["identity_provider_id"],
        "protocol_id": said["protocol_id"],
        "access_token_id": said["access_token_id"],
        "application_credential_id": said["app_cred_id"],
        "thumbprint": said["thumbprint"],
    }
    if vector["group_ids"] is not None:
        vector["group_ids"] = [group["id"] for group in vector["group_ids"]]
    return fernet.present(vector)


VERSIONS = {kind: version for version, kind in fernet.KINDS.items()}


def positives():
    made = {kind: mint(kind, kind) for version, kind in fernet.KINDS.items() if version != 11}
    yield from made.values()
    yield mint("previous_key", "project", key="previous")
    yield mint(
        "rescoped", "project", methods=["token", "password"], audit_ids=[fernet.OWN, fernet.ROOT]
    )
    yield mint("text_ids", "project", user_id=fernet.LDAP_USER, project_id="services")
    yield mint("upper_case_id", "project", project_id=fernet.PROJECT.upper())
    yield mint("domain_default", "domain", domain_id="default")
    yield mint("no_methods", "unscoped", methods=[])
    yield mint("no_groups", "federated_unscoped", federated_group_ids=[])
    yield mint("twenty_groups", "federated_project", federated_group_ids=fernet.groups(fernet.GROUPS))
    yield mint("expired", "project", expires_at=fernet.ISSUED)
    # Kinds that a Fernet token keeps apart. It would lose what is not that of its kind.
    federation = {k: v for k, v in fernet.FEDERATION.items() if k != "methods"}
    yield mint("trust_and_federation", "trust", **federation)
    yield mint("oauth1_and_federation", "oauth1", **federation)

    project = made["project"]["token"]
    claims = part(project, 1)
    # PyJWT before 2.5 wrote the header so, and others do today.
    header = {"typ": "JWT", "alg": "ES256"}
    yield mint("header_of_earlier_versions", "project", source="hand", token=signed(header, claims))
    # Both signatures of the message; which of them Keystone writes is chance.
    both = [with_s(project, s) for s in (lambda s: min(s, ORDER - s), lambda s: max(s, ORDER - s))]
    assert project in both and both[0] != both[1]
    yield mint("low_s", "project", source="hand", token=both[0])
    yield mint("high_s", "project", source="hand", token=both[1])


def part(token, index):
    return json.loads(fernet.raw(token.split(".")[index]))


def encoded(value):
    data = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return fernet.text(data)


HEADER = {"alg": "ES256", "typ": "JWT"}


def signed(header, claims, key=KEYS["current"], hash_=hashes.SHA256()):
    """The right signature over whatever this is."""
    message = f"{encoded(header)}.{encoded(claims)}"
    return f"{message}.{fernet.text(signature(message.encode(), key, hash_))}"


def with_s(token, change):
    message, _, sent = token.rpartition(".")
    data = fernet.raw(sent)
    s = change(int.from_bytes(data[32:]))
    return f"{message}.{fernet.text(data[:32] + s.to_bytes(32))}"


# Claims to refuse


def claims_negatives():
    """Claims that a strict reader refuses, under the right signature, each for the rule it is named by."""
    good = {
        "sub": fernet.USER,
        "iat": ISSUED,
        "exp": EXPIRES,
        "openstack_methods": ["password"],
        "openstack_audit_ids": [fernet.OWN],
        "openstack_project_id": fernet.PROJECT,
    }
    assert keystone_accepts(signed(HEADER, good))
    without = {f"{name}_absent": {name} for name in list(good)[:5]}
    for name, gone in without.items():
        yield refused(name, {k: v for k, v in good.items() if k not in gone})
    federation = {
        "openstack_group_ids": fernet.groups(fernet.GROUPS[:1]),
        "openstack_idp_id": fernet.PROVIDER,
        "openstack_protocol_id": "openid",
    }
    credential = {"openstack_app_cred_id": fernet.CREDENTIAL}
    changes = {
        "iat_text": {"iat": str(ISSUED)},
        "iat_float": {"iat": ISSUED + 0.5},
        "iat_negative": {"iat": -1},
        "exp_text": {"exp": str(EXPIRES)},
        "exp_float": {"exp": EXPIRES + 0.5},
        "exp_negative": {"exp": -1},
        "exp_10000": {"exp": 253_402_300_800},
        "exp_1e30": {"exp": 10**30},
        "exp_true": {"exp": True},
        "exp_null": {"exp": None},
        "sub_empty": {"sub": ""},
        "sub_number": {"sub": 7},
        "sub_control_character": {"sub": "u\r\nx-roles: admin"},
        "sub_too_long": {"sub": "u" * 65},
        "methods_text": {"openstack_methods": "password"},
        "methods_of_a_number": {"openstack_methods": [2]},
        "methods_comma": {"openstack_methods": ["password,token"]},
        "methods_empty_name": {"openstack_methods": [""]},
        "methods_65": {"openstack_methods": [f"m{n}" for n in range(65)]},
        "audit_ids_empty": {"openstack_audit_ids": []},
        "audit_ids_three": {"openstack_audit_ids": [fernet.OWN] * 3},
        "audit_id_short": {"openstack_audit_ids": [fernet.OWN[:-1]]},
        "audit_id_padded": {"openstack_audit_ids": [fernet.OWN + "=="]},
        "audit_id_trailing_bits": {"openstack_audit_ids": [fernet.OWN[:-1] + "B"]},
        "project_and_domain": {"openstack_domain_id": fernet.DOMAIN},
        "project_and_system": {"openstack_system": "all"},
        "project_id_number": {"openstack_project_id": 7},
        "system_other": {"openstack_project_id": None, "openstack_system": "none"},
        "system_true": {"openstack_project_id": None, "openstack_system": True},
        "trust_without_project": {"openstack_project_id": None, "openstack_trust_id": fernet.TRUST},
        "application_credential_without_project": {"openstack_project_id": None, **credential},
        "application_credential_and_trust": {"openstack_trust_id": fernet.TRUST, **credential},
        "application_credential_and_federation": {**federation, **credential},
        "thumbprint_and_application_credential": {
            "openstack_thumbprint": fernet.THUMBPRINT,
            **credential,
        },
        "thumbprint_and_federation": {"openstack_thumbprint": fernet.THUMBPRINT, **federation},
        "thumbprint_control_character": {"openstack_thumbprint": "thumb\nprint"},
        "trust_and_access_token": {
            "openstack_trust_id": fernet.TRUST,
            "openstack_access_token_id": fernet.ACCESS_TOKEN,
        },
        "federation_of_the_system": {
            "openstack_project_id": None,
            "openstack_system": "all",
            **federation,
        },
        "federation_without_provider": {**federation, "openstack_idp_id": None},
        "federation_without_groups": {**federation, "openstack_group_ids": None},
        "groups_of_texts": {**federation, "openstack_group_ids": fernet.GROUPS[:1]},
        "group_with_a_name": {
            **federation,
            "openstack_group_ids": [{"id": fernet.GROUPS[0], "name": "admins"}],
        },
        "claim_unknown": {"openstack_token_restriction_id": fernet.RESTRICTION},
        "claim_nbf": {"nbf": ISSUED},
        "claim_aud": {"aud": "somebody else"},
    }
    for name, change in changes.items():
        changed = {**good, **change}
        yield refused(name, {k: v for k, v in changed.items() if v is not None or k == "exp"})
    texts = json.dumps(good)
    yield refused("claims_trailing_comma", texts.replace("}", ",}").encode())
    yield refused("claims_twice", (texts + texts).encode())
    yield refused("claims_array", json.dumps([good]).encode())
    yield refused("claims_empty", b"")
    yield refused("claims_not_utf8", texts.encode().replace(b"password", b"pass\xffword"))
    repeated = texts.replace("{", '{"exp": 1, ', 1)
    assert keystone_accepts(signed(HEADER, repeated.encode()))
    yield refused("claim_repeated", repeated.encode())


def refused(name, claims):
    return {"name": name, "token": signed(HEADER, claims)}


# Texts to refuse


def text_negatives(tokens):
    """Texts that are no token of ours, each made from a good one by the change it is named by."""
    good = tokens["project"]
    header, claims, sent = good.split(".")
    data = fernet.raw(sent)
    said = part(good, 1)
    r, s = int.from_bytes(data[:32]), int.from_bytes(data[32:])

    def with_numbers(r, s):
        return f"{header}.{claims}.{fernet.text(r.to_bytes(32) + s.to_bytes(32))}"

    def with_header(header):
        return signed(header, said)

    def hmac_with(key):
        """What a server takes that uses the public key as the secret of an HMAC."""
        message = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{claims}"
        mac = jwt.algorithms.HMACAlgorithm(hashlib.sha256).sign(message.encode(), key)
        return f"{message}.{fernet.text(mac)}"

    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # Each of these spells what a good token says, under a signature that is right, and Keystone takes it.
    misspelt = {
        "header_member_more": ("header", with_header({**HEADER, "x": 1})),
        "header_kid": ("header", with_header({**HEADER, "kid": "current"})),
        "header_jku": ("header", with_header({**HEADER, "jku": "https://keys.example.com/"})),
        "header_jwk": ("header", with_header({**HEADER, "jwk": {"kty": "EC"}})),
        "header_typ_other": ("header", with_header({"alg": "ES256", "typ": "jwt"})),
        "header_typ_absent": ("header", with_header({"alg": "ES256"})),
        "header_spaces": ("header", with_header(json.dumps(HEADER).encode())),
        "header_escape": ("header", with_header(b'{"alg":"ES\\u003256","typ":"JWT"}')),
        "header_repeated_alg": ("header", with_header(b'{"alg":"none","alg":"ES256","typ":"JWT"}')),
        "signature_padding": ("base64url", good + "=="),
    }
    for name, (expect, token) in misspelt.items():
        assert token != good and keystone_accepts(token), name
        yield {"name": name, "token": token, "expect": expect}

    cases = {
        "empty": ("parts", ""),
        "one_part": ("parts", header),
        "two_parts": ("parts", f"{header}.{claims}"),
        "four_parts": ("parts", f"{good}.{sent}"),
        "five_parts": ("parts", f"{header}..{claims}..{sent}"),
        "fernet": ("parts", "gAAAAABpVbmAAA"),
        "header_empty": ("header", f".{claims}.{sent}"),
        "header_none": ("header", f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{claims}."),
        "header_none_with_signature": ("header", with_header({"alg": "none", "typ": "JWT"})),
        "header_hs256_with_the_public_key": ("header", hmac_with(pem(KEYS["current"]))),
        "header_es384": ("header", with_header({"alg": "ES384", "typ": "JWT"})),
        "header_es256k": ("header", with_header({"alg": "ES256K", "typ": "JWT"})),
        "header_rs256": ("header", with_header({"alg": "RS256", "typ": "JWT"})),
        "header_lower_case": ("header", with_header({"alg": "es256", "typ": "JWT"})),
        "header_crit": ("header", with_header({**HEADER, "crit": ["exp"], "exp": EXPIRES})),
        "header_b64": (
            "header",
            with_header({**HEADER, "crit": ["b64"], "b64": False}),
        ),
        "header_array": ("header", with_header([HEADER])),
        "claims_empty_part": ("not_authentic", f"{header}..{sent}"),
        "claims_changed": (
            "not_authentic",
            f"{header}.{encoded({**said, 'sub': fernet.identifier('admin')})}.{sent}",
        ),
        "claims_of_another_token": (
            "not_authentic",
            f"{header}.{tokens['system'].split('.')[1]}.{sent}",
        ),
        "header_of_another_spelling": (
            "not_authentic",
            f"{tokens['header_of_earlier_versions'].split('.')[0]}.{claims}.{sent}",
        ),
        "signature_empty": ("signature", f"{header}.{claims}."),
        "signature_short": ("signature", f"{header}.{claims}.{fernet.text(data[:-1])}"),
        "signature_long": ("signature", f"{header}.{claims}.{fernet.text(data + bytes(1))}"),
        "signature_der": (
            "signature",
            f"{header}.{claims}.{fernet.text(asymmetric_utils.encode_dss_signature(r, s))}",
        ),
        "signature_zero": ("signature", with_numbers(0, 0)),
        "signature_r_zero": ("signature", with_numbers(0, s)),
        "signature_s_zero": ("signature", with_numbers(r, 0)),
        "signature_r_is_the_order": ("signature", with_numbers(ORDER, s)),
        "signature_s_is_the_order": ("signature", with_numbers(r, ORDER)),
        "signature_all_ones": ("signature", with_numbers(2**256 - 1, 2**256 - 1)),
        "signature_one_one": ("not_authentic", with_numbers(1, 1)),
        "signature_swapped": ("not_authentic", with_numbers(s, r)),
        "signature_flipped": ("not_authentic", with_numbers(r, s ^ 1)),
        "signature_first_bit_flipped": ("not_authentic", with_numbers(r ^ 1 << 200, s)),
        "signature_of_sha384": ("not_authentic", signed(HEADER, said, hash_=hashes.SHA384())),
        "foreign_key": ("not_authentic", signed(HEADER, said, KEYS["foreign"])),
        "secp256k1_key": (
            "not_authentic",
            signed(HEADER, said, private_key(b"current", ec.SECP256K1())),
        ),
        "p384_key": ("signature", signed(HEADER, said, private_key(b"current", ec.SECP384R1()))),
        "header_padding": ("header", resigned(f"{header}=", claims)),
        "claims_padding": ("base64url", resigned(header, claims + "=" * (-len(claims) % 4 or 4))),
        "claims_junk_characters": ("base64url", resigned(header, f"{claims[:8]}!!!!{claims[8:]}")),
        "signature_junk_characters": ("base64url", good[:-4] + "!!!!" + good[-4:]),
        "signature_trailing_bits": (
            "base64url",
            good[:-1] + alphabet[alphabet.index(good[-1]) | 1],
        ),
        "newline_at_the_end": ("base64url", good + "\n"),
        "space_at_the_start": ("header", " " + good),
        "truncated_by_character": ("base64url", good[:-1]),
    }
    for name, (expect, token) in cases.items():
        assert not keystone_accepts(token), f"{name}: Keystone takes it"
        yield {"name": name, "token": token, "expect": expect}


def resigned(header, claims):
    """These very parts, under the right signature."""
    message = f"{header}.{claims}"
    return f"{message}.{fernet.text(signature(message.encode(), KEYS['current']))}"


# Keys to refuse


def key_negatives():
    """PEM files that are no public key on P-256 as Keystone writes it."""
    good = pem(KEYS["current"]).decode()
    key = KEYS["current"]

    def of(der):
        body = base64.encodebytes(der).decode()
        return f"-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----\n"

    der = base64.b64decode("".join(good.splitlines()[1:-1]))
    assert of(der).replace("\n", "") == good.replace("\n", "")
    x962, point = serialization.Encoding.X962, serialization.PublicFormat
    compressed = key.public_key().public_bytes(x962, point.CompressedPoint)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    cases = {
        "empty": "",
        "private_key": private,
        "certificate": good.replace("PUBLIC KEY", "CERTIFICATE"),
        "two_keys": good + good,
        "text_before": "a key:\n" + good,
        "text_after": good + "a key",
        "no_end": good.replace("-----END PUBLIC KEY-----", ""),
        "not_base64": good.replace("M", "!", 1),
        "on_one_line": good.replace("\n", " "),
        "p384": pem(private_key(b"current", ec.SECP384R1())).decode(),
        "secp256k1": pem(private_key(b"current", ec.SECP256K1())).decode(),
        "not_on_the_curve": of(der[:-1] + bytes([der[-1] ^ 1])),
        "coordinates_zero": of(der[:27] + bytes(64)),
        "coordinates_all_ones": of(der[:27] + b"\xff" * 64),
        "compressed": of(bytes([0x30, 0x39]) + der[2:24] + bytes([0x22, 0]) + compressed),
        "compressed_under_another_length": of(der[:26] + compressed),
        "hybrid": of(der[:26] + bytes([6 | key.public_key().public_numbers().y & 1]) + der[27:]),
        "at_infinity": of(der[:26] + bytes(1)),
        "truncated": of(der[:-1]),
        "extended": of(der + bytes(1)),
        "another_algorithm": of(der.replace(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0202"))),
    }
    for name, text in cases.items():
        yield {"name": name, "key": text}


if __name__ == "__main__":
    vector_file.run(__doc__, OUTPUT, vectors, "keystone 30", indent=1)
