"""What Keystone has revoked, as the key server tells it: all of it, and each event that is new."""

import concurrent.futures
import datetime
import time
import uuid

import httpx
import pytest

from parts.deadline import wait_until
from parts.keyserver import BEARER_TOKEN

# The first test of each engine waits for a database and a Keystone.
pytestmark = pytest.mark.timeout(300)

HEADERS = {"authorization": f"Bearer {BEARER_TOKEN}"}


class Edge:
    """What an edge learns: the cursor first, then all events, then changes."""

    def __init__(self, server):
        self.url = server.url
        self.changes = []
        self.cursor = self._get("/v1/changes")["cursor"]
        self.events = all_events(server)

    def _get(self, path, **parameters):
        answer = httpx.get(self.url + path, params=parameters, headers=HEADERS, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def poll(self):
        more = True
        while more:
            answer = self._get("/v1/changes", after=self.cursor)
            self.cursor, more = answer["cursor"], answer["more"]
            self.changes += answer["changes"]
        return self.changes

    def is_told(self, fields, also=None):
        """Waits until an event of these fields alone is told, and a change besides; returns it."""

        def told():
            events = [it["event"] for it in self.poll() if it["kind"] == "revocation"]
            return next((event for event in events if without_time(event) == fields), None)

        wait_until(told, f"a revocation of {fields}", 5)
        if also:
            assert also in self.changes
        return told()


def all_events(server):
    """Every page."""
    events, after, more = [], 0, True
    while more:
        path = f"{server.url}/v1/revocations?after={after}"
        answer = httpx.get(path, headers=HEADERS, timeout=20)
        assert answer.status_code == 200, answer.text
        answer = answer.json()
        events += answer["events"]
        after, more = answer["after"], answer["more"]
    return events


def without_time(event):
    return {key: value for key, value in event.items() if key != "issued_before"}


def check(world, edge, begun, fields, also=None):
    """The event is told as a change and with all others, and says the second of now."""
    event = edge.is_told(fields, also)
    assert event in all_events(world.server)
    assert event not in edge.events
    assert int(begun) <= event["issued_before"] <= time.time() + 1


def own_token(world, user, project=None):
    scope = {"project": {"id": project["id"]}} if project else "unscoped"
    return world.keystone.user_token(user["name"], scope=scope)


@pytest.mark.parametrize("cascade", [True, False])
def test_a_deleted_token(world, cascade):
    user = world.user()
    token = own_token(world, user)
    (audit_id,) = world.keystone.validate(token)["audit_ids"]
    edge, begun = Edge(world.server), time.time()
    path = f"/auth/tokens?cascade={cascade}"
    world.keystone.call("DELETE", path, token=token, **{"x-subject-token": token})
    check(world, edge, begun, {"audit_id": audit_id})
    if cascade:
        check(world, edge, begun, {"audit_chain_id": audit_id})
    # A token is nothing that anything else was made of.
    assert len(edge.changes) == 1 + cascade


def test_a_changed_password(world):
    user = world.user()
    edge, begun = Edge(world.server), time.time()
    change = {"user": {"password": uuid.uuid4().hex}}
    world.keystone.call("PATCH", f"/users/{user['id']}", change)
    check(world, edge, begun, {"user_id": user["id"]}, {"kind": "user", "id": user["id"]})


def test_a_disabled_and_a_deleted_user(world):
    for deletes in (False, True):
        user = world.user()
        edge, begun = Edge(world.server), time.time()
        path = f"/users/{user['id']}"
        if deletes:
            world.keystone.call("DELETE", path)
        else:
            world.keystone.call("PATCH", path, {"user": {"enabled": False}})
        check(world, edge, begun, {"user_id": user["id"]}, {"kind": "user", "id": user["id"]})


def test_a_deleted_trust(world):
    trustor, trustee, project, role = world.user(), world.user(), world.project(), world.make("roles")
    world.grant(role, trustor, project)
    token = own_token(world, trustor, project)
    trust = {
        "trustor_user_id": trustor["id"],
        "trustee_user_id": trustee["id"],
        "project_id": project["id"],
        "impersonation": True,
        "roles": [{"id": role["id"]}],
    }
    path = "/OS-TRUST/trusts"
    made = world.keystone.call("POST", path, {"trust": trust}, token=token)["trust"]["id"]
    edge, begun = Edge(world.server), time.time()
    world.keystone.call("DELETE", f"{path}/{made}", token=token)
    check(world, edge, begun, {"trust_id": made}, {"kind": "trust", "id": made})


def test_a_deleted_project(world):
    project = world.project()
    edge, begun = Edge(world.server), time.time()
    world.keystone.call("DELETE", f"/projects/{project['id']}")
    also = {"kind": "project", "id": project["id"]}
    check(world, edge, begun, {"project_id": project["id"]}, also)


def test_a_deleted_consumer(world):
    path = "/OS-OAUTH1/consumers"
    made = world.keystone.call("POST", path, {"consumer": {"description": ""}})["consumer"]["id"]
    edge, begun = Edge(world.server), time.time()
    world.keystone.call("DELETE", f"{path}/{made}")
    check(world, edge, begun, {"consumer_id": made})


def test_times_are_those_of_utc_and_a_domain_with_an_end_is_a_scope(world):
    """Events of older releases, which no API of this one writes."""
    edge = Edge(world.server)
    issued = datetime.datetime(2026, 7, 1, 12, 30, 59, tzinfo=datetime.UTC)
    ended = issued + datetime.timedelta(hours=1)
    # It must outlive the events that are written after it: these delete what is old.
    now = datetime.datetime.now(datetime.UTC)
    domain = uuid.uuid4().hex
    texts = [f"{time:%Y-%m-%d %H:%M:%S.000000}" for time in (issued, now, ended)]
    statement = (
        "INSERT INTO revocation_event (domain_id, issued_before, revoked_at, expires_at)"
        " VALUES (%s, %s, %s, %s)"
    )
    world.engine.execute(statement, (domain, *texts[:2], None))
    event = edge.is_told({"domain_id": domain}, {"kind": "domain", "id": domain})
    assert event["issued_before"] == int(issued.timestamp())
    world.engine.execute(statement, (domain, *texts))
    fields = {"domain_scope_id": domain, "expires_at": int(ended.timestamp())}
    assert edge.is_told(fields)["issued_before"] == int(issued.timestamp())


def test_many_who_start_at_once_get_all_of_it(world):
    now = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M:%S.000000}"
    marks = {uuid.uuid4().hex for _ in range(20)}
    for mark in marks:
        world.engine.execute(
            "INSERT INTO revocation_event (role_id, issued_before, revoked_at) VALUES (%s, %s, %s)",
            (mark, now, now),
        )
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: all_events(world.server), range(200)))
    for events in answers:
        assert marks <= {event.get("role_id") for event in events}
