"""Identities of tokens from Keystone's database, on every engine.

Keystone itself is the judge: what the key server says of a token's user, scope and delegation has to
be what Keystone answers to GET /v3/auth/tokens for the token, and where Keystone refuses the token,
the key server has to deny the identity.
"""

import datetime
import random
import time
import uuid
from functools import partial

import pytest

from parts.access_keys import World
from parts.databases import unavailable
from parts.deadline import wait_until
from parts.feed import PERIOD, Feed
from parts.identities import comparable, presented, question
from parts.issue import Issuer
from parts.keystone import Keystone

# The first test of each engine waits for a database and a Keystone.
pytestmark = pytest.mark.timeout(300)

CONFIGURATION = """\
[resource]
admin_project_domain_name = Default
admin_project_name = admin
[security_compliance]
password_expires_days = 90
[trust]
allow_redelegation = true
"""

WAYS = [way for way in vars(Issuer) if not way.startswith("_")]


class Identities(World):
    """A Keystone and a key server on one engine, and the identities that both see."""

    def identity(self, question):
        """Status and JSON of the answer to a question for an identity."""
        status, headers, answer = self.server.post("/v1/identities", question)
        self.answers.append(f"{headers} {answer}")
        return status, answer

    def agreed(self, token):
        """The record of a token that both sides agree on."""
        theirs = self.keystone.validate(token)
        asked = question(theirs)
        status, answer = self.identity(asked)
        assert status == 200, answer
        record = answer.pop("identity")
        assert answer == asked
        assert comparable(record) == presented(theirs)
        return record

    def token(self, user, scope, domain="default"):
        return self.keystone.user_token(user["name"], domain, scope)

    def denied(self, question):
        """Why the key server denies an identity."""
        status, answer = self.identity(question)
        assert status == 404, answer
        assert answer["error"]["code"] == 404
        return answer["error"]["reason"]

    def change(self, collection, part, **fields):
        body = {collection.rstrip("s"): fields}
        self.keystone.call("PATCH", f"/{collection}/{part['id']}", body)

    def trust(self, trustor, trustee, project, role, **fields):
        """A trust, and a token of the trustor's in that project."""
        token = self.token(trustor, {"project": {"id": project["id"]}})
        trust = {
            "trustor_user_id": trustor["id"],
            "trustee_user_id": trustee["id"],
            "project_id": project["id"],
            "impersonation": False,
            "roles": [{"id": role["id"]}],
        } | fields
        made = self.keystone.call("POST", "/OS-TRUST/trusts", {"trust": trust}, token=token)
        return made["trust"], token

    def application_credential(self, user, project, **fields):
        """An application credential, its path and a token of it."""
        token = self.token(user, {"project": {"id": project["id"]}})
        path = f"/users/{user['id']}/application_credentials"
        body = {"application_credential": {"name": uuid.uuid4().hex} | fields}
        made = self.keystone.call("POST", path, body, token=token)["application_credential"]
        shown = {"id": made["id"], "secret": made["secret"]}
        identity = {"methods": ["application_credential"], "application_credential": shown}
        return made, f"{path}/{made['id']}", self.keystone.token(identity)


@pytest.fixture(scope="module")
def world(engine, keyserver_program, tmp_path_factory):
    """A Keystone on the engine that says all that a Keystone can, and a key server."""
    directory = tmp_path_factory.mktemp("keystone")
    connection = engine.keystone_url("keystone")
    with Keystone(directory, connection, CONFIGURATION) as keystone:
        place = tmp_path_factory.mktemp("world")
        options = ["--admin-project=Default/admin"]
        world = Identities(engine, keystone, keyserver_program, place, *options)
        with world.server:
            yield world


@pytest.fixture(scope="module")
def issuer(world):
    return Issuer(world.keystone)


@pytest.mark.parametrize("way", WAYS)
def test_a_token_of_every_kind_is_whom_keystone_says(world, issuer, way):
    record = world.agreed(getattr(issuer, way)().token)
    assert record["roles"] or "unscoped" in way or way == "federated"


def test_the_project_of_the_administrators_is_told(world):
    assert world.agreed(world.keystone.admin_token)["is_admin_project"] is True
    user, project = world.somebody()
    record = world.agreed(world.token(user, {"project": {"id": project["id"]}}))
    assert record["is_admin_project"] is False


def test_names_may_be_anything(world):
    domain = world.make("domains", name=f"Domäne '{uuid.uuid4().hex[:4]}")
    user = world.user(domain_id=domain["id"])
    world.change("users", user, name='Ω "x" \\ 試')
    project = world.make("projects", name="p; -- é", domain_id=domain["id"])
    role = world.make("roles", name=f"rôle-{uuid.uuid4().hex[:4]}")
    world.grant(role, user, project)
    own = {"id": user["id"], "password": f"password-of-{user['name']}"}
    identity = {"methods": ["password"], "password": {"user": own}}
    token = world.keystone.token(identity, {"project": {"id": project["id"]}})
    assert world.agreed(token)["user"]["name"] == 'Ω "x" \\ 試'


def test_a_name_that_no_header_can_carry_is_denied(world):
    user, project = world.user(), world.project()
    world.grant(world.make("roles", name=f"two,{uuid.uuid4().hex[:4]}"), user, project)
    token = world.token(user, {"project": {"id": project["id"]}})
    assert world.denied(question(world.keystone.validate(token))) == "unpresentable"


def test_system_roles_are_direct_of_groups_and_implied(world):
    user, group = world.user(), world.make("groups", description="")
    world.keystone.call("PUT", f"/groups/{group['id']}/users/{user['id']}")
    direct, of_group, implied, elsewhere = (world.make("roles") for _ in range(4))
    world.imply(of_group, implied)
    world.keystone.call("PUT", f"/system/users/{user['id']}/roles/{direct['id']}")
    world.keystone.call("PUT", f"/system/groups/{group['id']}/roles/{of_group['id']}")
    project = world.project()
    world.grant(elsewhere, user, project)
    names = {role["name"] for role in (direct, of_group, implied)}
    record = world.agreed(world.token(user, {"system": {"all": True}}))
    assert {role["name"] for role in record["roles"]} == names
    record = world.agreed(world.token(user, {"project": {"id": project["id"]}}))
    assert {role["name"] for role in record["roles"]} == {elsewhere["name"]}


def test_roles_of_a_domain_are_its_own_and_not_those_below(world):
    user, domain = world.user(), world.make("domains")
    role, below, of_project = (world.make("roles") for _ in range(3))
    world.grant(role, user, domain)
    world.grant(below, user, domain, inherited=True)
    project = world.project(domain_id=domain["id"])
    world.grant(of_project, user, project)
    record = world.agreed(world.token(user, {"domain": {"id": domain["id"]}}))
    assert {role["name"] for role in record["roles"]} == {role["name"]}
    record = world.agreed(world.token(user, {"project": {"id": project["id"]}}))
    assert {role["name"] for role in record["roles"]} == {below["name"], of_project["name"]}


def test_a_project_may_have_inherited_roles_alone(world):
    user, parent, role = world.user(), world.project(), world.make("roles")
    child = world.project(parent)
    world.grant(role, user, parent, inherited=True)
    record = world.agreed(world.token(user, {"project": {"id": child["id"]}}))
    assert record["roles"] == [{"id": role["id"], "name": role["name"]}]
    ask = {"user": user["id"], "scope": {"project": parent["id"]}}
    assert world.denied(ask) == "no_role"


def test_a_trust_is_presented_as_keystone_does(world):
    trustor, trustee, project = world.user(), world.user(), world.project()
    role, implied = world.make("roles"), world.make("roles")
    world.imply(role, implied)
    world.grant(role, trustor, project)
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    for impersonation in (False, True):
        made, _ = world.trust(
            trustor,
            trustee,
            project,
            role,
            impersonation=impersonation,
            expires_at=soon.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
        )
        record = world.agreed(world.token(trustee, {"OS-TRUST:trust": {"id": made["id"]}}))
        assert record["user"]["id"] == (trustor if impersonation else trustee)["id"]
        assert record["expires_at"] == int(soon.timestamp())
        assert record["trust"]["trustee_domain_id"] == "default"
        assert {role["name"] for role in record["roles"]} == {role["name"], implied["name"]}
        ask = {
            "user": trustor["id"],
            "scope": {"project": project["id"]},
            "delegation": {"trust": made["id"]},
        }
        assert world.denied(ask) == "trust_gone", "the trustor is no trustee"
        elsewhere = ask | {"user": trustee["id"], "scope": {"project": world.project()["id"]}}
        assert world.denied(elsewhere) == "trust_gone"


def test_a_trust_may_be_given_on(world):
    trustor, between, trustee, project = world.user(), world.user(), world.user(), world.project()
    role = world.make("roles")
    path = world.grant(role, trustor, project)
    made, _ = world.trust(
        trustor,
        between,
        project,
        role,
        impersonation=True,
        allow_redelegation=True,
        redelegation_count=2,
    )
    token = world.token(between, {"OS-TRUST:trust": {"id": made["id"]}})
    trust = {
        "trustor_user_id": trustor["id"],
        "trustee_user_id": trustee["id"],
        "project_id": project["id"],
        "impersonation": True,
        "roles": [{"id": role["id"]}],
    }
    again = world.keystone.call("POST", "/OS-TRUST/trusts", {"trust": trust}, token=token)["trust"]
    assert again["redelegated_trust_id"] == made["id"]
    token = world.token(trustee, {"OS-TRUST:trust": {"id": again["id"]}})
    record = world.agreed(token)
    assert record["user"]["id"] == trustor["id"]
    ask = question(world.keystone.validate(token))
    feed = Feed(world.server)
    # Keystone refuses what came through someone who is disabled.
    world.change("users", between, enabled=False)
    refused(world, token, ask, "trust_gone")
    feed.tells("trust", again["id"])
    world.change("users", between, enabled=True)
    world.agreed(token)
    world.keystone.call("DELETE", path)
    refused(world, token, ask, "trust_role_lost")


def test_an_application_credential_is_presented_as_keystone_does(world):
    user, project = world.user(), world.project()
    kept, other = world.make("roles"), world.make("roles")
    for role in (kept, other):
        world.grant(role, user, project)
    rules = [
        {"path": "/v1/AUTH_*/**", "method": method, "service": "object-store"}
        for method in ("GET", "PUT")
    ]
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    for fields in (
        {},
        {"unrestricted": True},
        {"roles": [{"id": kept["id"]}]},
        {"access_rules": rules},
        {"access_rules": []},
        {"expires_at": soon.strftime("%Y-%m-%dT%H:%M:%S")},
    ):
        made, _, token = world.application_credential(user, project, **fields)
        record = world.agreed(token)
        assert record["application_credential"]["restricted"] is not fields.get("unrestricted", False)
        assert len(record["roles"]) == (1 if "roles" in fields else 2)
        assert ("expires_at" in record) == ("expires_at" in fields)
    ask = {
        "user": world.user()["id"],
        "scope": {"project": project["id"]},
        "delegation": {"application_credential": made["id"]},
    }
    assert world.denied(ask) == "application_credential_gone", "of another user"


def test_an_application_credential_of_more_rules_than_anybody_looks_at_is_denied(world):
    user, project = world.somebody()
    rules = [
        {"path": f"/v1/{number}", "method": "GET", "service": "object-store"} for number in range(257)
    ]
    _, _, token = world.application_credential(user, project, access_rules=rules[:256])
    assert len(world.agreed(token)["application_credential"]["access_rules"]) == 256
    _, _, token = world.application_credential(user, project, access_rules=rules)
    assert world.denied(question(world.keystone.validate(token))) == "unpresentable"


def test_what_there_is_not_is_denied(world):
    user, project = world.somebody()
    scope = {"project": project["id"]}
    absent = uuid.uuid4().hex
    federation = {"groups": [], "identity_provider": absent, "protocol": "mapped"}
    for ask, reason in (
        ({"user": absent, "scope": "unscoped"}, "user_gone"),
        ({"user": user["id"], "scope": {"project": absent}}, "project_gone"),
        ({"user": user["id"], "scope": {"domain": absent}}, "domain_gone"),
        ({"user": user["id"], "scope": {"domain": project["id"]}}, "domain_gone"),
        ({"user": user["id"], "scope": "system"}, "no_role"),
        ({"user": user["id"], "scope": scope, "delegation": {"trust": absent}}, "trust_gone"),
        (
            {"user": user["id"], "scope": scope, "delegation": {"application_credential": absent}},
            "application_credential_gone",
        ),
        (
            {"user": user["id"], "scope": scope, "delegation": {"access_token": absent}},
            "access_token_gone",
        ),
        ({"user": user["id"], "scope": scope, "federation": federation}, "identity_provider_gone"),
    ):
        assert world.denied(ask) == reason, ask


def test_an_id_is_never_part_of_a_statement(world):
    user, project = world.somebody()
    for text in ("'", "x'OR'1'='1", "';DROP TABLE trust;--", "%", "_", "\\", "$1", "?", "{ids}"):
        ask = {"user": text, "scope": "unscoped"}
        assert world.denied(ask) == "user_gone"
        ask = {"user": user["id"], "scope": {"project": text}}
        assert world.denied(ask) == "project_gone"
        ask = {"user": user["id"], "scope": {"project": project["id"]}}
        assert world.denied(ask | {"delegation": {"trust": text}}) == "trust_gone"
        federation = {"groups": [text], "identity_provider": text, "protocol": text}
        assert world.denied(ask | {"federation": federation}) == "identity_provider_gone"


def test_a_federated_token_has_the_roles_of_its_groups_and_its_users(world, issuer):
    role, of_user, on_system, of_group = (world.make("roles") for _ in range(4))
    issued = issuer.federated_project_scoped().token
    theirs = world.keystone.validate(issued)
    user, before = theirs["user"]["id"], {role["id"] for role in theirs["roles"]}
    paths = [
        f"/projects/{issuer.project}/groups/{issuer.group}/roles/{of_group['id']}",
        f"/projects/{issuer.project}/users/{user}/roles/{of_user['id']}",
        # Keystone adds these, whatever the scope is; and nothing that they imply.
        f"/system/users/{user}/roles/{on_system['id']}",
    ]
    world.imply(of_user, role)
    world.imply(on_system, world.make("roles"))
    for path in paths:
        world.keystone.call("PUT", path)
    record = world.agreed(issued)
    added = {part["id"] for part in (role, of_user, on_system, of_group)}
    assert {role["id"] for role in record["roles"]} == before | added
    many = question(theirs)
    many["federation"]["groups"] = [uuid.uuid4().hex for _ in range(1023)]
    many["federation"]["groups"].insert(700, issuer.group)
    status, answer = world.identity(many)
    assert status == 200, answer
    found = {role["id"] for role in answer["identity"]["roles"]}
    assert found == before | added, "more groups than a statement takes"
    for path in paths:
        world.keystone.call("DELETE", path)
    world.agreed(issued)


def test_of_the_roles_of_some_tokens_everything_is_told(world, issuer):
    """Descriptions and options, and what else an administrator gave them."""
    roles = [
        world.make("roles"),
        world.make("roles", description="Ω \"x\" \\ '試'\r\n%s", options={"immutable": True}),
        world.make("roles", description="", options={"immutable": False}, details="of the operator"),
        world.make("roles", team={"of": ["Ω", '"', 1.5, None, {"": True}]}, count=12),
    ]
    trustor, trustee, project = world.user(), world.user(), world.project()
    of_group = f"/projects/{issuer.project}/groups/{issuer.group}/roles"
    for role in roles:
        world.grant(role, trustor, project)
        world.keystone.call("PUT", f"{of_group}/{role['id']}")
    given = [{"id": role["id"]} for role in roles]
    made, own = world.trust(trustor, trustee, project, roles[0], roles=given)
    of_trust = world.token(trustee, {"OS-TRUST:trust": {"id": made["id"]}})
    federated = issuer.federated_project_scoped().token
    for token in (of_trust, federated):
        told = {role["id"]: role["details"] for role in world.agreed(token)["roles"]}
        for role in roles:
            links = {"id", "name", "links"}
            assert told[role["id"]] == {k: v for k, v in role.items() if k not in links}
    # Nobody shows them for another token.
    assert not any("details" in role for role in world.agreed(own)["roles"])

    feed = Feed(world.server)
    world.change("roles", roles[0], description="another one")
    feed.tells("trust", made["id"])
    world.agreed(of_trust)
    # What is more than an edge takes is left out, and nobody is without roles for it.
    theirs = world.keystone.validate(of_trust)
    world.change("roles", roles[3], team="x" * 17_000)
    status, answer = world.identity(question(theirs))
    assert status == 200, answer
    found = {role["id"]: role.get("details") for role in answer["identity"]["roles"]}
    assert found.pop(roles[3]["id"]) is None
    assert all(found.values())
    for role in roles[:3]:
        if role["options"].get("immutable"):
            world.change("roles", role, options={"immutable": False})
        world.change("roles", role, team="x" * 6_000)
    status, answer = world.identity(question(theirs))
    assert status == 200, answer
    assert not any("details" in role for role in answer["identity"]["roles"]), "all together"
    for role in roles:
        world.keystone.call("DELETE", f"{of_group}/{role['id']}")


def refused(world, token, ask, reason):
    """Both sides refuse."""
    theirs = world.keystone.validation(token)
    assert theirs.status_code in (401, 403, 404), theirs.text
    assert world.denied(ask) == reason


# Each gives a token, what changes Keystone's mind about it, what edges are told then, and the reason.


def role_removed(world):
    user, project = world.user(), world.project()
    path = world.grant(world.make("roles"), user, project)
    token = world.token(user, {"project": {"id": project["id"]}})
    return token, lambda: world.keystone.call("DELETE", path), ("user", user["id"]), "no_role"


def role_on_the_domain_removed(world):
    user, domain = world.user(), world.make("domains")
    path = world.grant(world.make("roles"), user, domain)
    token = world.token(user, {"domain": {"id": domain["id"]}})
    return token, lambda: world.keystone.call("DELETE", path), ("user", user["id"]), "no_role"


def role_on_the_system_removed(world):
    user, role = world.user(), world.make("roles")
    path = f"/system/users/{user['id']}/roles/{role['id']}"
    world.keystone.call("PUT", path)
    token = world.token(user, {"system": {"all": True}})
    return token, lambda: world.keystone.call("DELETE", path), ("user", user["id"]), "no_role"


def group_on_the_system_left(world):
    user, role, group = world.user(), world.make("roles"), world.make("groups", description="")
    path = f"/groups/{group['id']}/users/{user['id']}"
    world.keystone.call("PUT", path)
    world.keystone.call("PUT", f"/system/groups/{group['id']}/roles/{role['id']}")
    token = world.token(user, {"system": {"all": True}})
    return token, lambda: world.keystone.call("DELETE", path), ("user", user["id"]), "no_role"


def user_disabled(world):
    user, project = world.user(), world.project()
    world.grant(world.make("roles"), user, project)
    token = world.token(user, {"project": {"id": project["id"]}})
    change = partial(world.change, "users", user, enabled=False)
    return token, change, ("user", user["id"]), "user_disabled"


def user_without_a_scope_disabled(world):
    user = world.user()
    token = world.token(user, "unscoped")
    change = partial(world.change, "users", user, enabled=False)
    return token, change, ("user", user["id"]), "user_disabled"


def user_deleted(world):
    user = world.user()
    token = world.token(user, "unscoped")
    change = partial(world.keystone.call, "DELETE", f"/users/{user['id']}")
    return token, change, ("user", user["id"]), "user_gone"


def domain_of_the_user_disabled(world):
    domain, project = world.make("domains"), world.project()
    user = world.user(domain_id=domain["id"])
    world.grant(world.make("roles"), user, project)
    token = world.token(user, {"project": {"id": project["id"]}}, domain["id"])
    change = partial(world.change, "domains", domain, enabled=False)
    return token, change, ("user", user["id"]), "domain_disabled"


def domain_of_the_project_disabled(world):
    domain, user = world.make("domains"), world.user()
    project = world.project(domain_id=domain["id"])
    world.grant(world.make("roles"), user, project)
    token = world.token(user, {"project": {"id": project["id"]}})
    change = partial(world.change, "domains", domain, enabled=False)
    return token, change, ("user", user["id"]), "domain_disabled"


def project_disabled(world):
    user, project = world.user(), world.project()
    world.grant(world.make("roles"), user, project)
    token = world.token(user, {"project": {"id": project["id"]}})
    change = partial(world.change, "projects", project, enabled=False)
    return token, change, ("user", user["id"]), "project_disabled"


def project_deleted(world):
    user, project = world.user(), world.project()
    world.grant(world.make("roles"), user, project)
    token = world.token(user, {"project": {"id": project["id"]}})
    change = partial(world.keystone.call, "DELETE", f"/projects/{project['id']}")
    return token, change, ("user", user["id"]), "project_gone"


def application_credential_deleted(world):
    user, project = world.user(), world.project()
    world.grant(world.make("roles"), user, project)
    made, path, token = world.application_credential(user, project)
    own = world.token(user, {"project": {"id": project["id"]}})
    change = partial(world.keystone.call, "DELETE", path, token=own)
    told = ("application_credential", made["id"])
    return token, change, told, "application_credential_gone"


def trust_deleted(world):
    trustee, trust, own, token, _, _ = a_trust(world)
    path = f"/OS-TRUST/trusts/{trust['id']}"
    change = partial(world.keystone.call, "DELETE", path, token=own)
    return token, change, ("trust", trust["id"]), "trust_gone"


def trustor_disabled(world):
    _, trust, _, token, trustor, _ = a_trust(world)
    change = partial(world.change, "users", trustor, enabled=False)
    return token, change, ("trust", trust["id"]), "trustor_disabled"


def trustee_disabled(world):
    trustee, trust, _, token, _, _ = a_trust(world)
    change = partial(world.change, "users", trustee, enabled=False)
    return token, change, ("trust", trust["id"]), "user_disabled"


def role_of_the_trustor_removed(world):
    _, trust, _, token, _, path = a_trust(world)
    change = partial(world.keystone.call, "DELETE", path)
    return token, change, ("trust", trust["id"]), "trust_role_lost"


def a_trust(world):
    """A trustee, the trust, a token of the trustor, one of the trust, the trustor, its role."""
    trustor, trustee, project, role = world.user(), world.user(), world.project(), world.make("roles")
    path = world.grant(role, trustor, project)
    # Another one, so that the trustor can still have tokens.
    world.grant(world.make("roles"), trustor, project)
    made, own = world.trust(trustor, trustee, project, role, impersonation=True)
    token = world.token(trustee, {"OS-TRUST:trust": {"id": made["id"]}})
    return trustee, made, own, token, trustor, path


CHANGES = [
    role_removed,
    role_on_the_domain_removed,
    role_on_the_system_removed,
    group_on_the_system_left,
    user_disabled,
    user_without_a_scope_disabled,
    user_deleted,
    domain_of_the_user_disabled,
    domain_of_the_project_disabled,
    project_disabled,
    project_deleted,
    application_credential_deleted,
    trust_deleted,
    trustor_disabled,
    trustee_disabled,
    role_of_the_trustor_removed,
]


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.__name__)
def test_what_keystone_refuses_is_denied_and_told(world, case):
    token, change, told, reason = case(world)
    ask = question(world.keystone.validate(token))
    world.agreed(token)
    feed = Feed(world.server)
    change()
    print(f"{case.__name__}: told after {feed.tells(*told):.2f} s")
    refused(world, token, ask, reason)


def test_a_disabled_domain_is_denied_though_keystone_is_lenient(world):
    """Keystone gives out no token for such a domain, but goes on taking those that there are."""
    user, domain = world.user(), world.make("domains")
    world.grant(world.make("roles"), user, domain)
    scope = {"domain": {"id": domain["id"]}}
    token = world.token(user, scope)
    ask = question(world.keystone.validate(token))
    world.agreed(token)
    feed = Feed(world.server)
    world.change("domains", domain, enabled=False)
    feed.tells("user", user["id"])
    assert world.denied(ask) == "domain_disabled"
    own = {"id": user["id"], "password": f"password-of-{user['name']}"}
    identity = {"methods": ["password"], "password": {"user": own}}
    auth = {"auth": {"identity": identity, "scope": scope}}
    assert world.keystone.client.post("/auth/tokens", json=auth).status_code == 401
    feed.changes.clear()
    world.change("domains", domain, enabled=True)
    feed.tells("user", user["id"])
    world.agreed(token)


def test_what_is_given_back_is_told_and_taken_again(world):
    domain, user, role = world.make("domains"), world.user(), world.make("roles")
    project = world.project(domain_id=domain["id"])
    path = world.grant(role, user, project)
    token = world.token(user, {"project": {"id": project["id"]}})
    ask = question(world.keystone.validate(token))
    world.agreed(token)
    for take, give, reason in (
        (
            lambda: world.keystone.call("DELETE", path),
            lambda: world.keystone.call("PUT", path),
            "no_role",
        ),
        (
            lambda: world.change("projects", project, enabled=False),
            lambda: world.change("projects", project, enabled=True),
            "project_disabled",
        ),
        (
            lambda: world.change("domains", domain, enabled=False),
            lambda: world.change("domains", domain, enabled=True),
            "domain_disabled",
        ),
    ):
        feed = Feed(world.server)
        take()
        feed.tells("user", user["id"])
        refused(world, token, ask, reason)
        feed.changes.clear()
        give()
        feed.tells("user", user["id"])
        world.agreed(token)


def test_a_federated_identity_is_followed(world, issuer):
    issued = issuer.federated_project_scoped().token
    ask = question(world.keystone.validate(issued))
    world.agreed(issued)
    # Keystone counts what the group may do on the system, too.
    actor = f"groups/{issuer.group}/roles/{issuer.role}"
    paths = [f"/projects/{issuer.project}/{actor}", f"/system/{actor}"]
    feed = Feed(world.server)
    world.keystone.call("DELETE", paths[0])
    world.agreed(issued)
    world.keystone.call("DELETE", paths[1])
    feed.tells("user", ask["user"])
    refused(world, issued, ask, "no_role")
    for path in paths:
        feed.changes.clear()
        world.keystone.call("PUT", path)
        feed.tells("user", ask["user"])
        world.agreed(issued)


def test_while_nothing_changes_nothing_is_told(world, issuer):
    """With identities of every kind that were asked for, and denied ones."""
    for way in WAYS:
        world.agreed(getattr(Issuer, way)(issuer).token) if "credential" not in way else None
    for case in CHANGES:
        world.agreed(case(world)[0])
    for scope in ("unscoped", "system", {"project": uuid.uuid4().hex}):
        world.identity({"user": uuid.uuid4().hex, "scope": scope})
        federation = {"groups": ["g"], "identity_provider": "i", "protocol": "p"}
        world.identity({"user": issuer.alice, "scope": scope, "federation": federation})
    # What the setup itself changed is told now: the answer comes from the pass after it.
    begun = time.time()
    feed = Feed(world.server)
    wait_until(lambda: feed.checked() > begun, "a pass")
    feed.changes.clear()
    end = feed.checked() + 5 * PERIOD
    wait_until(lambda: feed.checked() > end, "five passes", 20, pause=PERIOD / 2)
    assert feed.changes == []


def test_random_assignments_give_the_roles_that_keystone_gives(world):
    """Pairs of a user and a project, domain or the system, in a random cloud."""
    choice = random.Random(20261122)
    domains = [world.make("domains") for _ in range(2)]
    roles = [world.make("roles") for _ in range(6)]
    for prior, implied in ((0, 1), (1, 2), (3, 4), (0, 5)):
        world.imply(roles[prior], roles[implied])
    projects = []
    for _ in range(5):
        parent = choice.choice([None, *projects])
        domain = choice.choice(domains)
        projects.append(world.project(parent, **({} if parent else {"domain_id": domain["id"]})))
    users = [world.user(domain_id=choice.choice(domains)["id"]) for _ in range(5)]
    groups = [world.make("groups", domain_id=domains[0]["id"], description="") for _ in range(2)]
    for group in groups:
        for user in choice.sample(users, 3):
            world.keystone.call("PUT", f"/groups/{group['id']}/users/{user['id']}")
    for _ in range(18):
        target = choice.choice([*projects, *domains])
        actor = choice.choice([*users, *groups])
        world.grant(choice.choice(roles), actor, target, inherited=choice.random() < 0.4)
    for actor, kind in ((users[0], "users"), (groups[0], "groups")):
        role = choice.choice(roles)
        world.keystone.call("PUT", f"/system/{kind}/{actor['id']}/roles/{role['id']}")

    scopes = [{"project": {"id": project["id"]}} for project in projects]
    scopes += [{"domain": {"id": domain["id"]}} for domain in domains]
    scopes.append({"system": {"all": True}})
    pairs = [(user, scope) for user in users for scope in scopes]
    count = 40 if world.engine.name == "sqlite" else 15
    taken = 0
    for user, scope in choice.sample(pairs, count):
        own = {"id": user["id"], "password": f"password-of-{user['name']}"}
        identity = {"methods": ["password"], "password": {"user": own}}
        auth = {"auth": {"identity": identity, "scope": scope}}
        answer = world.keystone.client.post("/auth/tokens", json=auth)
        if answer.status_code == 201:
            world.agreed(answer.headers["x-subject-token"])
            taken += 1
        else:
            assert answer.status_code == 401, answer.text
            kind, place = next(iter(scope.items()))
            scope = "system" if kind == "system" else {kind: place["id"]}
            assert world.denied({"user": user["id"], "scope": scope}) == "no_role"
    # Else the cloud would be no test.
    assert count // 4 < taken < count


def test_a_database_that_is_down_is_an_answer_to_ask_again(world):
    user, _ = world.somebody()
    ask = {"user": user["id"], "scope": "unscoped"}
    assert world.identity(ask)[0] == 200
    with unavailable(world.engine):
        status, headers, answer = world.server.post("/v1/identities", ask)
        assert (status, headers["retry-after"]) == (503, "1"), answer
    wait_until(lambda: world.identity(ask)[0] == 200, "it is back", 20)
