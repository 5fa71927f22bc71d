"""Tokens that Keystone has bound to a client certificate are for whoever can show it, on that connection.

Keystone issues them by its `tls_client_auth`; the listeners take client certificates of one authority, and
differ in what Envoy tells the filter of them.
"""

import base64
import hashlib
import ssl
import urllib.parse

import pytest

from parts import http1
from parts.certificates import Authority
from parts.envoy_config import Listener, plugin
from parts.everyone import RULED_PATH
from parts.services import CATALOG, SERVICE_TYPE, assert_told_the_same, refusal, told

pytestmark = pytest.mark.timeout(300)

FORWARDED = "x-forwarded-client-cert"


def manager(details, **told):
    return {
        "forward_client_cert_details": details,
        "set_current_client_cert_details": told,
    }


# By name, what a listener tells the filter of certificates.
TELLING = {
    "told": manager("SANITIZE_SET", cert=True),
    "all_told": manager("SANITIZE_SET", cert=True, chain=True, subject=True, uri=True, dns=True),
    "appended": manager("APPEND_FORWARD", cert=True, subject=True),
    "untold": manager("SANITIZE_SET", subject=True),
    "sanitized": {},
    "forwarded": manager("FORWARD_ONLY"),
    "always_forwarded": manager("ALWAYS_FORWARD_ONLY"),
}


class Client:
    """Whoever has a certificate, or not, at one listener."""

    def __init__(self, envoy, certificate=None):
        self.envoy = envoy
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # The server's is not the question here.
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        if certificate:
            self.context.load_cert_chain(*certificate)

    def ask(self, listener, headers, path=RULED_PATH):
        port = self.envoy.ports[listener]
        return http1.get(port, path, headers, host="bare", context=self.context)

    def verdict(self, listener, headers):
        """None where the service was reached, else the reason of the refusal."""
        answer = self.ask(listener, headers)
        if answer.status == 200:
            assert answer.json()["HTTP_X_IDENTITY_STATUS"] == "Confirmed"
            return None
        assert answer.status == 401
        return answer.header("x-voussoir-reason")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("clients"), "clients")


@pytest.fixture(scope="module")
def alice(authority):
    """Alice's certificate and key."""
    return authority.issue("alice")


@pytest.fixture(scope="module")
def bound(everyone, alice):
    """A token that is bound to that certificate."""
    certificate, _ = alice
    issued = everyone.of_a_client_certificate(certificate.read_text())
    said = everyone.keystone.validate(issued.token)["oauth2_credential"]
    assert said == {"x5t#S256": issued.claims["x-voussoir-certificate-thumbprint"]}
    return issued


@pytest.fixture(scope="module")
def front(pair, authority, start_envoy, tmp_path_factory):
    server = Authority(tmp_path_factory.mktemp("servers"), "servers").issue("127.0.0.1")
    secured = {"certificate": server, "client_ca": authority.path, "upstream": "services"}
    token = {"identity": "records", "service_type": SERVICE_TYPE}
    reason = {"reason_header": "x-voussoir-reason"}
    records = plugin(token=token, **reason)
    any_service = plugin(token=token | {"service_token_roles_required": False}, **reason)
    delay = plugin(token=token, missing="anonymous")
    held = plugin(token=token, hold_headers=True, **reason)
    one = {"manager": TELLING["told"]} | secured
    listeners = {
        **{name: Listener(records, manager=told, **secured) for name, told in TELLING.items()},
        "any_service": Listener(any_service, **one),
        "delay": Listener(delay, **one),
        "payload": Listener(plugin(**reason), **one),
        "early": Listener(held, allow_on_headers_stop_iteration=True, **one),
        # Anybody's word is taken for what it is worth.
        "plain": Listener(records, manager=TELLING["always_forwarded"], upstream="services"),
    }
    services = pair.services.port
    with start_envoy(listeners, pair.keyserver.port, services=services) as envoy:
        yield envoy


def forwarded(certificate):
    """What Envoy would tell of a certificate, and anybody can."""
    text = certificate.read_text()
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest()
    return f'Hash={digest};Cert="{urllib.parse.quote(text, safe="")}";Subject="CN=alice"'


def token_of(issued):
    return "x-auth-token", issued.token


@pytest.mark.parametrize("listener", ["told", "all_told", "appended", "delay", "early"])
def test_its_owner_is_presented_as_by_keystonemiddleware(front, pair, alice, bound, listener):
    theirs = pair.theirs("enforce", RULED_PATH, [token_of(bound)])
    ours = Client(front, alice).ask(listener, [token_of(bound)])
    found = assert_told_the_same(theirs, ours, but_for={FORWARDED, CATALOG})
    assert found["x-identity-status"] == "Confirmed"
    assert found["x-user-name"] == "alice"


def test_without_records_the_token_is_compared_as_well(front, authority, alice, bound):
    owner = Client(front, alice)
    answer = owner.ask("payload", [token_of(bound)])
    assert answer.status == 200
    name = "x-voussoir-certificate-thumbprint"
    assert answer.json()["HTTP_" + name.upper().replace("-", "_")] == bound.claims[name]
    other = Client(front, authority.issue("bob"))
    assert other.verdict("payload", [token_of(bound)]) == "certificate_wrong"
    assert Client(front).verdict("payload", [token_of(bound)]) == "certificate_missing"


def test_nobody_else_may_use_it(front, pair, authority, bound):
    theirs = refusal(pair.theirs("enforce", RULED_PATH))
    others = {
        "certificate_wrong": authority.issue("bob"),
        "certificate_missing": None,
    }
    for reason, certificate in others.items():
        client = Client(front, certificate)
        for listener in ("told", "all_told", "appended", "any_service", "early"):
            answer = client.ask(listener, [token_of(bound)])
            assert answer.header("x-voussoir-reason") == reason
            assert refusal(answer) == theirs
        found = told(client.ask("delay", [token_of(bound)]))
        assert found["x-identity-status"] == "Invalid"
        assert not {"x-user-id", "x-roles"} & set(found)


def test_a_certificate_that_is_renewed_is_another(front, authority, everyone):
    first = authority.issue("alice", file="first")
    pem, _ = first
    issued = everyone.of_a_client_certificate(pem.read_text())
    before = Client(front, first)
    after = Client(front, authority.issue("alice", file="second"))
    assert before.verdict("told", [token_of(issued)]) is None
    assert after.verdict("told", [token_of(issued)]) == "certificate_wrong"


def test_a_listener_that_does_not_tell_lets_nobody_in(front, alice, bound):
    owner = Client(front, alice)
    for listener in ("untold", "sanitized", "forwarded", "always_forwarded"):
        assert owner.verdict(listener, [token_of(bound)]) == "certificate_untold"


def test_a_header_is_believed_of_nobody_but_whom_the_connection_vouches_for(
    front, authority, alice, bound
):
    """A client that knows another's certificate, which is no secret, sends it along."""
    certificate, _ = alice
    true, mallory = forwarded(certificate), authority.issue("mallory")
    own, nobody = forwarded(mallory[0]), Client(front)
    for client, reason in (
        (Client(front, mallory), "certificate_wrong"),
        (nobody, "certificate_missing"),
    ):
        for listener in TELLING:
            for values in ([true], [own, true], [true, own], [f"{true},{own}"], [f"{own},{true}"]):
                headers = [token_of(bound), *((FORWARDED, value) for value in values)]
                verdict = client.verdict(listener, headers)
                # Where the proxy tells nothing, nothing is known but that there is a certificate.
                expected = {reason, "certificate_untold"} if client is not nobody else {reason}
                assert verdict in expected, (listener, values)
    headers = [token_of(bound), (FORWARDED, true)]
    assert http1.get(front.ports["plain"], RULED_PATH, headers, host="bare").status == 401
    # The owner may say it itself: the connection confirms it.
    for listener in ("forwarded", "always_forwarded", "appended", "told"):
        assert Client(front, alice).verdict(listener, headers) is None
    junk = [(FORWARDED, value) for value in ("Cert=", 'Cert="', ";;,=\\", "Cert=%zz", 'x="\\"', "é")]
    assert Client(front, alice).verdict("appended", [token_of(bound), *junk]) is None


def test_a_name_with_quotes_in_it_hides_no_certificate(front, authority, everyone):
    # Keystone compares names with their escapes (RFC 4514).
    subject, name = 'O"Hara \\', 'O\\"Hara \\\\'
    user = everyone._user(name)
    call = everyone.keystone.call
    call("PUT", f"/projects/{everyone.project}/users/{user}/roles/{everyone.role}")
    call("PATCH", f"/users/{user}", {"user": {"default_project_id": everyone.project}})
    ohara = authority.issue(subject, file="ohara")
    issued = everyone.of_a_client_certificate(ohara[0].read_text(), user)
    for listener in ("told", "all_told", "appended"):
        answer = Client(front, ohara).ask(listener, [token_of(issued)])
        assert answer.status == 200
        assert answer.json()["HTTP_X_USER_NAME"] == name


def test_no_other_token_needs_a_certificate(front, pair, authority, everyone):
    token = everyone.project_scoped()
    for client in (Client(front), Client(front, authority.issue("bob"))):
        for listener in ("told", "sanitized"):
            assert client.verdict(listener, [token_of(token)]) is None


def test_a_services_token_may_be_bound_as_well(front, authority, alice, bound, everyone):
    """It is the service that has opened the connection."""
    both = [token_of(everyone.unscoped()), ("x-service-token", bound.token)]
    answer = Client(front, alice).ask("any_service", both)
    assert answer.json()["HTTP_X_SERVICE_IDENTITY_STATUS"] == "Confirmed"
    for client in (Client(front), Client(front, authority.issue("bob"))):
        assert client.verdict("any_service", both) == "service_token_invalid"
        found = told(client.ask("delay", both))
        assert found["x-service-identity-status"] == "Invalid"


def test_the_thumbprint_is_keystones_own(bound, alice):
    """Of the text, not of what it encodes (RFC 8705)."""
    certificate, _ = alice
    digest = hashlib.sha256(certificate.read_bytes()).digest()
    thumbprint = base64.urlsafe_b64encode(digest).decode()
    assert bound.claims["x-voussoir-certificate-thumbprint"] == thumbprint
