"""Gets a token of each kind from a Keystone, each the way that its users do."""

import base64
import dataclasses
import datetime
import hashlib
import urllib.parse
import uuid

import httpx
import oauthlib.oauth1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from parts.ec2 import ec2_answer
from parts.keystone import password_of
from parts.s3_clients import Account


@dataclasses.dataclass
class Issued:
    """A token, its kind, and the headers that say what is special about it."""

    token: str
    kind: str
    claims: dict[str, str] = dataclasses.field(default_factory=dict)


class Issuer:
    """A cloud with a few users, and the tokens that they get. One method issues one token."""

    def __init__(self, keystone):
        self.keystone = keystone
        create = self._create
        roles = keystone.call("GET", "/roles")["roles"]
        self.role = next(role["id"] for role in roles if role["name"] == "member")
        self.domain = create("domains", "domain", name="elsewhere")
        self.project = create("projects", "project", name="project", domain_id="default")
        self.alice = self._user("alice")
        self.bob = self._user("bob")
        self.group = create("groups", "group", name="federated", domain_id="default")
        admin = keystone.validate(keystone.admin_token)["user"]["id"]
        for actor in (f"users/{self.alice}", f"groups/{self.group}", f"users/{admin}"):
            for target in (
                f"/projects/{self.project}",
                f"/domains/{self.domain}",
                "/domains/default",
                "/system",
            ):
                keystone.call("PUT", f"{target}/{actor}/roles/{self.role}")
        home = {"user": {"default_project_id": self.project}}
        keystone.call("PATCH", f"/users/{self.alice}", home)
        self._federate()

    def unscoped(self):
        return Issued(self.keystone.user_token("alice", scope="unscoped"), "unscoped")

    def project_scoped(self):
        return Issued(self._alice(), "project")

    def domain_scoped(self):
        return Issued(self._alice({"domain": {"id": self.domain}}), "domain")

    def default_domain_scoped(self):
        return Issued(self._alice({"domain": {"id": "default"}}), "domain")

    def system_scoped(self):
        return Issued(self._alice({"system": {"all": True}}), "system")

    def rescoped(self):
        return self._rescoped(self._alice(), {"domain": {"id": self.domain}}, "domain")

    def rescoped_twice(self):
        first = self._rescoped(self._alice(), {"domain": {"id": self.domain}}, "domain")
        return self._rescoped(first.token, self._project_scope(), "project")

    def of_a_trust(self):
        return self._trust(impersonation=False)

    def of_an_impersonating_trust(self):
        return self._trust(impersonation=True)

    def of_an_application_credential(self):
        return self._application_credential()

    def of_a_restricted_application_credential(self):
        rule = {"path": "/v2.1/servers", "method": "GET", "service": "compute"}
        return self._application_credential(access_rules=[rule])

    def of_an_ec2_credential(self):
        """As Swift or Nova do for a client that signs its requests."""
        path = f"/users/{self.alice}/credentials/OS-EC2"
        own = self._alice()
        made = self.keystone.call("POST", path, {"tenant_id": self.project}, token=own)["credential"]
        account = Account(made["access"], made["secret"])
        token = ec2_answer(self.keystone, account).headers["x-subject-token"]
        return Issued(token, "project")

    def of_oauth1(self):
        """The three steps of OAuth 1.0a: a request token, its authorisation, an access token.

        By Keystone's default policy only an administrator may authorise.
        """
        consumer = self._create("OS-OAUTH1/consumers", "consumer", description="tests")
        key, secret = consumer["id"], consumer["secret"]
        step = self._oauth1("/OS-OAUTH1/request_token", key, secret, project=self.project)
        verifier = self.keystone.call(
            "PUT",
            f"/OS-OAUTH1/authorize/{step['oauth_token']}",
            {"roles": [{"id": self.role}]},
        )["token"]["oauth_verifier"]
        access = self._oauth1("/OS-OAUTH1/access_token", key, secret, step, verifier=verifier)
        token = self._oauth1("/auth/tokens", key, secret, access)
        claims = {"x-voussoir-access-token-id": access["oauth_token"]}
        return Issued(token, "oauth1", claims)

    def of_a_client_certificate(self, certificate=None, user=None):
        """OAuth 2.0 with a certificate, to which the token is then bound (RFC 8705).

        The certificate is in PEM, and alice's or another user's.
        """
        certificate = certificate or _certificate("alice")
        answer = self.keystone.client.post(
            "/OS-OAUTH2/token",
            data={"grant_type": "client_credentials", "client_id": user or self.alice},
            headers={"x-client-certificate": urllib.parse.quote(certificate)},
        )
        assert answer.is_success, answer.text
        digest = hashlib.sha256(certificate.encode()).digest()
        thumbprint = base64.urlsafe_b64encode(digest).decode()
        claims = {"x-voussoir-certificate-thumbprint": thumbprint}
        return Issued(answer.json()["access_token"], "oauth2_credential", claims)

    def federated(self):
        path = "/OS-FEDERATION/identity_providers/provider/protocols/mapped/auth"
        answer = self.keystone.client.post(path, headers={"x-asserted-user": "carol"})
        assert answer.status_code == 201, answer.text
        return self._federated(answer.headers["x-subject-token"], "federated_unscoped")

    def federated_project_scoped(self):
        issued = self._rescoped(self.federated().token, self._project_scope(), "")
        return self._federated(issued.token, "federated_project")

    def federated_domain_scoped(self):
        issued = self._rescoped(self.federated().token, {"domain": {"id": self.domain}}, "")
        return self._federated(issued.token, "federated_domain")

    def _alice(self, scope=None):
        return self.keystone.user_token("alice", scope=scope or self._project_scope())

    def _project_scope(self):
        return {"project": {"id": self.project}}

    def _create(self, path, kind, **fields):
        made = self.keystone.call("POST", f"/{path}", {kind: fields})[kind]
        return made if kind == "consumer" else made["id"]

    def _user(self, name):
        password = password_of(name)
        return self._create("users", "user", name=name, password=password, domain_id="default")

    def _rescoped(self, token, scope, kind):
        identity = {"methods": ["token"], "token": {"id": token}}
        return Issued(self.keystone.token(identity, scope), kind)

    def _trust(self, *, impersonation):
        trust = {
            "trustor_user_id": self.alice,
            "trustee_user_id": self.bob,
            "project_id": self.project,
            "impersonation": impersonation,
            "roles": [{"id": self.role}],
        }
        made = self.keystone.call("POST", "/OS-TRUST/trusts", {"trust": trust}, token=self._alice())
        trust_id = made["trust"]["id"]
        scope = {"OS-TRUST:trust": {"id": trust_id}}
        claims = {"x-voussoir-trust-id": trust_id, "x-voussoir-trustee-user-id": self.bob}
        return Issued(self.keystone.user_token("bob", scope=scope), "trust", claims)

    def _application_credential(self, **fields):
        # Each time another: several files get tokens of the same users.
        body = {**fields, "name": f"{fields.get('name', 'of')} {uuid.uuid4().hex}"}
        path = f"/users/{self.alice}/application_credentials"
        body = {"application_credential": body}
        made = self.keystone.call("POST", path, body, token=self._alice())
        credential = made["application_credential"]
        shown = {"id": credential["id"], "secret": credential["secret"]}
        identity = {"methods": ["application_credential"], "application_credential": shown}
        claims = {"x-voussoir-application-credential-id": credential["id"]}
        return Issued(self.keystone.token(identity), "application_credential", claims)

    def _oauth1(self, path, key, secret, step=None, *, verifier=None, project=None):
        """A signed request: the fields of its answer, or the token that comes with it."""
        step = step or {}
        client = oauthlib.oauth1.Client(
            key,
            client_secret=secret,
            resource_owner_key=step.get("oauth_token"),
            resource_owner_secret=step.get("oauth_token_secret"),
            callback_uri=None if step else "oob",
            verifier=verifier,
        )
        url = self.keystone.url + path
        _, headers, _ = client.sign(url, http_method="POST")
        if project:
            headers["requested-project-id"] = project
        body = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}
        answer = self.keystone.client.post(
            url, headers=headers, json=body if path == "/auth/tokens" else None
        )
        assert answer.is_success, answer.text
        if path == "/auth/tokens":
            return answer.headers["x-subject-token"]
        return dict(httpx.QueryParams(answer.text))

    def _federate(self):
        call = self.keystone.call
        rule = {
            "remote": [{"type": "REMOTE_USER"}],
            "local": [{"user": {"name": "{0}"}}, {"group": {"id": self.group}}],
        }
        call("PUT", "/OS-FEDERATION/mappings/mapping", {"mapping": {"rules": [rule]}})
        subject = {"type": "SSL_CLIENT_SUBJECT_DN_CN"}
        rule = {"remote": [subject], "local": [{"user": {"name": "{0}"}}]}
        call("PUT", "/OS-FEDERATION/mappings/oauth2_mapping", {"mapping": {"rules": [rule]}})
        provider = {"identity_provider": {"enabled": True}}
        call("PUT", "/OS-FEDERATION/identity_providers/provider", provider)
        protocol = {"protocol": {"mapping_id": "mapping"}}
        call("PUT", "/OS-FEDERATION/identity_providers/provider/protocols/mapped", protocol)

    def _federated(self, token, kind):
        claims = {
            "x-voussoir-identity-provider-id": "provider",
            "x-voussoir-protocol-id": "mapped",
            "x-voussoir-group-ids": self.group,
        }
        return Issued(token, kind, claims)


def _certificate(name):
    """A self-signed certificate; who checks it is not the question here."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
