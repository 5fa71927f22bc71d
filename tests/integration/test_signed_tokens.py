"""Tokens that a real Keystone signs (`[token] provider = jws`): the proxy has public keys alone, and tells a
service what keystonemiddleware tells it."""

import base64
import json
import time

import pytest

from parts import http1
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.everyone import Everyone
from parts.identity import identity_headers
from parts.issue import Issuer
from parts.keystone import SigningKeystone
from parts.services import ADMIN_PROJECT, assert_same, start_pair

pytestmark = pytest.mark.timeout(300)

POLL, CHANGE_POLL = 0.5, 1
# Which the key server takes to read its directory, and this machine to do all of it.
A_MOMENT = 2

WAYS = [way for kind in (Issuer, Everyone) for way in vars(kind) if not way.startswith("_")]
# Bound to a certificate, or for requests of another kind.
REFUSED = ["of_a_client_certificate", "of_a_restricted_application_credential"]
ACCEPTED = [way for way in WAYS if way not in REFUSED]


@pytest.fixture(scope="module")
def signing(tmp_path_factory):
    directory = tmp_path_factory.mktemp("signing-keystone")
    with SigningKeystone(directory, configuration=ADMIN_PROJECT) as keystone:
        yield keystone


@pytest.fixture(scope="module")
def issued(signing_pair):
    everyone = Everyone(signing_pair.keystone)
    return {way: getattr(everyone, way)().token for way in WAYS}


@pytest.fixture(scope="module")
def signing_pair(signing, keyserver_program, start_envoy, tmp_path_factory):
    """The services before that Keystone, and a key server that has no Fernet key of it."""
    make = tmp_path_factory.mktemp
    options = ["--jws-public-keys", signing.public, "--change-poll", f"{CHANGE_POLL:.0f}s"]
    poll = {"poll": f"{POLL * 1000:.0f}ms"}
    front = Listener(plugin(token={"identity": "records"}, keyserver=poll))
    more = {"front": front}
    with start_pair(signing, keyserver_program, start_envoy, make, *options, more=more) as pair:
        yield pair


@pytest.fixture(scope="module")
def front(signing_pair):
    """Its Envoy, which has a listener before a service that echoes."""
    return signing_pair.envoy


def ask(front, path, token):
    return http1.get(front.ports["front"], path, [("x-auth-token", token)])


def encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@pytest.mark.parametrize("way", ACCEPTED)
def test_a_service_is_told_the_same(signing_pair, issued, way):
    token = issued[way]
    assert token.startswith("eyJ")
    told = assert_same(signing_pair, "enforce", [("x-auth-token", token)])
    assert told["x-identity-status"] == "Confirmed"
    assert assert_same(signing_pair, "any_service", [("x-auth-token", token)]) == told
    catalog = assert_same(signing_pair, "catalog", [("x-auth-token", token)])
    assert catalog.items() >= told.items()


@pytest.mark.parametrize("way", ["unscoped", "of_an_impersonating_trust", "federated_project_scoped"])
def test_a_service_is_told_the_same_of_the_service_that_asks(signing_pair, issued, way):
    headers = [("x-auth-token", issued[way]), ("x-service-token", signing_pair.service_token())]
    told = assert_same(signing_pair, "enforce", headers)
    assert told["x-service-identity-status"] == "Confirmed"


def test_a_token_that_is_bound_to_a_certificate_is_refused_without_one(front, issued, path):
    assert ask(front, path, issued["of_a_client_certificate"]).status == 401
    assert front.details(path) == "voussoir_certificate_missing"


@pytest.mark.parametrize("way", ["project_scoped", "rescoped", "system_scoped", "of_oauth1"])
def test_what_the_filter_adds_is_what_keystone_says(signing, issued, front, path, way):
    token = issued[way]
    expected = signing.validate(token)
    before = len(signing.requests())
    answer = ask(front, path, token)
    assert answer.status == 200
    headers = identity_headers(answer.json()["headers"])
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
    # At both workers, by what the feed tells: the keys are fresh for a minute.
    gone = time.monotonic()
    wait_until(lambda: is_refused_by_all(front, path, old), "the old key to be gone", seconds=10)
    assert time.monotonic() - gone < 2 * (POLL + CHANGE_POLL) + A_MOMENT
    assert ask(front, path, token).status == 200


def is_refused_by_all(front, path, token):
    """Each connection goes to one of the workers: of ten in a row, some go to each."""
    return all(ask(front, path, token).status == 401 for _ in range(10))


def test_a_signed_token_that_is_revoked_is_refused(signing, front, path):
    token = signing.administrator_token()
    assert ask(front, path, token).status == 200
    signing.call("DELETE", "/auth/tokens", **{"x-subject-token": token})
    wait_until(lambda: ask(front, path, token).status == 401, "the edge to know", seconds=5)
