"""What edges are told to ask for again: the feed of changes, over a real Keystone on every engine."""

import datetime
import json
import time
import uuid

import pytest

from parts.databases import unavailable
from parts.deadline import wait_until
from parts.feed import PERIOD, Feed

# The first test of each engine waits for a database and a Keystone.
pytestmark = pytest.mark.timeout(300)

# Each makes an access key, and what changes it: the path is asked for, in that order, by a test.


def role_removed(world):
    user, project = world.user(), world.project()
    path = world.grant(world.make("roles"), user, project)
    return world.credential(user, project), lambda: world.keystone.call("DELETE", path)


def one_role_of_two_removed(world):
    user, project = world.user(), world.project()
    path = world.grant(world.make("roles"), user, project)
    world.grant(world.make("roles"), user, project)
    return world.credential(user, project), lambda: world.keystone.call("DELETE", path)


def role_granted_again(world):
    user, project, role = world.user(), world.project(), world.make("roles")
    world.keystone.call("DELETE", world.grant(role, user, project))
    return world.credential(user, project), lambda: world.grant(role, user, project)


def inherited_role_removed(world):
    user, above = world.user(), world.project()
    project = world.project(world.project(above))
    path = world.grant(world.make("roles"), user, above, inherited=True)
    return world.credential(user, project), lambda: world.keystone.call("DELETE", path)


def role_inherited_from_the_domain_removed(world):
    domain, user = world.make("domains"), world.user()
    path = world.grant(world.make("roles"), user, domain, inherited=True)
    access_key = world.credential(user, world.project(domain_id=domain["id"]))
    return access_key, lambda: world.keystone.call("DELETE", path)


def group_membership_removed(world):
    user, project, group = world.user(), world.project(), world.make("groups", description="")
    membership = f"/groups/{group['id']}/users/{user['id']}"
    world.keystone.call("PUT", membership)
    world.grant(world.make("roles"), group, project)
    return world.credential(user, project), lambda: world.keystone.call("DELETE", membership)


def role_of_the_group_removed(world):
    user, project, group = world.user(), world.project(), world.make("groups", description="")
    world.keystone.call("PUT", f"/groups/{group['id']}/users/{user['id']}")
    path = world.grant(world.make("roles"), group, project)
    return world.credential(user, project), lambda: world.keystone.call("DELETE", path)


def implied_role_rule_removed(world):
    user, project = world.user(), world.project()
    role, implied, last = (world.make("roles") for _ in range(3))
    world.grant(role, user, project)
    world.imply(role, implied)
    world.imply(implied, last)
    path = f"/roles/{implied['id']}/implies/{last['id']}"
    return world.credential(user, project), lambda: world.keystone.call("DELETE", path)


def project_disabled(world):
    user, project = world.user(), world.project()
    world.grant(world.make("roles"), user, project)
    return world.credential(user, project), lambda: disable(world, "projects", project)


def domain_of_the_project_disabled(world):
    domain, user = world.make("domains"), world.user()
    project = world.project(domain_id=domain["id"])
    world.grant(world.make("roles"), user, project)
    return world.credential(user, project), lambda: disable(world, "domains", domain)


def domain_of_the_user_disabled(world):
    domain, project = world.make("domains"), world.project()
    user = world.user(domain_id=domain["id"])
    world.grant(world.make("roles"), user, project)
    return world.credential(user, project), lambda: disable(world, "domains", domain)


def user_disabled(world):
    user, project = world.user(), world.project()
    world.grant(world.make("roles"), user, project)
    return world.credential(user, project), lambda: disable(world, "users", user)


def user_enabled(world):
    user, project = world.user(), world.project()
    world.grant(world.make("roles"), user, project)
    access_key = world.credential(user, project)
    disable(world, "users", user)
    return access_key, lambda: disable(world, "users", user, enabled=True)


def user_renamed(world):
    user, project = world.somebody()
    access_key = world.credential(user, project)
    name = f"renamed-{uuid.uuid4().hex[:8]}"
    path = f"/users/{user['id']}"
    return access_key, lambda: world.keystone.call("PATCH", path, {"user": {"name": name}})


def credential_deleted(world):
    user, project = world.somebody()
    access_key = world.credential(user, project)
    path = f"/users/{user['id']}/credentials/OS-EC2/{access_key}"
    return access_key, lambda: world.keystone.call("DELETE", path)


def credential_created(world):
    access_key, somebody = uuid.uuid4().hex, world.somebody()
    return access_key, lambda: world.credential_with(*somebody, access=access_key)


def secret_changed(world):
    access_key = world.credential_with(*world.somebody())
    path = f"/credentials/{world.credential_id(access_key)}"
    blob = json.dumps({"access": access_key, "secret": uuid.uuid4().hex})
    change = {"credential": {"blob": blob}}
    return access_key, lambda: world.keystone.call("PATCH", path, change)


def application_credential_deleted(world):
    user, project, role = world.user(), world.project(), world.make("roles")
    world.grant(role, user, project)
    token = world.keystone.user_token(user["name"], scope={"project": {"id": project["id"]}})
    path = f"/users/{user['id']}/application_credentials"
    body = {"application_credential": {"name": "a", "roles": [{"id": role["id"]}]}}
    made = world.keystone.call("POST", path, body, token=token)["application_credential"]
    access_key = world.credential_with(user, project, app_cred_id=made["id"])
    return access_key, lambda: world.keystone.call("DELETE", f"{path}/{made['id']}")


def trust_deleted(world):
    access_key, made, token, _ = a_trust(world)
    path = f"/OS-TRUST/trusts/{made['id']}"
    return access_key, lambda: world.keystone.call("DELETE", path, token=token)


def role_of_the_trustor_removed(world):
    access_key, _, _, path = a_trust(world)
    return access_key, lambda: world.keystone.call("DELETE", path)


def a_trust(world):
    """An access key that came from a trust; the trust, a token of the trustor, the trustor's role."""
    trustor, trustee, project = world.user(), world.user(), world.project()
    role = world.make("roles")
    path = world.grant(role, trustor, project)
    token = world.keystone.user_token(trustor["name"], scope={"project": {"id": project["id"]}})
    trust = {
        "trustor_user_id": trustor["id"],
        "trustee_user_id": trustee["id"],
        "project_id": project["id"],
        "impersonation": False,
        "roles": [{"id": role["id"]}],
    }
    made = world.keystone.call("POST", "/OS-TRUST/trusts", {"trust": trust}, token=token)["trust"]
    return world.credential_with(trustee, project, trust_id=made["id"]), made, token, path


def disable(world, collection, part, *, enabled=False):
    change = {collection.rstrip("s"): {"enabled": enabled}}
    world.keystone.call("PATCH", f"/{collection}/{part['id']}", change)


@pytest.mark.parametrize(
    ("case", "before", "after"),
    [
        (role_removed, 200, 404),
        (one_role_of_two_removed, 200, 200),
        (role_granted_again, 404, 200),
        (inherited_role_removed, 200, 404),
        (role_inherited_from_the_domain_removed, 200, 404),
        (group_membership_removed, 200, 404),
        (role_of_the_group_removed, 200, 404),
        (implied_role_rule_removed, 200, 200),
        (project_disabled, 200, 404),
        (domain_of_the_project_disabled, 200, 404),
        (domain_of_the_user_disabled, 200, 404),
        (user_disabled, 200, 404),
        (user_enabled, 404, 200),
        (user_renamed, 200, 200),
        (credential_deleted, 200, 404),
        (credential_created, 404, 200),
        (secret_changed, 200, 200),
        (application_credential_deleted, 200, 404),
        (trust_deleted, 200, 404),
        (role_of_the_trustor_removed, 200, 404),
    ],
    ids=lambda value: value.__name__ if callable(value) else str(value),
)
def test_what_changes_is_told_within_two_periods(world, case, before, after):
    access_key, change = case(world)
    status, held = world.ask(access_key)
    assert status == before
    feed = Feed(world.server)
    change()
    print(f"{case.__name__}: told after {feed.tells('access_key', access_key):.2f} s")
    status, answer = world.ask(access_key)
    assert status == after
    assert answer != held, "there was no need to ask again"


def test_while_nothing_changes_nothing_is_told(world):
    """With access keys of every kind that were asked for."""
    for _ in range(3):
        world.ask(uuid.uuid4().hex)
    for case in (
        one_role_of_two_removed,
        inherited_role_removed,
        group_membership_removed,
        implied_role_rule_removed,
        application_credential_deleted,
        trust_deleted,
        user_enabled,
    ):
        access_key, _ = case(world)
        world.ask(access_key)
    # What the setup itself changed is told now: the answer comes from the pass after it.
    begun = time.time()
    feed = Feed(world.server)
    wait_until(lambda: feed.checked() > begun, "a pass")
    feed.changes.clear()
    end = feed.checked() + 10 * PERIOD
    wait_until(lambda: feed.checked() > end, "ten passes", 20, pause=PERIOD / 2)
    assert feed.changes == []


def test_a_membership_that_ends_by_itself_is_told(world):
    user, project, role = world.user(), world.project(), world.make("roles")
    group = world.make("groups", description="")
    world.grant(role, group, project)
    # In five seconds, or in six: until then a busy machine has made the rest and asked.
    almost_over = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=54)
    world.federate(user, group, 1, almost_over)
    access_key = world.credential(user, project)
    feed = Feed(world.server)
    assert world.ask(access_key)[0] == 200
    change = ("access_key", access_key)
    wait_until(lambda: change in feed.poll(), change, 7 + 2 * PERIOD)
    assert world.ask(access_key)[0] == 404


def test_events_of_revocation_are_told(world):
    user, project = world.user(), world.project()
    _, trust, token, _ = a_trust(world)
    feed = Feed(world.server)
    change = {"user": {"password": "another-password"}}
    world.keystone.call("PATCH", f"/users/{user['id']}", change)
    feed.tells("user", user["id"])
    world.keystone.call("DELETE", f"/OS-TRUST/trusts/{trust['id']}", token=token)
    feed.tells("trust", trust["id"])
    world.keystone.call("DELETE", f"/projects/{project['id']}")
    feed.tells("project", project["id"])


def test_commands_on_the_store_are_told(world):
    feed = Feed(world.server)
    access_key = world.create("--user-id=u", "--role=member")["access_key"]
    feed.tells("access_key", access_key)
    for command in ("disable", "enable", "delete"):
        feed.changes.clear()
        world.keys(command, access_key)
        feed.tells("access_key", access_key)


def test_a_rotation_is_told(world):
    feed = Feed(world.server)
    world.keystone.rotate()
    feed.tells("token_keys")


def test_a_database_that_is_down_makes_the_feed_silent(world):
    access_key, change = role_removed(world)
    assert world.ask(access_key)[0] == 200
    feed = Feed(world.server)
    stopped = time.time()
    with unavailable(world.engine):
        wait_until(lambda: feed.get(feed.cursor).status_code == 503, "silence", 10 * PERIOD)
        assert feed.get().headers["retry-after"] == "1"
        assert int(feed.cursor.split(".")[0]) / 1e6 <= stopped
    wait_until(lambda: feed.get(feed.cursor).status_code == 200, "an answer", 15)
    change()
    feed.tells("access_key", access_key)
