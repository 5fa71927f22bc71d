"""Signing keys from Keystone's database and from the key server's own, on every engine.

Keystone itself is the judge: a string to sign that was signed with the key server's key is sent to
its /v3/s3tokens, which has to accept the signature and to name the same user, project and roles.
"""

import base64
import datetime
import hashlib
import json
import random
import sqlite3
import uuid

import pytest

from parts.access_keys import as_sql, derive
from parts.deadline import wait_until

# The first test of each engine waits for a database and a Keystone.
pytestmark = pytest.mark.timeout(300)


def test_roles_are_keystones_own(world):
    domain = world.make("domains")
    user = world.user(domain_id=domain["id"])
    parent = world.project(domain_id=domain["id"])
    project, other = world.project(parent), world.project(parent)
    group = world.make("groups", domain_id=domain["id"], description="")
    world.keystone.call("PUT", f"/groups/{group['id']}/users/{user['id']}")
    direct, of_group, inherited, of_domain, implied, twice, elsewhere, unrelated = (
        world.make("roles") for _ in range(8)
    )
    of_a_domain = world.make("roles", domain_id=domain["id"])
    through_it = world.make("roles")
    world.grant(direct, user, project)
    world.grant(of_group, group, project)
    world.grant(inherited, user, parent, inherited=True)
    world.grant(of_domain, group, domain, inherited=True)
    world.grant(elsewhere, user, other)
    world.grant(unrelated, user, project, inherited=True)
    world.grant(of_a_domain, user, project)
    world.imply(direct, implied)
    world.imply(implied, twice)
    world.imply(of_a_domain, through_it)

    expected = {role["name"] for role in (inherited, of_domain)}
    assert world.compare(world.credential(user, other)) == expected | {elsewhere["name"]}
    here = (direct, of_group, implied, twice, through_it)
    expected |= {role["name"] for role in here}
    assert world.compare(world.credential(user, project)) == expected
    # What is inherited holds below, and not for the project itself.
    assert world.compare(world.credential(user, parent)) == {of_domain["name"]}
    assert world.compare(world.credential(world.user(), project)) is None


def test_a_membership_by_federation_ends(world):
    user, project, role = world.user(), world.project(), world.make("roles")
    group = world.make("groups", description="")
    world.grant(role, group, project)
    access_key = world.credential(user, project)
    secret = world.secrets[-1]
    now = datetime.datetime.now(datetime.UTC)
    world.federate(user, group, 60, now)
    for minutes, expected in ((0, {role["name"]}), (59, {role["name"]}), (61, None)):
        verified = now - datetime.timedelta(minutes=minutes)
        world.engine.execute(
            "UPDATE expiring_user_group_membership SET last_verified = %s WHERE user_id = %s",
            (as_sql(verified), user["id"]),
        )
        assert world.compare(access_key, secret) == expected
    world.engine.execute("UPDATE identity_provider SET authorization_ttl = NULL")
    assert world.compare(access_key, secret) is None


def test_names_may_be_anything(world):
    domain = world.make("domains", name=f"Domäne '{uuid.uuid4().hex[:4]}")
    user = world.make("users", name='Ω "x" \\ 試', domain_id=domain["id"], password="x" * 10)
    project = world.make("projects", name="p; -- é", domain_id=domain["id"])
    role = world.make("roles", name=f"rôle-{uuid.uuid4().hex[:4]}")
    world.grant(role, user, project)
    assert world.compare(world.credential(user, project)) == {role["name"]}


def test_what_is_disabled_is_denied_and_enabled_again(world):
    domain, other_domain = world.make("domains"), world.make("domains")
    user = world.user(domain_id=domain["id"])
    project = world.project(domain_id=other_domain["id"])
    role = world.make("roles")
    path = world.grant(role, user, project)
    access_key = world.credential(user, project)
    assert world.compare(access_key) == {role["name"]}
    for collection, part in (
        ("users", user),
        ("projects", project),
        ("domains", domain),
        ("domains", other_domain),
    ):
        for enabled in (False, True):
            change = {collection.rstrip("s"): {"enabled": enabled}}
            world.keystone.call("PATCH", f"/{collection}/{part['id']}", change)
            assert world.compare(access_key) == ({role["name"]} if enabled else None), collection
    world.keystone.call("DELETE", path)
    assert world.compare(access_key) is None


def test_a_deleted_credential_is_unknown(world):
    user, project = world.somebody()
    access_key = world.credential(user, project)
    assert world.compare(access_key)
    world.keystone.call("DELETE", f"/users/{user['id']}/credentials/OS-EC2/{access_key}")
    assert world.reason(access_key) == "access_key_unknown"


def test_a_change_of_the_secret_is_followed_and_a_changed_access_key_is_another(world):
    user, project = world.somebody()
    access_key = world.credential_with(user, project)
    path = f"/credentials/{hashlib.sha256(access_key.encode()).hexdigest()}"
    for access, secret in ((access_key, "s/+é"), ("another", "secret-of-another")):
        world.secrets.append(secret)
        blob = json.dumps({"access": access, "secret": secret})
        change = {"credential": {"blob": blob}}
        world.keystone.call("PATCH", path, change)
        if access == access_key:
            status, answer = world.ask(access_key)
            assert (status, answer["signing_key"]) == (200, derive(secret)[-1].hex())
    assert world.reason(access_key) == "access_key_unknown"
    assert world.reason("another") == "access_key_unknown"


def test_rotated_credential_keys_are_followed(world):
    user, project = world.somebody()
    before = world.credential(user, project)
    assert world.compare(before)
    for _ in range(2):
        world.keystone.rotate_credential_keys()
        # 500 until the new keys were read twice, in half a second.
        wait_until(lambda: world.ask(before)[0] == 200, "the rotation", 5)
        assert world.compare(before)
        assert world.compare(world.credential(user, project))


def test_an_application_credential_restricts(world):
    """To its own project and roles: not so were CVE-2026-43001 and CVE-2026-33551 in Keystone."""
    user, project = world.user(), world.project()
    kept, lost, other = (world.make("roles") for _ in range(3))
    paths = {role["id"]: world.grant(role, user, project) for role in (kept, lost, other)}
    token = world.keystone.user_token(user["name"], scope={"project": {"id": project["id"]}})

    def application_credential(**fields):
        roles = [{"id": role["id"]} for role in (kept, lost)]
        fields = {"name": uuid.uuid4().hex, "roles": roles} | fields
        path = f"/users/{user['id']}/application_credentials"
        body = {"application_credential": fields}
        made = world.keystone.call("POST", path, body, token=token)["application_credential"]
        return made["id"]

    identity = application_credential()
    access_key = world.credential_with(user, project, app_cred_id=identity)
    secret = world.secrets[-1]
    assert world.compare(access_key, secret) == {kept["name"], lost["name"]}
    delegation = world.ask(access_key)[1]["credential"]["delegation"]
    assert delegation == {"application_credential": identity}
    # Whole seconds; a busy machine has made all of it and asked before the end.
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=6)
    ending = world.credential_with(
        user,
        project,
        app_cred_id=application_credential(expires_at=soon.strftime("%Y-%m-%dT%H:%M:%S")),
    )
    status, answer = world.ask(ending)
    assert (status, answer["credential"]["expires_at"]) == (200, int(soon.timestamp()))
    elsewhere = world.credential_with(user, world.project(), app_cred_id=identity)
    assert world.reason(elsewhere) == "access_key_disabled"
    rules = [{"path": "/v1/x", "method": "GET", "service": "object-store"}]
    ruled = application_credential(access_rules=rules)
    ruled = world.credential_with(user, project, app_cred_id=ruled)
    assert world.reason(ruled) == "access_key_disabled"
    absent = world.credential_with(user, project, app_cred_id=uuid.uuid4().hex)
    assert world.compare(absent) is None

    wait_until(lambda: world.ask(ending)[0] == 404, "the end", 10)
    assert world.reason(ending) == "access_key_expired"
    # A role that the user loses ends the application credential in Keystone.
    world.keystone.call("DELETE", paths[lost["id"]])
    assert world.compare(access_key, secret) in (None, {kept["name"]})
    path = f"/users/{user['id']}/application_credentials/{identity}"
    headers = {"x-auth-token": world.keystone.admin_token}
    assert world.keystone.client.delete(path, headers=headers).status_code in (204, 404)
    assert world.compare(access_key, secret) is None


def test_a_trust_restricts(world):
    trustor, trustee, project = world.user(), world.user(), world.project()
    given, implied, other = (world.make("roles") for _ in range(3))
    world.imply(given, implied)
    paths = [world.grant(role, trustor, project) for role in (given, other)]
    token = world.keystone.user_token(trustor["name"], scope={"project": {"id": project["id"]}})

    def trust(*, impersonation, **fields):
        trust = {
            "trustor_user_id": trustor["id"],
            "trustee_user_id": trustee["id"],
            "project_id": project["id"],
            "impersonation": impersonation,
            "roles": [{"id": given["id"]}],
        } | fields
        return world.keystone.call("POST", "/OS-TRUST/trusts", {"trust": trust}, token=token)["trust"]

    expected = {given["name"], implied["name"]}
    as_trustor = trust(impersonation=True)
    impersonating = world.credential_with(trustor, project, trust_id=as_trustor["id"])
    secret = world.secrets[-1]
    assert world.compare(impersonating, secret) == expected
    assert world.ask(impersonating)[1]["credential"]["delegation"] == {"trust": as_trustor["id"]}
    as_trustee = trust(impersonation=False)
    himself = world.credential_with(trustee, project, trust_id=as_trustee["id"])
    assert world.compare(himself) == expected
    counted = trust(impersonation=True, remaining_uses=5)
    counted = world.credential_with(trustor, project, trust_id=counted["id"])
    assert world.reason(counted) == "access_key_disabled"
    stranger = world.credential_with(world.user(), project, trust_id=as_trustor["id"])
    assert world.reason(stranger) == "access_key_disabled"
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=4)
    ending = trust(impersonation=True, expires_at=soon.strftime("%Y-%m-%dT%H:%M:%S.000000Z"))
    ending = world.credential_with(trustor, project, trust_id=ending["id"])
    status, answer = world.ask(ending)
    assert (status, answer["credential"]["expires_at"]) == (200, int(soon.timestamp()))

    world.keystone.call("PATCH", f"/users/{trustee['id']}", {"user": {"enabled": False}})
    assert world.reason(impersonating) == "access_key_disabled"
    world.keystone.call("PATCH", f"/users/{trustee['id']}", {"user": {"enabled": True}})
    assert world.ask(impersonating)[0] == 200
    wait_until(lambda: world.ask(ending)[0] == 404, "the end", 10)
    assert world.reason(ending) == "access_key_expired"
    world.keystone.call("DELETE", paths[0])
    assert world.compare(impersonating, secret) is None
    world.grant(given, trustor, project)
    # The token of the trustor ended with the role.
    token = world.keystone.user_token(trustor["name"], scope={"project": {"id": project["id"]}})
    path = f"/OS-TRUST/trusts/{as_trustor['id']}"
    headers = {"x-auth-token": token}
    assert world.keystone.client.delete(path, headers=headers).status_code in (204, 404)
    assert world.compare(impersonating, secret) is None


def test_an_oauth_access_token_makes_no_key(world):
    user, project = world.somebody()
    access_key = world.credential_with(user, project, access_token_id="x")
    assert world.reason(access_key) == "access_key_disabled"


def test_an_access_key_is_never_part_of_a_statement(world):
    user, project = world.somebody()
    for access_key in (
        "'",
        "x'OR'1'='1",
        "';DROP/**/TABLE/**/credential;--",
        "%",
        "_",
        "\\",
        "$1",
        "?",
        "a" * 128,
    ):
        assert world.reason(access_key) == "access_key_unknown"
        assert world.compare(world.credential_with(user, project, access=access_key))
        path = f"/credentials/{hashlib.sha256(access_key.encode()).hexdigest()}"
        world.keystone.call("DELETE", path)


def test_a_credential_of_another_type_is_none(world):
    user, project = world.somebody()
    blob = {"access": uuid.uuid4().hex, "secret": uuid.uuid4().hex}
    for kind in ("EC2", "Ec2"):
        blob["access"] = uuid.uuid4().hex
        credential = {
            "type": kind,
            "user_id": user["id"],
            "project_id": project["id"],
            "blob": json.dumps(blob),
        }
        world.keystone.call("POST", "/credentials", {"credential": credential})
        assert world.reason(blob["access"]) == "access_key_unknown"
        assert world.keystones_answer(blob["access"], derive(blob["secret"])[-1]) is None


def test_the_store_serves_what_was_put_there(world):
    created = world.create(
        "--user-id=u1",
        "--user-name=Ann Ω",
        "--user-domain-id=d1",
        "--user-domain-name=Users",
        "--project-id=p1",
        "--project-name=Photos",
        "--role=member",
        "--role=reader",
        "--description=it's a \"test\"",
    )
    access_key = created["access_key"]
    status, answer = world.ask(access_key)
    assert (status, answer["signing_key"]) == (200, derive(created["secret"])[-1].hex())
    assert answer["credential"] == {
        "user": {"id": "u1", "name": "Ann Ω", "domain": {"id": "d1", "name": "Users"}},
        "project": {"id": "p1", "name": "Photos"},
        "roles": [{"name": "member"}, {"name": "reader"}],
    }
    # MariaDB's usual collations would take it for the same.
    assert world.reason(access_key.lower()) == "access_key_unknown"
    world.keys("disable", access_key)
    assert world.reason(access_key) == "access_key_disabled"
    world.keys("enable", access_key)
    world.keys("enable", access_key)
    assert world.ask(access_key)[0] == 200
    listed = json.loads(world.keys("list", "--format=json"))
    assert any(
        entry["access_key"] == access_key and entry["description"] == 'it\'s a "test"'
        for entry in listed
    )
    assert "Ann Ω" in world.keys("list")
    world.keys("delete", access_key)
    assert world.reason(access_key) == "access_key_unknown"
    world.keys("delete", access_key, status=1)


def test_the_store_is_asked_before_keystone(world):
    user, project = world.somebody()
    access_key = world.credential(user, project)
    assert world.compare(access_key)
    secret = world.directory / "secret"
    secret.write_text("another-secret")
    world.create("--user-id=u2", f"--access-key={access_key}", f"--secret-file={secret}")
    status, answer = world.ask(access_key)
    assert (status, answer["credential"]["user"]) == (200, {"id": "u2"})
    world.keys("disable", access_key)
    assert world.reason(access_key) == "access_key_disabled"
    world.keys("delete", access_key)
    assert world.compare(access_key, "another-secret")


def test_random_assignments_give_the_roles_that_keystone_gives(world):
    """Forty pairs of user and project in a random cloud on SQLite, fewer where it takes longer."""
    seed = 20261122
    choice = random.Random(seed)
    domains = [world.make("domains") for _ in range(2)]
    roles = [world.make("roles") for _ in range(6)]
    roles += [world.make("roles", domain_id=domain["id"]) for domain in domains]
    for _ in range(10):
        prior, implied = choice.sample(range(len(roles)), 2)
        # Only towards the end: Keystone forbids nobody to make a circle, but bears none.
        if prior < implied < 6 or (prior >= 6 > implied):
            world.imply(roles[prior], roles[implied])
    projects = []
    for _ in range(7):
        parent = choice.choice([None, *projects])
        domain = choice.choice(domains)
        projects.append(world.project(parent, **({} if parent else {"domain_id": domain["id"]})))
    users = [world.user(domain_id=choice.choice(domains)["id"]) for _ in range(6)]
    groups = [
        world.make("groups", domain_id=choice.choice(domains)["id"], description="")
        for _ in range(3)
    ]
    for group in groups:
        for user in choice.sample(users, 3):
            world.keystone.call("PUT", f"/groups/{group['id']}/users/{user['id']}")
    for _ in range(24):
        target = choice.choice([*projects, *projects, *domains])
        fitting = [role for role in roles if role["domain_id"] in (None, target.get("domain_id"))]
        if target in domains:
            fitting = [role for role in roles if role["domain_id"] in (None, target["id"])]
        actor = choice.choice([*users, *groups])
        world.grant(choice.choice(fitting), actor, target, inherited=choice.random() < 0.5)

    pairs = [(user, project) for user in users for project in projects]
    count = 40 if world.engine.name == "sqlite" else 12
    results = [world.compare(world.credential(*pair)) for pair in choice.sample(pairs, count)]
    with_roles = [result for result in results if result]
    # Else the cloud would be no test.
    assert count // 4 < len(with_roles) < count, results
    assert max(map(len, with_roles)) > 1


def test_a_database_that_is_down_takes_no_other_keys_away(world):
    user, project = world.somebody()
    access_key = world.credential(user, project)
    own = world.create("--user-id=u1", "--role=member")["access_key"]
    assert world.compare(access_key)
    if world.engine.name == "sqlite":
        # Its server cannot be stopped; its file can be in the hands of a writer.
        database = world.engine.directory / "keystone.db"
        writer = sqlite3.connect(database, isolation_level=None)
        writer.execute("BEGIN EXCLUSIVE")
        assert world.ask(access_key)[0] == 503
        assert world.ask(own)[0] == 200, "the store is another file"
        writer.execute("ROLLBACK")
        writer.close()
    else:
        world.engine.stop()
        assert world.ask(access_key)[0] == 503
        assert world.ask(own)[0] == 503
        up = 'voussoir_keyserver_access_key_source_up{source="keystone"} '
        wait_until(lambda: up + "0" in world.server.get("/metrics"), "the outage shows", 20)
        world.engine.start()
    status, _, _ = world.server.post("/v1/signing-keys", {})
    assert status == 400
    assert world.server.get("/readyz") is not None
    assert world.server.get("/healthz") is not None
    wait_until(lambda: world.ask(access_key)[0] == 200, "it is back", 20)
    assert world.ask(own)[0] == 200


# Last: it looks back at all the others.
def test_nothing_that_was_sent_logged_or_counted_shows_a_secret(world):
    told = "\n".join([*world.answers, world.server.log(), world.server.get("/metrics")])
    assert len(world.answers) > 50
    assert len(world.secrets) > 10
    for secret in world.secrets:
        *hidden, _signing_key = derive(secret)
        for value in (secret.encode(), ("AWS4" + secret).encode(), *hidden):
            spellings = [value.hex(), value.hex().upper()]
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                spellings.append(encode(value).decode().rstrip("="))
            if value in (secret.encode(), ("AWS4" + secret).encode()):
                spellings.append(value.decode())
            for spelling in spellings:
                assert spelling not in told
    urls = (world.engine.url("store"), world.engine.read_only_url("keystone"))
    assert not any(url in told for url in urls)
    assert "p@ssword" not in told
    assert "p%40ssword" not in told
