#!/usr/bin/env python3
"""Writes client-certificates.json: certificates as a proxy tells them, and what Keystone calls them by.

Needs the packages of tests/requirements.txt. What each field means is in README.md beside it.

    python tests/vectors/hash_certificates.py           writes client-certificates.json
    python tests/vectors/hash_certificates.py --check   fails if that would change it
"""

import datetime
import hashlib
import pathlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from keystone.common import utils
from keystonemiddleware.oauth2_mtls_token import OAuth2mTlsProtocol

import vector_file

OUTPUT = pathlib.Path(__file__).with_name("client-certificates.json")

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2056, 1, 1, tzinfo=datetime.UTC)


def vectors():
    names = [("ec", "ann"), ("rsa", "ann"), ("ed25519", "ann")]
    names += [("ec", 'O"Hara; Cert="x", \\'), ("ec", "試 é")]
    # A length for each place at which the last line can end: a line of PEM has 48 bytes.
    names += [("ec", "a" * length) for length in range(1, 49)]
    options = {"auth_type": "none", "www_authenticate_uri": "http://keystone.example/v3"}
    middleware = OAuth2mTlsProtocol(None, options)
    return {"certificates": [vector(middleware, kind, name) for kind, name in names]}


def vector(middleware, kind, name):
    certificate = issued(kind, name)
    der = certificate.public_bytes(Encoding.DER)
    pem = certificate.public_bytes(Encoding.PEM).decode()
    thumbprint = utils.get_certificate_thumbprint(pem)
    assert middleware._confirm_certificate_thumbprint(thumbprint, der)
    assert ssl.DER_cert_to_PEM_cert(der) == pem
    return {
        "name": f"{kind}: {name}",
        "sha256": hashlib.sha256(der).hexdigest(),
        "forwarded": forwarded(certificate, pem, der),
        "thumbprint": thumbprint,
    }


def forwarded(certificate, pem, der):
    """The header's value, as Envoy writes it."""
    encoded = pem
    for character in "\n +/=":
        encoded = encoded.replace(character, f"%{ord(character):02X}")
    subject = certificate.subject.rfc4514_string().replace('"', '\\"')
    return f'Hash={hashlib.sha256(der).hexdigest()};Cert="{encoded}";Subject="{subject}";URI=a'


def issued(kind, name):
    seed = hashlib.sha256(f"{kind} {name}".encode()).digest()
    if kind == "ec":
        key = ec.derive_private_key(int.from_bytes(seed) >> 1, ec.SECP256R1()).public_key()
    elif kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key()
    else:
        # Nobody has the private key: any odd number of that length will do.
        modulus = int.from_bytes(b"\xff" + hashlib.shake_256(seed).digest(254) + b"\x01")
        key = rsa.RSAPublicNumbers(65537, modulus).public_key()
    authority = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"authority").digest())
    builder = x509.CertificateBuilder(
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")]),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]),
        key,
        int.from_bytes(seed[:16]) >> 1,
        BEGIN,
        END,
    )
    return builder.sign(authority, None)


if __name__ == "__main__":
    vector_file.run(__doc__, OUTPUT, vectors, "keystone 30")
