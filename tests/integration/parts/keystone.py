"""A whole Keystone: a database, its own key repositories, uWSGI."""

import fcntl
import grp
import hashlib
import importlib.metadata
import os
import pathlib
import pwd
import shutil
import subprocess
import sys

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from parts.deadline import wait_until
from parts.minting import new_key, write_repository
from parts.programs import target
from parts.uwsgi import Uwsgi

ADMIN_PASSWORD = "admin-password-of-the-tests"

CONFIGURATION = """\
[DEFAULT]
use_stderr = true
[database]
connection = {connection}
[token]
provider = fernet
[fernet_tokens]
key_repository = {directory}/fernet-keys/
# Tokens must outlive the rotations of the tests: an active key for each, and some.
max_active_keys = 12
[fernet_receipts]
# Else they are looked for in /etc/keystone.
key_repository = {directory}/receipt-keys/
[identity]
# The least work that bcrypt allows: these passwords protect nothing.
password_hash_rounds = 4
[credential]
key_repository = {directory}/credential-keys/
"""


class Keystone(Uwsgi):
    """Keystone 30 on a port of its own; takes some seconds to set up."""

    def __init__(self, directory, connection=None, configuration=""):
        """With more configuration than these tests need everywhere."""
        super().__init__("keystone", directory)
        self.key_repository = directory / "fernet-keys"
        self.credential_keys = directory / "credential-keys"
        # As `keystone-manage fernet_setup` and `credential_setup` do, whose imports alone take seconds.
        for name in ("fernet-keys", "receipt-keys", "credential-keys"):
            write_repository(directory / name, {number: new_key() for number in range(2)})
        self.connection = connection or f"{_SQLITE}{directory}/keystone.db"
        text = CONFIGURATION.format(directory=directory, connection=self.connection)
        (directory / "keystone.conf").write_text(text + configuration)

        if self.connection.startswith(_SQLITE):
            self._copy_database(pathlib.Path(self.connection.removeprefix(_SQLITE)))
        else:
            self._fill_database()
        self.serve(
            pathlib.Path(__file__).with_name("authenticated_wsgi.py"),
            directory / "requests.log",
            OS_KEYSTONE_CONFIG_DIR=str(directory),
            OS_KEYSTONE_CONFIG_FILES="keystone.conf",
        )
        try:
            self.port = self.bound_port()
            self.url = f"http://127.0.0.1:{self.port}/v3"
            self.client = httpx.Client(base_url=self.url, timeout=60)
            self.wait_until_ready(self._is_ready, "to answer")
            self.admin_token = self.administrator_token()
        except BaseException:
            self.stop()
            raise

    def stop(self, *arguments):
        if hasattr(self, "client"):
            self.client.close()
        super().stop(*arguments)

    def rotate(self):
        """A new primary key, as an operator makes it."""
        self._manage("fernet_rotate", *self._owner())

    def rotate_credential_keys(self):
        """A new primary key of credentials, and all of them sealed with it."""
        self._manage("credential_rotate", *self._owner())
        self._manage("credential_migrate", *self._owner())

    def token(self, identity, scope=None, **headers):
        """The token for these methods of authentication and this scope."""
        auth = {"identity": identity} | ({"scope": scope} if scope else {})
        answer = self.client.post("/auth/tokens", json={"auth": auth}, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.headers["x-subject-token"]

    def administrator_token(self):
        return self.token(_password("admin", ADMIN_PASSWORD, "default"), _ADMIN_SCOPE)

    def user_token(self, name, domain="default", scope=None):
        return self.token(_password(name, password_of(name), domain), scope)

    def validate(self, token):
        """What Keystone says about a token."""
        answer = self.validation(token)
        assert answer.status_code == 200, answer.text
        return answer.json()["token"]

    def validation(self, token):
        """Keystone's answer to a question about a token, whatever it is."""
        # Without the third, Keystone does not know tokens with access rules.
        headers = {
            "x-auth-token": self.admin_token,
            "x-subject-token": token,
            "openstack-identity-access-rules": "1.0",
        }
        return self.client.get("/auth/tokens", headers=headers)

    def call(self, method, path, json=None, *, token=None, **headers):
        """The API, as the administrator unless another token is given."""
        headers["x-auth-token"] = token or self.admin_token
        answer = self.client.request(method, path, json=json, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def _fill_database(self):
        self._manage("db_sync")
        self._manage("bootstrap", "--bootstrap-password", ADMIN_PASSWORD)

    def _copy_database(self, own):
        """A copy of what is in SQLite after that, which is the same each time."""
        made_by = importlib.metadata.version("keystone") + CONFIGURATION + ADMIN_PASSWORD
        made = target() / f"keystone-{hashlib.sha256(made_by.encode()).hexdigest()[:16]}.db"
        with made.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if made.exists():
                shutil.copyfile(made, own)
                return
            self._fill_database()
            unfinished = made.with_suffix(".new")
            shutil.copyfile(own, unfinished)
            unfinished.rename(made)

    def _manage(self, *arguments):
        command = [_program("keystone-manage"), "--config-file", self.directory / "keystone.conf"]
        with self.log_path.open("ab") as log:
            result = subprocess.run(
                [*command, *arguments], cwd=self.directory, stdout=log, stderr=log, check=False
            )
        assert result.returncode == 0, f"keystone-manage {arguments[0]}:\n{self.log()[-4000:]}"

    def _owner(self):
        user, group = pwd.getpwuid(os.getuid()), grp.getgrgid(os.getgid())
        return "--keystone-user", user.pw_name, "--keystone-group", group.gr_name

    def _is_ready(self):
        try:
            return self.client.get("/").is_success
        except httpx.TransportError:
            return False


class SigningKeystone(Keystone):
    """One that signs its tokens (`[token] provider = jws`) with a pair of keys."""

    def __init__(self, directory, configuration=""):
        self.public = directory / "jws-public"
        self.private = directory / "jws-private"
        for repository in (self.public, self.private):
            repository.mkdir(mode=0o700)
        self.new_key("first")
        provider = _JWS_PROVIDER.format(directory=directory)
        super().__init__(directory, configuration=provider + configuration)

    def new_key(self, name):
        """Tokens are signed with another key from now on; earlier ones can be read as well."""
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.public / f"{name}.pem").write_bytes(public)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (self.private / "private.pem").write_bytes(private)


def password_of(name):
    """The password that these tests give a user."""
    return f"password-of-{name}"


def _password(name, password, domain):
    user = {"name": name, "password": password, "domain": {"id": domain}}
    return {"methods": ["password"], "password": {"user": user}}


def _program(name):
    """A program of the virtual environment that the tests run in."""
    return pathlib.Path(sys.executable).with_name(name)


_JWS_PROVIDER = """
[token]
provider = jws
[jwt_tokens]
jws_public_key_repository = {directory}/jws-public
jws_private_key_repository = {directory}/jws-private
"""
_SQLITE = "sqlite:///"
_ADMIN_SCOPE = {"project": {"name": "admin", "domain": {"id": "default"}}}
