"""Certificate authorities for a test's lifetime, and what they sign."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Authority:
    """A certificate authority; `path` is its own certificate in PEM."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = _name(name)
        extension = x509.BasicConstraints(ca=True, path_length=0)
        certificate = self._certificate(self.subject, self.key, extension)
        self.path = self._write(f"{name}.crt", certificate)

    def issue(self, name, file=None):
        """The paths of a certificate for a host, an address or a client, and of its key.

        Of one name there can be several, in files of other names.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            alternative = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            alternative = x509.DNSName(name)
        extension = x509.SubjectAlternativeName([alternative])
        certificate = self._certificate(_name(name), key, extension)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        prefix = f"{self.name}-{file or name}"
        return self._write(f"{prefix}.crt", certificate), self._write(f"{prefix}.key", pem)

    def _certificate(self, subject, key, extension):
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(
            self.subject, subject, key.public_key(), x509.random_serial_number()
        )
        builder = builder.not_valid_before(now - datetime.timedelta(minutes=1))
        builder = builder.not_valid_after(now + datetime.timedelta(hours=1))
        builder = builder.add_extension(extension, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _write(self, name, pem):
        path = self.directory / name
        path.touch(0o600)
        path.write_bytes(pem)
        return path


def _name(name):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
