#!/usr/bin/env python3
"""Mints keystone-30.json, the Fernet tokens that this project's readers are tested against.

The tokens are made, and read back, by Keystone's own `keystone.token.token_formatters`, so the file
holds what Keystone 30 says about them and not what we believe. Needs the packages of
tests/requirements.txt; needs no database and no running Keystone. What each section of the file
means is in README.md beside it.

    python tests/vectors/mint_keystone.py           writes keystone-30.json
    python tests/vectors/mint_keystone.py --check   fails if that would change it

The output is the same byte for byte each time: `frozen` below says how.
"""

import base64
import contextlib
import datetime
import hashlib
import importlib.metadata
import math
import pathlib
import tempfile
import types
import unittest.mock
import uuid

import msgpack
from cryptography import fernet
from cryptography.hazmat.primitives import ciphers, hashes, hmac
from cryptography.hazmat.primitives.ciphers import algorithms, modes

import keystone.conf
from keystone import exception
from keystone.token import token_formatters

import vector_file

CONF = keystone.conf.CONF
OUTPUT = pathlib.Path(__file__).with_name("keystone-30.json")


def key(signing, encryption):
    """A Fernet key as its file holds it: 44 characters, without a newline."""
    assert len(signing) == len(encryption) == 16
    return base64.urlsafe_b64encode(signing + encryption).decode()


PRIMARY, SECONDARY, STAGED = 2, 1, 0
KEYS = {
    PRIMARY: key(b"primary-hmac-key", b"primary-aes--key"),
    SECONDARY: key(b"second--hmac-key", b"second--aes--key"),
    STAGED: key(b"staged--hmac-key", b"staged--aes--key"),
}
FOREIGN = key(b"foreign-hmac-key", b"foreign-aes--key")

# [auth] methods as Keystone 30 ships it. Bit i of a token's bitmask is the i-th of these.
DEFAULT_METHODS = [
    "external",
    "password",
    "token",
    "oauth1",
    "mapped",
    "application_credential",
    "ec2credential",
]
NINE_METHODS = [*DEFAULT_METHODS, "totp", "oauth2_credential"]

ISSUED = 1_767_225_600  # 2026-01-01T00:00:00Z
EXPIRES = 4_102_444_800.0  # 2100-01-01T00:00:00Z

KINDS = {
    0: "unscoped",
    1: "domain",
    2: "project",
    3: "trust",
    4: "federated_unscoped",
    5: "federated_project",
    6: "federated_domain",
    7: "oauth1",
    8: "system",
    9: "application_credential",
    10: "oauth2_credential",
    11: "restricted",
}
CLASSES = {c.version: c for c in token_formatters._PAYLOAD_CLASSES}


def identifier(what):
    """An id as Keystone makes them (32 hexadecimal digits), the same each time."""
    return uuid.uuid5(uuid.NAMESPACE_URL, what).hex


def audit_id(what):
    """22 characters: base64url without padding of 16 bytes."""
    return base64.urlsafe_b64encode(uuid.UUID(identifier(what)).bytes).decode().rstrip("=")


USER = identifier("user")
PROJECT = identifier("project")
DOMAIN = identifier("domain")
TRUST = identifier("trust")
PROVIDER = identifier("identity provider")
ACCESS_TOKEN = identifier("access token")
CREDENTIAL = identifier("application credential")
RESTRICTION = identifier("token restriction")
GROUPS = [identifier(f"group {i}") for i in range(20)]
# The public id that Keystone gives a user or group of LDAP: SHA-256 of domain, kind and local id.
LDAP_USER = hashlib.sha256(b"user of a directory").hexdigest()
LDAP_GROUPS = [hashlib.sha256(b"group %d of a directory" % i).hexdigest() for i in range(3)]
# As keystone.common.utils.get_certificate_thumbprint: padded base64url of a SHA-256.
THUMBPRINT = base64.urlsafe_b64encode(hashlib.sha256(b"certificate").digest()).decode()
OWN, ROOT = audit_id("own"), audit_id("root of the chain")


# Sealing


RINGS = {}


def configure(directory):
    """Gives Keystone the little configuration that its formatter reads."""
    keystone.conf.configure()
    CONF([], project="keystone", default_config_files=[], default_config_dirs=[])
    assert CONF.auth.methods == DEFAULT_METHODS
    assert CONF.identity.default_domain_id == "default"
    # Keystone seals with the highest-numbered key. What a secondary or a staged key sealed was
    # therefore sealed before the last rotation, or on a node that rotated earlier than we did.
    rings = {
        PRIMARY: KEYS,
        SECONDARY: {1: KEYS[SECONDARY], 0: KEYS[PRIMARY]},
        STAGED: {3: KEYS[STAGED], 2: KEYS[PRIMARY]},
        "foreign": {1: FOREIGN},
    }
    for name, ring in rings.items():
        repository = pathlib.Path(directory, str(name))
        repository.mkdir(mode=0o700)
        for number, key_text in ring.items():
            (repository / str(number)).write_text(key_text)
        RINGS[name] = str(repository)
    CONF.set_override("key_repository", RINGS[PRIMARY], "fernet_tokens")


@contextlib.contextmanager
def sealing_with(ring):
    CONF.set_override("key_repository", RINGS[ring], "fernet_tokens")
    try:
        yield
    finally:
        CONF.set_override("key_repository", RINGS[PRIMARY], "fernet_tokens")


@contextlib.contextmanager
def frozen(name, issued_at):
    """Makes what Fernet takes from chance and from the clock depend on the vector's name alone.

    `cryptography.fernet` calls `os.urandom(16)` for the IV and `time.time()` for the timestamp.
    The names `os` and `time` of that one module are replaced while a token is sealed; the rest of
    the process keeps the real ones. `minted` asserts that both arrived in the token.
    """
    source = types.SimpleNamespace(urandom=lambda n: iv_of(name)[:n])
    clock = types.SimpleNamespace(time=lambda: issued_at)
    with (
        unittest.mock.patch.object(fernet, "os", source),
        unittest.mock.patch.object(fernet, "time", clock),
    ):
        yield


def iv_of(name):
    return hashlib.sha256(b"iv of " + name.encode()).digest()[:16]


def issued_at_of(name):
    """Some time within the day after `ISSUED`: not the same for all, so that a mix-up shows."""
    digest = hashlib.sha256(b"issue of " + name.encode()).digest()
    return ISSUED + int.from_bytes(digest[:2], "big")


def minted(name, make, ring=PRIMARY, issued_at=None):
    """The token that `make` seals, and when it was issued by its own words."""
    if issued_at is None:
        issued_at = issued_at_of(name)
    with sealing_with(ring), frozen(name, issued_at):
        token = make(token_formatters.TokenFormatter())
    data = raw(token)
    assert data[1:9] == issued_at.to_bytes(8, "big") and data[9:25] == iv_of(name), name
    return token, issued_at


def raw(token):
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def text(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


# Tokens to accept


def mint(name, version, **options):
    """A token exactly as Keystone makes it."""

    def make(formatter, fields):
        return formatter.create_token(
            fields["user_id"],
            fields["expires_at"],
            fields["audit_ids"],
            CLASSES[version],
            **{k: v for k, v in fields.items() if k not in ("user_id", "expires_at", "audit_ids")},
        )

    return positive(name, version, make, "keystone", **options)


def mint_old(name, version, **options):
    """A token as a Keystone on msgpack before 1.0 made it.

    It knew no `bin` type: ids are written with the type of strings, and `str8` is not used.
    Keystone reads such a payload once it has failed to be UTF-8.
    """

    def make(formatter, fields):
        payload = msgpack.packb((version, *assembled(version, fields)), use_bin_type=False)
        try:
            msgpack.unpackb(payload)
        except UnicodeDecodeError:
            return formatter.pack(payload)
        raise AssertionError(f"{name}: all its ids are UTF-8 by chance")

    return positive(name, version, make, "hand", **options)


def mint_changed(name, version, change, **options):
    """A token whose fields Keystone assembled, with `change` applied before they are packed."""

    def make(formatter, fields):
        return formatter.pack(msgpack.packb(change([version, *assembled(version, fields)])))

    return positive(name, version, make, "hand", **options)


def assembled(version, fields):
    """Keystone's payload, before it is packed."""
    return CLASSES[version].assemble(
        fields["user_id"],
        fields["methods"],
        fields.get("system"),
        fields.get("project_id"),
        fields.get("domain_id"),
        fields["expires_at"],
        fields["audit_ids"],
        fields.get("trust_id"),
        fields.get("federated_group_ids"),
        fields.get("identity_provider_id"),
        fields.get("protocol_id"),
        fields.get("access_token_id"),
        fields.get("app_cred_id"),
        fields.get("thumbprint"),
    )


def positive(
    name,
    version,
    make,
    source,
    ring=PRIMARY,
    issued_at=None,
    auth_methods=None,
    expires_at=EXPIRES,
    reads_as=None,
    keystone_reads=True,
    **fields,
):
    """One entry of the section `positive`.

    `fields` are named as `create_token` names them, and override those that the version has by
    default. `reads_as` says which of them Keystone reads back otherwise than they were given.
    """
    fields = {
        "user_id": USER,
        "methods": ["password"],
        "audit_ids": [OWN],
        **FIELDS.get(version, {}),
        **fields,
        "expires_at": iso(expires_at),
    }
    CONF.set_override("methods", auth_methods or DEFAULT_METHODS, "auth")
    token, issued_at = minted(name, lambda formatter: make(formatter, fields), ring, issued_at)
    payload = token_formatters.TokenFormatter().unpack(token)
    unpacked = msgpack.unpackb(payload, raw=True)
    assert unpacked[0] == version and expires_at in unpacked, name
    fields |= {"expires_at": iso(int(expires_at)), "issued_at": iso(issued_at), **(reads_as or {})}
    if keystone_reads:
        read = keystone_read(token)
        wanted = {field: fields.get(field) for field in read}
        assert sorted(read["methods"]) == sorted(wanted["methods"]), (name, read, wanted)
        assert read == {**wanted, "methods": read["methods"]}, (name, read, wanted)
        fields |= read
    CONF.clear_override("methods", "auth")
    vector = {
        "name": name,
        "source": source,
        "keystone_reads": keystone_reads,
        "token": token,
        "key_id": ring,
        "version": version,
        "kind": KINDS[version],
        "user_id": fields["user_id"],
        "auth_methods": auth_methods,
        "methods": fields["methods"],
        "methods_bitmask": unpacked[2],
        "expires_at": float(expires_at),
        "expires_at_text": fields["expires_at"],
        "issued_at": issued_at,
        "issued_at_text": fields["issued_at"],
        "audit_ids": fields["audit_ids"],
        "scope": present({k: fields.get(k) for k in ("project_id", "domain_id", "system")}),
        "trust_id": fields.get("trust_id"),
        "group_ids": None,
        "identity_provider_id": fields.get("identity_provider_id"),
        "protocol_id": fields.get("protocol_id"),
        "access_token_id": fields.get("access_token_id"),
        "application_credential_id": fields.get("app_cred_id"),
        "thumbprint": fields.get("thumbprint"),
        "token_restriction_id": fields.get("token_restriction_id"),
        "allow_renew": fields.get("allow_renew"),
        "allow_rescope": fields.get("allow_rescope"),
        "payload_hex": payload.hex(),
    }
    if fields.get("federated_group_ids") is not None:
        vector["group_ids"] = [group["id"] for group in fields["federated_group_ids"]]
    return present(vector)


def present(values):
    return {name: value for name, value in values.items() if value is not None}


def keystone_read(token):
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
    return dict(zip(names, token_formatters.TokenFormatter().validate_token(token), strict=True))


def iso(seconds):
    """A time as Keystone writes it, with six digits after the second."""
    time = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def groups(ids):
    return [{"id": i} for i in ids]


# What a version's fields are, where a vector says nothing else.
FEDERATION = {
    "methods": ["mapped"],
    "federated_group_ids": groups(GROUPS[:3]),
    "identity_provider_id": PROVIDER,
    "protocol_id": "openid",
}
FIELDS = {
    1: {"domain_id": DOMAIN},
    2: {"project_id": PROJECT},
    3: {"project_id": PROJECT, "trust_id": TRUST},
    4: FEDERATION,
    5: {**FEDERATION, "project_id": PROJECT},
    6: {**FEDERATION, "domain_id": DOMAIN},
    7: {"methods": ["oauth1"], "project_id": PROJECT, "access_token_id": ACCESS_TOKEN},
    8: {"system": "all"},
    9: {"methods": ["application_credential"], "project_id": PROJECT, "app_cred_id": CREDENTIAL},
    # Keystone issues these for its method oauth2_credential, which its default [auth] methods does
    # not name: no bit stands for it.
    10: {"methods": [], "project_id": PROJECT, "thumbprint": THUMBPRINT},
}


def positives():
    yield from (mint(KINDS[version], version) for version in CLASSES)
    yield from text_ids()
    yield from two_audit_ids()
    yield from methods()
    yield from federated_groups()
    yield from times()
    yield from keys()
    yield from old_msgpack()
    yield from rust_keystone()


def text_ids():
    """Ids that are no UUIDs are kept as text, behind a flag.

    A trust's id must be a UUID. So must the domain's of version 1, unless it is Keystone's
    [identity] default_domain_id.
    """
    directory = {"user_id": LDAP_USER}
    federation = {
        **directory,
        "federated_group_ids": groups(LDAP_GROUPS),
        "identity_provider_id": "corporate-directory",
        "protocol_id": "saml2",
    }
    yield mint("unscoped_text_ids", 0, **directory)
    yield mint("domain_text_ids", 1, **directory, domain_id="default")
    yield mint("domain_default", 1, domain_id="default")
    yield mint("domain_uuid_text_user", 1, **directory)
    yield mint("project_text_ids", 2, **directory, project_id="services")
    yield mint("project_text_user", 2, **directory)
    yield mint("project_text_id_of_16_characters", 2, project_id="no-packed-uuid--")
    yield mint("project_text_id_of_31_characters", 2, project_id="p" * 31)
    yield mint("project_text_id_of_32_characters", 2, project_id="p" * 32)
    yield mint("trust_text_ids", 3, **directory, project_id="services")
    yield mint("federated_unscoped_text_ids", 4, **federation)
    yield mint("federated_project_text_ids", 5, **federation, project_id="services")
    yield mint("federated_domain_text_ids", 6, **federation, domain_id="default")
    yield mint("federated_protocol_of_64_characters", 4, protocol_id="q" * 64)
    yield mint(
        "oauth1_text_ids", 7, **directory, project_id="services", access_token_id="access-token"
    )
    yield mint("system_text_ids", 8, **directory)
    yield mint(
        "application_credential_text_ids", 9, **directory, project_id="services", app_cred_id="ci"
    )
    yield mint("oauth2_credential_text_ids", 10, **directory, project_id="services")
    # Anything that Python's uuid.UUID understands is packed, and comes back as 32 digits.
    dashed = str(uuid.UUID(PROJECT))
    yield mint(
        "project_dashed_uuid", 2, project_id=dashed, reads_as={"project_id": PROJECT}
    )


def two_audit_ids():
    """A token made from a token names its own audit id, then that of the first in the chain."""
    for version in (0, 2, 5, 8):
        methods = ["mapped", "token"] if version == 5 else ["password", "token"]
        yield mint(f"{KINDS[version]}_rescoped", version, audit_ids=[OWN, ROOT], methods=methods)


def methods():
    """The bitmask of methods. Keystone names them from the highest bit down."""
    yield mint("methods_external", 2, methods=["external"])
    yield mint("methods_ec2credential", 2, methods=["ec2credential"])
    yield mint("methods_three", 2, methods=["external", "password", "ec2credential"])
    yield mint("methods_all", 2, methods=DEFAULT_METHODS)
    yield mint("methods_none", 2, methods=[])
    yield mint("methods_eighth", 2, methods=["password", "totp"], auth_methods=NINE_METHODS)
    yield mint(
        "methods_ninth", 10, methods=["oauth2_credential"], auth_methods=NINE_METHODS
    )
    yield mint("methods_all_nine", 2, methods=NINE_METHODS, auth_methods=NINE_METHODS)
    # 130 is password and an eighth method. Where only seven are configured Keystone can subtract
    # no power of two from it, and names none at all.
    yield mint_changed(
        "methods_unknown_bit", 2, lambda p: [*p[:2], 130, *p[3:]], reads_as={"methods": []}
    )


def federated_groups():
    for count in (0, 1, 20):
        yield mint(
            f"federated_unscoped_groups_{count}", 4, federated_group_ids=groups(GROUPS[:count])
        )
    mixed = groups([GROUPS[0], LDAP_GROUPS[0]])
    yield mint("federated_project_groups_mixed", 5, federated_group_ids=mixed)
    yield mint("federated_project_groups_20", 5, federated_group_ids=groups(GROUPS))
    yield mint("federated_domain_groups_1", 6, federated_group_ids=groups(GROUPS[:1]))


def times():
    yield mint("expired_in_2020", 2, expires_at=1_577_836_800.0, issued_at=1_577_833_200)
    yield mint("expired_when_issued", 8, expires_at=float(ISSUED), issued_at=ISSUED)
    # Keystone drops the fraction of a second, and so compares the whole second with its clock.
    yield mint("expires_within_a_second", 2, expires_at=EXPIRES + 0.5)
    # Nothing writes it, Keystone reads it.
    for version in (2, 8):
        yield mint_changed(
            f"{KINDS[version]}_expires_at_integer",
            version,
            lambda p: [*p[:4], int(p[4]), *p[5:]],
        )
    # Keystone decides nothing by the time of issue.
    yield mint("issued_in_1970", 2, issued_at=0)
    yield mint("issued_in_2099", 2, issued_at=4_070_908_800)


def keys():
    yield mint("sealed_with_the_secondary_key", 2, ring=SECONDARY)
    yield mint("sealed_with_the_staged_key", 2, ring=STAGED)


def old_msgpack():
    for version in (0, 1, 2, 3, 4, 5, 7, 8, 9):
        yield mint_old(f"old_msgpack_{KINDS[version]}", version)
    yield mint_old("old_msgpack_domain_default", 1, domain_id="default")
    yield mint_old("old_msgpack_project_text_ids", 2, user_id=LDAP_USER, project_id="services")
    yield mint_old("old_msgpack_project_rescoped", 2, audit_ids=[OWN, ROOT])


def rust_keystone():
    """What the Rust Keystone (openstack-experimental/keystone) writes and Keystone does not.

    The two can share one key repository. The Rust one has a version 11, writes the text of an id
    with msgpack's `bin` type, and flags the ids of version 1's domain and version 3's trust, which
    Keystone writes bare. After its crates/token-driver-fernet/src; it was not run for this.
    """

    def pair(value):
        try:
            return [True, uuid.UUID(value).bytes]
        except ValueError:
            return [False, value.encode()]

    def seal(version, *fields):
        return lambda formatter, _: formatter.pack(msgpack.packb([version, *fields]))

    audit_ids = [uuid.UUID(identifier("own")).bytes]
    for name, user, project, restriction, renew, rescope in (
        ("restricted", USER, PROJECT, RESTRICTION, True, False),
        ("restricted_text_ids", LDAP_USER, "services", "read-only", False, True),
    ):
        yield positive(
            name,
            11,
            seal(
                11,
                pair(user),
                2,
                pair(restriction),
                EXPIRES,
                pair(project),
                renew,
                rescope,
                audit_ids,
            ),
            "hand",
            keystone_reads=False,
            user_id=user,
            project_id=project,
            token_restriction_id=restriction,
            allow_renew=renew,
            allow_rescope=rescope,
        )
    yield positive(
        "rust_project_text_ids",
        2,
        seal(2, pair(LDAP_USER), 2, pair("services"), EXPIRES, audit_ids),
        "hand",
        user_id=LDAP_USER,
        project_id="services",
    )
    for name, domain in (("rust_domain", DOMAIN), ("rust_domain_default", "default")):
        yield positive(
            name,
            1,
            seal(1, pair(USER), 2, pair(domain), EXPIRES, audit_ids),
            "hand",
            keystone_reads=False,
            domain_id=domain,
        )
    yield positive(
        "rust_trust",
        3,
        seal(3, pair(USER), 2, pair(PROJECT), EXPIRES, audit_ids, pair(TRUST)),
        "hand",
        keystone_reads=False,
    )


# Payloads to refuse


def negatives():
    """Payloads that a strict reader refuses, each for the one rule that it is named by.

    Every one is sealed by Keystone with the primary key: the envelope is right.
    """
    packed = msgpack.packb
    malformed, unknown = "payload_malformed", "payload_version_unknown"
    user, project = (uuid.UUID(i).bytes for i in (USER, PROJECT))
    own, root = (uuid.UUID(identifier(i)).bytes for i in ("own", "root of the chain"))

    def array(*items):
        """A short array of items that are packed already."""
        return bytes([0x90 | len(items)]) + b"".join(items)

    def project_token(
        version=2,
        user_id=(True, user),
        methods=2,
        project_id=(True, project),
        expires_at=EXPIRES,
        audit_ids=(own,),
    ):
        return packed([version, user_id, methods, project_id, expires_at, audit_ids])

    def with_project(item):
        """A project's token in which the project's id is `item`, packed already."""
        return array(
            packed(2), packed([True, user]), packed(2), item, packed(EXPIRES), packed([own])
        )

    def federated(group_ids, protocol=packed("openid")):
        """A federated unscoped token; both arguments are packed already."""
        return array(
            packed(4),
            packed([True, user]),
            packed(16),
            group_ids,
            packed([True, uuid.UUID(PROVIDER).bytes]),
            protocol,
            packed(EXPIRES),
            packed([own]),
        )

    good = project_token()
    group = packed([True, uuid.UUID(GROUPS[0]).bytes])
    not_utf8 = packed([False, b"\xff\xfeproject"], use_bin_type=False)
    cases = {
        # The array as a whole.
        "payload_empty": b"",
        "payload_not_array": packed("token"),
        "payload_trailing_byte": good + b"\xc0",
        "payload_array_empty": packed([]),
        "payload_array_one_short": packed(msgpack.unpackb(good)[:-1]),
        "payload_array_one_long": packed([*msgpack.unpackb(good), None]),
        "payload_truncated": good[:-1],
        "map_instead_of_array": packed(dict(enumerate(msgpack.unpackb(good)))),
        "array32_length_lies": b"\xdd\xff\xff\xff\xff" + good[1:],
        "array32_length_lies_by_one": b"\xdd\x00\x00\x00\x07" + good[1:],
        "str32_length_lies": with_project(array(packed(False), b"\xdb\xff\xff\xff\xffproject")),
        "bin32_length_lies": with_project(array(packed(True), b"\xc6\xff\xff\xff\xff" + project)),
        "deep_nesting": with_project(b"\x91" * 1000 + packed(None)),
        "ext_type": project_token(expires_at=msgpack.Timestamp(int(EXPIRES))),
        "reserved_type": with_project(b"\xc1"),
        # The version. 258 is 2 in the lowest byte.
        "version_12": (unknown, project_token(version=12)),
        "version_258": (unknown, project_token(version=258)),
        "version_negative": project_token(version=-1),
        "version_string": project_token(version="2"),
        # Ids.
        "user_id_15_bytes": project_token(user_id=(True, user[:15])),
        "user_id_17_bytes": project_token(user_id=(True, user + b"\0")),
        "user_id_nil": project_token(user_id=(False, None)),
        "user_id_bare": project_token(user_id=user),
        "id_pair_wrong_length": project_token(project_id=(True, project, None)),
        "id_pair_one_element": project_token(project_id=(True,)),
        "id_flag_not_bool": project_token(project_id=(1, project)),
        "id_text_empty": project_token(project_id=(False, "")),
        "id_text_control_character": project_token(project_id=(False, "p\r\nx-roles: admin")),
        "id_text_nul": project_token(project_id=(False, "project\0")),
        "id_text_del": project_token(project_id=(False, "project\x7f")),
        "id_text_too_long": project_token(project_id=(False, "p" * 65)),
        "id_text_not_utf8": with_project(not_utf8),
        "id_text_integer": project_token(project_id=(False, 7)),
        "domain_id_15_bytes": packed([1, [True, user], 2, project[:15], EXPIRES, [own]]),
        "trust_id_15_bytes": packed(
            [3, [True, user], 2, [True, project], EXPIRES, [own], own[:15]]
        ),
        "trust_id_nil": packed([3, [True, user], 2, [True, project], EXPIRES, [own], None]),
        # Methods.
        "methods_negative": project_token(methods=-2),
        "methods_string": project_token(methods="password"),
        "methods_float": project_token(methods=2.0),
        # The expiry. 1e12 lies in the year 33658.
        "expiry_nan": project_token(expires_at=math.nan),
        "expiry_infinite": project_token(expires_at=math.inf),
        "expiry_negative": project_token(expires_at=-1.0),
        "expiry_negative_integer": project_token(expires_at=-1),
        "expiry_1e12": project_token(expires_at=1e12),
        "expiry_1e12_integer": project_token(expires_at=10**12),
        "expiry_string": project_token(expires_at=iso(EXPIRES)),
        "expiry_nil": project_token(expires_at=None),
        # Audit ids.
        "audit_ids_empty": project_token(audit_ids=()),
        "audit_ids_three": project_token(audit_ids=(own, root, root)),
        "audit_id_15_bytes": project_token(audit_ids=(own[:15],)),
        "audit_id_text": project_token(audit_ids=(OWN,)),
        "audit_ids_not_array": project_token(audit_ids=own),
        # What the other versions add. All 10,000 groups would take 190 KB: 20 of them are there.
        "groups_10000": federated(b"\xdc\x27\x10" + group * 20),
        "groups_not_array": federated(group[2:]),
        "protocol_control_character": federated(array(group), packed("openid\r\nx-roles: admin")),
        "protocol_too_long": federated(array(group), packed("q" * 65)),
        "system_scope_other": packed([8, [True, user], 2, "none", EXPIRES, [own]]),
        # Keystone's formatter can write both, but Keystone never asks it to.
        "scope_project_and_domain": packed(
            [
                10,
                [True, user],
                0,
                [True, project],
                [False, "default"],
                EXPIRES,
                [own],
                [False, "thumbprint"],
            ]
        ),
        "thumbprint_control_character": packed(
            [
                10,
                [True, user],
                0,
                [True, project],
                [False, None],
                EXPIRES,
                [own],
                [False, "thumb\nprint"],
            ]
        ),
        "restricted_flag_not_bool": packed(
            [11, [True, user], 2, [True, root], EXPIRES, [True, project], 1, False, [own]]
        ),
    }
    assert keystone_accepts(good) and keystone_accepts(federated(array(group)))
    for name, case in cases.items():
        expect, payload = case if isinstance(case, tuple) else (malformed, case)
        token, _ = minted(name, lambda formatter: formatter.pack(payload))
        assert token_formatters.TokenFormatter().unpack(token) == payload, name
        yield {"name": name, "token": token, "expect": expect, "payload_hex": payload.hex()}


def keystone_accepts(payload):
    token, _ = minted("a payload that negatives are made from", lambda f: f.pack(payload))
    return keystone_read(token)["user_id"] == USER


# Envelopes to refuse


def envelope_negatives(tokens):
    """Texts that are no token of ours, each made from a good one by the change it is named by.

    `tokens` are the good ones, by the names of their vectors.
    """
    malformed, not_authentic = "token_malformed", "token_not_authentic"
    good = tokens["project"]
    data = raw(good)
    length = len(data)
    assert length == 25 + 80 + 32

    def flipped(at, bit=0x01):
        return text(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])

    def with_hmac(signed):
        """`signed` with the right HMAC of the primary key."""
        mac = hmac.HMAC(base64.urlsafe_b64decode(KEYS[PRIMARY])[:16], hashes.SHA256())
        mac.update(signed)
        return text(signed + mac.finalize())

    def with_plaintext(padded):
        """The right HMAC over whole blocks whose padding is as it comes."""
        aes = algorithms.AES(base64.urlsafe_b64decode(KEYS[PRIMARY])[16:])
        encryptor = ciphers.Cipher(aes, modes.CBC(data[9:25])).encryptor()
        return with_hmac(data[:25] + encryptor.update(padded) + encryptor.finalize())

    payload = token_formatters.TokenFormatter().unpack(good)
    padded = payload + bytes([80 - len(payload)]) * (80 - len(payload))
    assert with_plaintext(padded) == good and with_hmac(data[:-32]) == good

    # Each of these spells the very bytes of a token that is good: only the spelling is wrong.
    unscoped = tokens["unscoped"]
    assert len(unscoped) % 4 == 2 and len(good) % 4 == 3
    dashed = tokens["federated_unscoped"]
    assert "-" in dashed or "_" in dashed
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(good[-1])
    assert last & 0b11 == 0
    misspelt = {
        "padding_equals_signs": (unscoped + "==", unscoped),
        "padding_equals_signs_too_many": (good + "====", good),
        "standard_alphabet": (dashed.replace("-", "+").replace("_", "/"), dashed),
        "junk_character_inside": (good[:50] + "!" + good[50:], good),
        # A lenient decoder counts the padding right again after four of them.
        "junk_characters_inside_four": (good[:50] + "!!!!" + good[50:], good),
        "space_inside": (good[:50] + " " + good[50:], good),
        "space_at_the_start": (" " + good, good),
        "newline_at_the_end": (good + "\n", good),
        "nul_at_the_end": (good + "\0", good),
        "not_ascii": (good[:50] + "\u00e9" + good[50:], good),
        "nontrivial_trailing_bits": (good[:-1] + alphabet[last | 0b01], good),
        "nontrivial_trailing_bits_of_four": (
            unscoped[:-1] + alphabet[alphabet.index(unscoped[-1]) | 0b1000],
            unscoped,
        ),
    }
    for name, (spelt, token) in misspelt.items():
        letters = spelt.translate({ord("+"): "-", ord("/"): "_"})
        letters = "".join(c for c in letters if c in alphabet)
        assert spelt != token and raw(letters) == raw(token), name
        yield {"name": name, "token": spelt, "expect": malformed}

    cases = {
        "empty": (malformed, ""),
        # Where the cut falls between blocks the layout is that of a shorter token.
        "truncated_to_one_character": (malformed, good[:1]),
        "truncated_to_version_byte": (malformed, text(data[:1])),
        "truncated_in_timestamp": (malformed, text(data[:5])),
        "truncated_in_iv": (malformed, text(data[:20])),
        "truncated_before_ciphertext": (malformed, text(data[:25])),
        "truncated_in_ciphertext": (malformed, text(data[:100])),
        "truncated_by_hmac": (not_authentic, text(data[:-32])),
        "truncated_by_block": (not_authentic, text(data[:-16])),
        "truncated_by_byte": (malformed, text(data[:-1])),
        "truncated_by_character": (malformed, good[:-1]),
        "extended_by_byte": (malformed, text(data + b"\0")),
        "extended_by_block": (not_authentic, text(data + bytes(16))),
        "token_twice": (malformed, good + good),
        # Right HMACs over what is no envelope.
        "version_byte_0x81": (malformed, with_hmac(b"\x81" + data[1:-32])),
        "version_byte_0x00": (malformed, with_hmac(b"\x00" + data[1:-32])),
        "empty_ciphertext": (malformed, with_hmac(data[:25])),
        "ciphertext_not_multiple_of_16": (malformed, with_hmac(data[:-33])),
        "bad_pkcs7_padding": (malformed, with_plaintext(padded[:-2] + b"\0\x09")),
        "bad_pkcs7_padding_zero": (malformed, with_plaintext(padded[:-1] + b"\0")),
        "bad_pkcs7_padding_seventeen": (malformed, with_plaintext(padded[:-17] + b"\x11" * 17)),
        # Right layouts with wrong HMACs.
        "timestamp_flipped": (not_authentic, flipped(8)),
        "iv_flipped": (not_authentic, flipped(9)),
        "ciphertext_flipped": (not_authentic, flipped(25)),
        "hmac_flipped": (not_authentic, flipped(length - 1)),
        "hmac_first_bit_flipped": (not_authentic, flipped(length - 32, 0x80)),
        "hmac_zero": (not_authentic, text(data[:-32] + bytes(32))),
        "hmac_of_another_token": (
            not_authentic,
            text(data[:-32] + raw(tokens["system"])[-32:]),
        ),
        "foreign_key": (
            not_authentic,
            minted("foreign_key", lambda formatter: formatter.pack(payload), "foreign")[0],
        ),
    }
    for name, (expect, token) in cases.items():
        try:
            token_formatters.TokenFormatter().unpack(token)
        except exception.ValidationError:
            yield {"name": name, "token": token, "expect": expect}
        else:
            raise AssertionError(f"{name}: Keystone opens it")


# The file


def vectors():
    with tempfile.TemporaryDirectory() as directory:
        configure(directory)
        accepted = list(positives())
        refused = list(negatives())
        envelopes = list(envelope_negatives({v["name"]: v["token"] for v in accepted}))
    for section in (accepted, refused, envelopes):
        names = [vector["name"] for vector in section]
        assert len(set(names)) == len(names), names
        # All of them pass a filter that looks at 4096 characters at most.
        assert all(len(vector["token"]) <= 4096 for vector in section)
    return {
        "comment": "Written by mint_keystone.py. The keys are for tests and open nothing else.",
        "keystone": importlib.metadata.version("keystone"),
        "auth_methods": DEFAULT_METHODS,
        "default_domain_id": "default",
        "keys": [{"id": number, "key": KEYS[number]} for number in sorted(KEYS, reverse=True)],
        "positive": accepted,
        "negative": refused,
        "envelope_negative": envelopes,
    }


if __name__ == "__main__":
    vector_file.run(__doc__, OUTPUT, vectors, "keystone 30", indent=1)
