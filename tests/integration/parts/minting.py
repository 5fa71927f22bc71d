"""Tokens and key repositories made by hand, for what no Keystone would make."""

import base64
import pathlib
import time
import uuid

import msgpack
from cryptography.fernet import Fernet, MultiFernet

USER = uuid.uuid5(uuid.NAMESPACE_URL, "user")
PROJECT = uuid.uuid5(uuid.NAMESPACE_URL, "project")
AUDIT = uuid.uuid5(uuid.NAMESPACE_URL, "audit")


def new_key():
    """A Fernet key as its file holds it."""
    return Fernet.generate_key().decode()


def write_repository(directory, keys):
    """A key repository of these keys by number, as `keystone-manage fernet_setup` lays it out."""
    directory = pathlib.Path(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number, key in keys.items():
        (directory / str(number)).write_text(key)
    return directory


def project_payload(*, expires_in=3600.0, user=USER.bytes, version=2):
    """Keystone's payload of a project-scoped token, in MessagePack."""
    expires_at = float(int(time.time() + expires_in))
    fields = [version, [True, user], 2, [True, PROJECT.bytes], expires_at, [AUDIT.bytes]]
    return msgpack.packb(fields, use_bin_type=True)


def seal(key, payload, issued_at=None):
    """A token around a payload, spelt as Keystone spells it: without padding."""
    issued_at = int(time.time()) if issued_at is None else issued_at
    return Fernet(key).encrypt_at_time(payload, issued_at).decode().rstrip("=")


def decoded(token):
    """The bytes of a token."""
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def encoded(octets):
    """The token of these bytes."""
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def aged(keystone, token, seconds):
    """The token, as it would be if it had been issued, with all that it rests on, so long before."""
    keys = sorted(keystone.key_repository.iterdir(), key=lambda file: -int(file.name))
    fernet = MultiFernet([Fernet(key.read_text()) for key in keys])
    padded = (token + "=" * (-len(token) % 4)).encode()
    issued_at = fernet.extract_timestamp(padded)
    fields = msgpack.unpackb(fernet.decrypt(padded))
    # The end is the only number with a fraction.
    fields = [field - seconds if isinstance(field, float) else field for field in fields]
    payload = msgpack.packb(fields, use_bin_type=True)
    return seal(keys[0].read_text(), payload, issued_at - seconds)
