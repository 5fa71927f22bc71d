"""Tokens that a real Keystone signs (`[token] provider = jws`): the proxy has public keys alone, and says
of a token what Keystone says."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from parts import http1
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.identity import identity_headers
from parts.issue import Issuer
from parts.keyserver import KeyServer
from parts.keystone import Keystone

pytestmark = pytest.mark.timeout(300)

# Those that Keystone itself gives; the others are not minted in this form.
WAYS = [
    "unscoped",
    "project_scoped",
    "domain_scoped",
    "system_scoped",
    "rescoped",
    "of_a_trust",
    "of_an_impersonating_trust",
]

PROVIDER = """
[token]
provider = jws
[jwt_tokens]
jws_public_key_repository = {directory}/jws-public
jws_private_key_repository = {directory}/jws-private
"""


class SigningKeystone(Keystone):
    """A Keystone with a pair of keys."""

    def __init__(self, directory):
        self.public = directory / "jws-public"
        self.private = directory / "jws-private"
        for repository in (self.public, self.private):
            repository.mkdir(mode=0o700)
        self.new_key("first")
        super().__init__(directory, configuration=PROVIDER.format(directory=directory))

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


@pytest.fixture(scope="module")
def signing(tmp_path_factory):
    with SigningKeystone(tmp_path_factory.mktemp("signing-keystone")) as keystone:
        yield keystone


@pytest.fixture(scope="module")
def issued(signing):
    issuer = Issuer(signing)
    return {way: getattr(issuer, way)().token for way in WAYS}


@pytest.fixture(scope="module")
def front(signing, keyserver_program, start_envoy, tmp_path_factory):
    """An Envoy with records of that Keystone, before a key server that has no Fernet key of it."""
    directory = tmp_path_factory.mktemp("keyserver")
    options = ["--jws-public-keys", signing.public, "--change-poll", "1s"]
    listener = Listener(plugin(token={"identity": "records"}, keyserver={"poll": "500ms"}))
    with (
        KeyServer.of_keystone(keyserver_program, signing, directory, *options) as keyserver,
        start_envoy({"front": listener}, keyserver.port) as envoy,
    ):
        yield envoy


def ask(front, path, token):
    return http1.get(front.ports["front"], path, [("x-auth-token", token)])


def encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@pytest.mark.parametrize("way", WAYS)
def test_a_signed_token_is_accepted_with_what_keystone_says_of_it(signing, issued, front, path, way):
    token = issued[way]
    assert token.startswith("eyJ")
    expected = signing.validate(token)
    before = len(signing.requests())
    answer = ask(front, path, token)
    assert answer.status == 200
    headers = identity_headers(answer.json()["headers"])
    assert headers["x-user-id"] == expected["user"]["id"]
    assert headers["x-user-name"] == expected["user"]["name"]
    names = {role["name"] for role in expected.get("roles", [])}
    assert set(filter(None, headers["x-roles"].split(","))) == names
    assert headers.get("x-project-id") == expected.get("project", {}).get("id")
    assert headers.get("x-domain-id") == expected.get("domain", {}).get("id")
    assert set(headers["x-voussoir-token-methods"].split(",")) == set(expected["methods"])
    assert headers["x-voussoir-token-audit-ids"] == ",".join(expected["audit_ids"])
    assert headers["x-voussoir-token-expires-at"] == expected["expires_at"]
    assert len(signing.requests()) == before


def test_a_token_that_is_changed_is_none(issued, front, path):
    head, claims, signature = issued["project_scoped"].split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    later = encoded(said | {"exp": said["exp"] + 1})
    for token in (
        f"{head}.{later}.{signature}",
        f"{head}.{claims}.{signature[:-4]}AAAA",
        f"{head}.{claims}.",
        f"{head}.{claims}",
        f"{encoded({'alg': 'none'})}.{claims}.",
    ):
        assert ask(front, path, token).status == 401
    assert ask(front, path, issued["project_scoped"]).status == 200


def test_a_new_key_is_known_soon_and_the_old_one_still_is(signing, front, path, issued):
    signing.new_key("second")
    # The one that was there so far ends with its key.
    token = signing.admin_token = signing.administrator_token()
    wait_until(lambda: ask(front, path, token).status == 200, "the new key", seconds=20)
    assert ask(front, path, issued["project_scoped"]).status == 200
    (signing.public / "first.pem").unlink()
    old = issued["project_scoped"]
    wait_until(lambda: ask(front, path, old).status == 401, "the old key to be gone", seconds=20)
    assert ask(front, path, token).status == 200


def test_a_signed_token_that_is_revoked_is_refused(signing, front, path):
    token = signing.administrator_token()
    assert ask(front, path, token).status == 200
    signing.call("DELETE", "/auth/tokens", **{"x-subject-token": token})
    wait_until(lambda: ask(front, path, token).status == 401, "the edge to know", seconds=5)
