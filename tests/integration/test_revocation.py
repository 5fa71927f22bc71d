"""A token that Keystone takes no more is refused at the edge soon after, and what Keystone takes again
is accepted again: for everything that an operator, a user or a client can do about it.

Keystone is the judge: whatever it says of a token after a change, and of its roles, the edge has to
say within two periods, each of which is that of the edge's polling and that of the key server's.

The databases take the cases in turn; with EVERY_DATABASE=1, each takes all, in some ten minutes.
"""

import dataclasses
import os
import time
import uuid
from collections.abc import Callable

import pytest

from parts.access_keys import World
from parts.databases import ENGINES
from parts.deadline import holds_for, wait_until
from parts.edge import Edge
from parts.envoy_config import Listener, plugin
from parts.feed import PERIOD
from parts.issue import Issuer
from parts.keystone import Keystone

pytestmark = pytest.mark.timeout(300)

POLL = 0.5
LIMIT = 2 * (POLL + PERIOD)
HEADING = f"seconds from Keystone's word to the edge's (at most {LIMIT:g})"


@dataclasses.dataclass
class Case:
    """A token, and what happens to it."""

    token: str
    change: Callable
    undo: Callable | None = None
    # Another token that is not meant.
    other: str | None = None
    # The token that its user gets afterwards.
    renew: Callable | None = None


class Cloud(World):
    """A Keystone, its key server, and what this file's cases have in common."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.issuer = Issuer(self.keystone)

    def call(self, *arguments, **options):
        return self.keystone.call(*arguments, **options)

    def holder(self, domain="default", project=None, roles=1):
        """A user with so many roles in a project, the project, and the paths of the grants."""
        user = self.user(domain_id=domain)
        project = project or self.project()
        paths = [self.grant(self.make("roles"), user, project) for _ in range(roles)]
        return user, project, paths

    def token(self, user, scope):
        return self.keystone.user_token(user["name"], user["domain_id"], scope)

    def for_project(self, user, project):
        return self.token(user, {"project": {"id": project["id"]}})

    def delete(self, path, **options):
        return lambda: self.call("DELETE", path, **options)

    def put(self, path):
        return lambda: self.call("PUT", path)

    def enable(self, collection, part, enabled):
        body = {collection.rstrip("s"): {"enabled": enabled}}
        return lambda: self.call("PATCH", f"/{collection}/{part['id']}", body)

    def revoke(self, token, query=""):
        headers = {"x-subject-token": token}
        return lambda: self.call("DELETE", f"/auth/tokens{query}", **headers)

    def rescoped(self, token, scope):
        identity = {"methods": ["token"], "token": {"id": token}}
        return self.keystone.token(identity, scope)

    def disabled(self, collection, part, token, **more):
        """That part disabled, and enabled again."""
        off, on = (self.enable(collection, part, enabled) for enabled in (False, True))
        return Case(token, off, on, **more)

    def taken(self, path, token, **more):
        """That assignment taken away, and given again."""
        return Case(token, self.delete(path), self.put(path), **more)

    def trust(self, *, impersonation, trustee=None, domain="default"):
        """The trust's id, its token, the trustor's own, the trustor, and the path of its role."""
        trustor, project, (path,) = self.holder(domain)
        trustee = trustee or self.user()
        own = self.for_project(trustor, project)
        body = {
            "trustor_user_id": trustor["id"],
            "trustee_user_id": trustee["id"],
            "project_id": project["id"],
            "impersonation": impersonation,
            "roles": [{"id": path.rpartition("/")[2]}],
        }
        made = self.call("POST", "/OS-TRUST/trusts", {"trust": body}, token=own)["trust"]
        token = self.token(trustee, {"OS-TRUST:trust": {"id": made["id"]}})
        return made["id"], token, own, trustor, path

    def application_credential(self):
        """Its path, its token, and the path of its user's role."""
        user, project, (path,) = self.holder()
        own = self.for_project(user, project)
        credentials = f"/users/{user['id']}/application_credentials"
        body = {"application_credential": {"name": uuid.uuid4().hex}}
        made = self.call("POST", credentials, body, token=own)["application_credential"]
        shown = {"id": made["id"], "secret": made["secret"]}
        identity = {"methods": ["application_credential"], "application_credential": shown}
        return f"{credentials}/{made['id']}", self.keystone.token(identity), path, own


# The cases, each of which is a function of the cloud.


def token_deleted(cloud):
    user, project, _ = cloud.holder()
    token, other = (cloud.for_project(user, project) for _ in range(2))
    return Case(token, cloud.revoke(token), other=other)


def parent_of_a_rescoped_token_deleted(cloud):
    user, project, _ = cloud.holder()
    parent = cloud.token(user, "unscoped")
    child = cloud.rescoped(parent, {"project": {"id": project["id"]}})
    return Case(child, cloud.revoke(parent), other=cloud.for_project(user, project))


def token_deleted_without_its_children(cloud):
    user, project, _ = cloud.holder()
    parent = cloud.token(user, "unscoped")
    child = cloud.rescoped(parent, {"project": {"id": project["id"]}})
    return Case(parent, cloud.revoke(parent, "?cascade=false"), other=child)


def rescoped_token_deleted(cloud):
    user, project, _ = cloud.holder()
    parent = cloud.token(user, "unscoped")
    child = cloud.rescoped(parent, {"project": {"id": project["id"]}})
    return Case(child, cloud.revoke(child), other=parent)


def all_tokens_of_a_user_deleted(cloud):
    user, project, _ = cloud.holder()
    token = cloud.for_project(user, project)
    path = f"/users/{user['id']}/tokens"
    return Case(token, cloud.delete(path), renew=lambda: cloud.for_project(user, project))


def password_changed(cloud):
    user, project, _ = cloud.holder()
    body = {"user": {"password": f"password-of-{user['name']}"}}
    return Case(
        cloud.for_project(user, project),
        lambda: cloud.call("PATCH", f"/users/{user['id']}", body),
        renew=lambda: cloud.for_project(user, project),
    )


def user_disabled(cloud):
    user, project, _ = cloud.holder()
    token = cloud.for_project(user, project)
    return cloud.disabled("users", user, token, renew=lambda: cloud.for_project(user, project))


def user_disabled_without_a_scope(cloud):
    user = cloud.user()
    return cloud.disabled("users", user, cloud.token(user, "unscoped"))


def user_deleted(cloud):
    user, project, _ = cloud.holder()
    return Case(cloud.for_project(user, project), cloud.delete(f"/users/{user['id']}"))


def trust_deleted(cloud):
    trust, token, own, *_ = cloud.trust(impersonation=False)
    return Case(token, cloud.delete(f"/OS-TRUST/trusts/{trust}", token=own), other=own)


def impersonating_trust_deleted(cloud):
    trust, token, own, *_ = cloud.trust(impersonation=True)
    return Case(token, cloud.delete(f"/OS-TRUST/trusts/{trust}", token=own), other=own)


def trustor_disabled(cloud):
    trustee = cloud.user()
    _, token, _, trustor, _ = cloud.trust(impersonation=False, trustee=trustee)
    return cloud.disabled("users", trustor, token, other=cloud.token(trustee, "unscoped"))


def trustee_disabled(cloud):
    trustee = cloud.user()
    _, token, own, *_ = cloud.trust(impersonation=True, trustee=trustee)
    return cloud.disabled("users", trustee, token, other=own)


def role_of_the_trustor_removed(cloud):
    _, token, _, _, path = cloud.trust(impersonation=False)
    return cloud.taken(path, token)


def consumer_deleted(cloud):
    token = cloud.issuer.of_oauth1().token
    consumer = cloud.keystone.validate(token)["OS-OAUTH1"]["consumer_id"]
    return Case(token, cloud.delete(f"/OS-OAUTH1/consumers/{consumer}"))


def access_token_deleted(cloud):
    token = cloud.issuer.of_oauth1().token
    answer = cloud.keystone.validate(token)
    access_token = answer["OS-OAUTH1"]["access_token_id"]
    path = f"/users/{answer['user']['id']}/OS-OAUTH1/access_tokens/{access_token}"
    return Case(token, cloud.delete(path))


def project_deleted(cloud):
    user, project, _ = cloud.holder()
    token, other = cloud.for_project(user, project), cloud.token(user, "unscoped")
    return Case(token, cloud.delete(f"/projects/{project['id']}"), other=other)


def project_disabled(cloud):
    user, project, _ = cloud.holder()
    token, other = cloud.for_project(user, project), cloud.token(user, "unscoped")
    return cloud.disabled("projects", project, token, other=other)


def domain_of_the_project_disabled(cloud):
    domain = cloud.make("domains")
    user, project, _ = cloud.holder(project=cloud.project(domain_id=domain["id"]))
    token, other = cloud.for_project(user, project), cloud.token(user, "unscoped")
    return cloud.disabled("domains", domain, token, other=other)


def domain_of_the_user_disabled(cloud):
    domain = cloud.make("domains")
    user, project, _ = cloud.holder(domain=domain["id"])
    return cloud.disabled("domains", domain, cloud.for_project(user, project))


def domain_of_the_user_disabled_without_a_scope(cloud):
    domain = cloud.make("domains")
    user = cloud.user(domain_id=domain["id"])
    return cloud.disabled("domains", domain, cloud.token(user, "unscoped"))


def domain_of_the_trustor_disabled(cloud):
    domain = cloud.make("domains")
    _, token, *_ = cloud.trust(impersonation=True, domain=domain["id"])
    return cloud.disabled("domains", domain, token)


def domain_deleted(cloud):
    domain = cloud.make("domains")
    user, project, _ = cloud.holder(project=cloud.project(domain_id=domain["id"]))
    token = cloud.for_project(user, project)

    def change():
        cloud.enable("domains", domain, False)()
        cloud.call("DELETE", f"/domains/{domain['id']}")

    return Case(token, change)


def only_role_removed(cloud):
    user, project, (path,) = cloud.holder()
    return cloud.taken(path, cloud.for_project(user, project), other=cloud.token(user, "unscoped"))


def one_role_of_two_removed(cloud):
    user, project, paths = cloud.holder(roles=2)
    return cloud.taken(paths[0], cloud.for_project(user, project))


def inherited_role_removed(cloud):
    user, above = cloud.user(), cloud.project()
    path = cloud.grant(cloud.make("roles"), user, above, inherited=True)
    return cloud.taken(path, cloud.for_project(user, cloud.project(cloud.project(above))))


def role_inherited_from_the_domain_removed(cloud):
    domain, user = cloud.make("domains"), cloud.user()
    path = cloud.grant(cloud.make("roles"), user, domain, inherited=True)
    return cloud.taken(path, cloud.for_project(user, cloud.project(domain_id=domain["id"])))


def role_in_the_domain_removed(cloud):
    domain = cloud.make("domains")
    user, _, (path,) = cloud.holder(project=domain)
    return cloud.taken(path, cloud.token(user, {"domain": {"id": domain["id"]}}))


def role_in_the_system_removed(cloud):
    user, role = cloud.user(), cloud.make("roles")
    path = f"/system/users/{user['id']}/roles/{role['id']}"
    cloud.call("PUT", path)
    return cloud.taken(path, cloud.token(user, {"system": {"all": True}}))


def role_of_a_group_in_the_system_removed(cloud):
    user, role, group = cloud.user(), cloud.make("roles"), cloud.make("groups", description="")
    cloud.call("PUT", f"/groups/{group['id']}/users/{user['id']}")
    path = f"/system/groups/{group['id']}/roles/{role['id']}"
    cloud.call("PUT", path)
    return cloud.taken(path, cloud.token(user, {"system": {"all": True}}))


def _member(cloud):
    """A user whose only role comes from a group; the project, and the paths of both."""
    user, project, group = cloud.user(), cloud.project(), cloud.make("groups", description="")
    membership = f"/groups/{group['id']}/users/{user['id']}"
    cloud.call("PUT", membership)
    return user, project, membership, cloud.grant(cloud.make("roles"), group, project)


def group_membership_removed(cloud):
    user, project, membership, _ = _member(cloud)
    return cloud.taken(membership, cloud.for_project(user, project))


def role_of_the_group_removed(cloud):
    user, project, _, path = _member(cloud)
    return cloud.taken(path, cloud.for_project(user, project))


def group_deleted(cloud):
    user, project, membership, _ = _member(cloud)
    path = membership.partition("/users")[0]
    return Case(cloud.for_project(user, project), cloud.delete(path))


def implied_role_removed(cloud):
    user, project, (path,) = cloud.holder()
    prior, implied = path.rpartition("/")[2], cloud.make("roles")["id"]
    path = f"/roles/{prior}/implies/{implied}"
    cloud.call("PUT", path)
    return cloud.taken(path, cloud.for_project(user, project))


def role_deleted(cloud):
    user, project, paths = cloud.holder(roles=2)
    path = f"/roles/{paths[0].rpartition('/')[2]}"
    return Case(cloud.for_project(user, project), cloud.delete(path))


def role_added(cloud):
    user, project, _ = cloud.holder()
    role = cloud.make("roles")
    path = cloud.grant(role, user, project)
    cloud.call("DELETE", path)
    return Case(cloud.for_project(user, project), cloud.put(path), cloud.delete(path))


def application_credential_deleted(cloud):
    path, token, _, own = cloud.application_credential()
    return Case(token, cloud.delete(path), other=own)


def role_of_an_application_credential_removed(cloud):
    _, token, path, _ = cloud.application_credential()
    return Case(token, cloud.delete(path))


def token_of_an_ec2_credential_deleted(cloud):
    token, other = (cloud.issuer.of_an_ec2_credential().token for _ in range(2))
    return Case(token, cloud.revoke(token), other=other)


def ec2_credential_deleted(cloud):
    """What was issued for it stays."""
    token = cloud.issuer.of_an_ec2_credential().token
    credentials = f"/users/{cloud.issuer.alice}/credentials/OS-EC2"
    keys = [made["access"] for made in cloud.call("GET", credentials)["credentials"]]
    return Case(token, lambda: [cloud.call("DELETE", f"{credentials}/{key}") for key in keys])


def federated_login_with_other_groups(cloud):
    """Whom an identity provider puts into other groups at the next login."""
    group = cloud.make("groups", description="")
    rules = cloud.call("GET", "/OS-FEDERATION/mappings/mapping")["mapping"]["rules"]
    other = [rules[0] | {"local": [rules[0]["local"][0], {"group": {"id": group["id"]}}]}]
    name = f"dave-{uuid.uuid4().hex[:8]}"

    def log_in():
        path = "/OS-FEDERATION/identity_providers/provider/protocols/mapped/auth"
        answer = cloud.keystone.client.post(path, headers={"x-asserted-user": name})
        assert answer.status_code == 201, answer.text
        return answer.headers["x-subject-token"]

    def map_to(rules):
        cloud.call("PATCH", "/OS-FEDERATION/mappings/mapping", {"mapping": {"rules": rules}})

    token = log_in()
    issued = time.monotonic()

    def change():
        # Keystone leaves alone what was issued in the second before.
        wait_until(lambda: time.monotonic() > issued + 2, "two seconds")
        map_to(other)
        log_in()
        map_to(rules)

    return Case(token, change)


def identity_provider_deleted(cloud):
    provider = f"provider-{uuid.uuid4().hex[:8]}"
    path = f"/OS-FEDERATION/identity_providers/{provider}"
    cloud.call("PUT", path, {"identity_provider": {"enabled": True}})
    cloud.call("PUT", f"{path}/protocols/mapped", {"protocol": {"mapping_id": "mapping"}})
    headers = {"x-asserted-user": f"erin-{uuid.uuid4().hex[:8]}"}
    answer = cloud.keystone.client.post(f"{path}/protocols/mapped/auth", headers=headers)
    token = cloud.rescoped(
        answer.headers["x-subject-token"], {"project": {"id": cloud.issuer.project}}
    )
    return Case(token, cloud.delete(path))


CASES = [
    case
    for name, case in list(globals().items())
    if getattr(case, "__module__", None) == __name__
    and callable(case)
    and not isinstance(case, type)
    and not name.startswith("_")
]
# Keystone goes on to accept the token, with other roles, or as it did.
OTHER_ROLES = {one_role_of_two_removed, implied_role_removed, role_deleted, role_added}
NO_CHANGE = {ec2_credential_deleted}
# One database after another: each is set up once.
PLACES = [
    pytest.param(engine, case, id=f"{engine}-{case.__name__}")
    for turn, engine in enumerate(ENGINES)
    for case in (CASES if os.environ.get("EVERY_DATABASE") else CASES[turn :: len(ENGINES)])
]


@pytest.fixture(scope="module")
def cloud(request, keyserver_program, tmp_path_factory):
    make = tmp_path_factory.mktemp
    with ENGINES[request.param](make(request.param)) as engine:
        connection = engine.keystone_url("keystone")
        with Keystone(make("keystone"), connection) as keystone:
            cloud = Cloud(engine, keystone, keyserver_program, make("world"))
            with cloud.server:
                yield cloud


@pytest.fixture(scope="module")
def front(start_envoy, cloud):
    """An Envoy that asks every half second what has changed."""
    poll = {"poll": f"{POLL * 1000:.0f}ms"}
    listener = Listener(plugin(keyserver=poll, token={"identity": "records"}))
    with start_envoy({"records": listener}, cloud.server.port) as envoy:
        yield envoy


@pytest.mark.parametrize(("cloud", "case"), PLACES, indirect=["cloud"], scope="module")
def test_what_keystone_says_is_said_at_the_edge_within_two_periods(cloud, front, figures, case):
    made = case(cloud)
    port, keystone = front.ports["records"], cloud.keystone
    with Edge(port, keystone, made.token) as edge:
        roles = edge.keystones()
        assert roles is not None
        # What was done before the token was made may not have come here yet.
        wait_until(lambda: edge.agrees(roles), "the edge to know the token", LIMIT)

        made.change()
        changed = edge.keystones()
        told = time.monotonic()
        assert (changed is None) == (case not in OTHER_ROLES | NO_CHANGE)
        assert (changed == roles) == (case in NO_CHANGE)
        took = edge.agrees_within(changed, told, LIMIT)
        line = f"{case.__name__:45} " + ("stays" if case in NO_CHANGE else f"{took:5.2f}")
        while_ = LIMIT if case in NO_CHANGE else 0.5
        holds_for(lambda: edge.agrees(changed), "it is said again and again", while_)

        if made.other:
            with Edge(port, keystone, made.other) as other:
                expected = other.keystones()
                assert expected is not None
                wait_until(lambda: other.agrees(expected), "the other token", LIMIT)

        if made.undo:
            made.undo()
            again = edge.keystones()
            took = edge.agrees_within(again, time.monotonic(), LIMIT)
            line += "  still refused" if again is None else f"  again {took:5.2f}"
            holds_for(lambda: edge.agrees(again), "it is said again and again", 0.5)

    if made.renew:
        line += f"  new token {_renewed(made, port, keystone):5.2f}"
    figures.setdefault(HEADING, []).append(line)


@pytest.mark.parametrize("cloud", ENGINES, indirect=True)
def test_a_token_for_a_domain_is_good_while_the_domain_is_enabled(cloud, front, figures):
    domain = cloud.make("domains")
    user, _, _ = cloud.holder(project=domain)
    token = cloud.token(user, {"domain": {"id": domain["id"]}})
    made = cloud.disabled("domains", domain, token)
    with Edge(front.ports["records"], cloud.keystone, token) as edge:
        roles = edge.keystones()
        wait_until(lambda: edge.agrees(roles), "the edge to know the token", LIMIT)
        made.change()
        took = edge.agrees_within(None, time.monotonic(), LIMIT)
        made.undo()
        again = edge.agrees_within(roles, time.monotonic(), LIMIT)
    line = f"{'domain_of_the_scope_disabled':45} {took:5.2f}  again {again:5.2f}"
    figures.setdefault(HEADING, []).append(line)


def _renewed(made, port, keystone):
    """How long after Keystone the edge accepts what the user gets afterwards."""

    def token():
        # Keystone refuses what was issued in the second of the revocation.
        token = made.renew()
        return keystone.validation(token).is_success and token

    with Edge(port, keystone, wait_until(token, "a token that Keystone accepts", 10)) as edge:
        return edge.agrees_within(edge.keystones(), time.monotonic(), LIMIT)
