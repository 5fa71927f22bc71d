"""Questions about tokens are answered by the filter before Keystone as Keystone would answer them, and
no question reaches it."""

from functools import partial

import httpx
import pytest

from parts import http1
from parts.deadline import wait_for_status, wait_until
from parts.everyone import MORE, WAYS
from parts.front import PATH, Front, assert_alike, listeners, told
from parts.impostor import Impostor
from parts.keystone import password_of
from parts.minting import aged
from parts.services import CATALOG, REGIONS, Pair, Services, assert_same

pytestmark = pytest.mark.timeout(300)

# For the one who has the certificate, and no service is told of that.
BOUND = "of_a_client_certificate"
# Of no use for a service that is not its own.
RULED = ["of_a_restricted_application_credential"]

# By when, in seconds, all have heard of a change: a few polls, and less than what is held stays fresh.
SOON = 20


@pytest.fixture(scope="module")
def front(pair, start_envoy):
    ports = {"keystone": pair.keystone.port}
    with start_envoy(listeners(), pair.keyserver.port, **ports) as envoy:
        yield Front(pair.keystone, envoy)


@pytest.fixture
def answers_alone(front):
    """Keystone is asked as often as the test itself asks it."""
    before = front.validations()
    asked = []
    yield asked.append
    assert front.validations() - before == len(asked)


@pytest.fixture(scope="module")
def callers(issued, pair):
    """Tokens of those who may ask about some, by what they are."""
    scope = {"system": {"all": True}}
    return {
        "administrator": pair.keystone.admin_token,
        "service": issued["of_a_service_user"],
        "reader of the system": issued["system_scoped"],
        "service for the system": pair.keystone.user_token("validator", scope=scope),
        "alice": issued["project_scoped"],
        "alice, for nothing yet": issued["unscoped"],
        "alice, for a domain": issued["domain_scoped"],
        "zoë": issued["with_roles_of_every_origin"],
        "bob, of a trust": issued["of_a_trust"],
        "bob as alice": issued["of_an_impersonating_trust"],
        "a signature": issued["of_an_ec2_credential"],
        "carol": issued["federated_project_scoped"],
        "alice's program": issued["of_an_application_credential"],
        "alice's ruled program": issued["of_an_application_credential_with_rules"],
        "nobody": None,
        "garbage": "garbage",
    }


@pytest.mark.parametrize("way", WAYS)
def test_the_answer_is_keystones(front, callers, issued, way):
    for caller in ("administrator", "service"):
        status, token = front.assert_same(callers[caller], issued[way])
        assert status == 200
        assert ("catalog" in token) == ("roles" in token)
    for query in ("?nocatalog", "?nocatalog=1&x=2", "?allow_expired=1&nocatalog="):
        status, token = front.assert_same(callers["service"], issued[way], query)
        assert status == 200
        assert "catalog" not in token
    status, _ = front.assert_same(callers["administrator"], issued[way], method="HEAD")
    assert status == 200
    if way == BOUND:
        # Keystone does not look at who comes with it.
        assert front.ours(issued[way], issued[way]).status == 401
    else:
        # About itself: not those whom Keystone does not let.
        front.assert_same(issued[way], issued[way])


def test_of_roles_all_is_shown_that_keystone_shows(front, callers, issued):
    shown = []
    for way in WAYS:
        _, token = front.assert_same(callers["service"], issued[way])
        is_whole = "trust" in way or way.startswith("federated_")
        for role in token.get("roles", []):
            assert ({"domain_id", "description", "options"} <= role.keys()) == is_whole, (way, role)
            assert is_whole or role.keys() == {"id", "name"}, (way, role)
            shown += [role] if is_whole else []
    assert {role["options"].get("immutable") for role in shown} == {True, False, None}
    assert {role["description"] for role in shown} > {None, "", MORE["direct"]["description"]}
    assert [role["team"] for role in shown if "team" in role][0] == MORE["implied"]["team"]


def test_a_role_is_shown_as_it_is_now(front, everyone, callers, issued):
    call, subject = front.keystone.call, issued["of_a_trust_with_a_role_of_a_group"]
    path = f"/roles/{everyone.roles['twice implied']}"

    def shown(ask):
        """The roles, and how often Keystone was asked for them."""
        before = front.validations()
        answer = ask(callers["service"], subject)
        return told(answer.json())["roles"], front.validations() - before

    for changes, expected in (
        ({"description": "one"}, 0),
        ({"options": {"immutable": False}}, 0),
        ({"description": "x" * 255, "team": "x" * 10_000}, 0),
        # More than an edge takes: Keystone is left to say it.
        ({"team": "x" * 17_000}, 1),
        ({"description": None, "options": {"immutable": None}, "team": None}, 0),
    ):
        call("PATCH", path, {"role": changes})
        theirs, _ = shown(front.theirs)
        wait_until(
            lambda roles=theirs, asked=expected: shown(front.ours) == (roles, asked),
            f"the edge to hear of {list(changes)}",
        )


@pytest.mark.parametrize("way", WAYS)
def test_no_question_reaches_keystone(front, callers, issued, way):
    before = front.validations()
    for query in ("", "?nocatalog", "?allow_expired=1"):
        for method in ("GET", "HEAD"):
            answer = front.ours(callers["administrator"], issued[way], query, method=method)
            assert answer.status == 200
        assert front.ours(None, issued[way], query).status == 401
        assert front.ours(callers["administrator"], "garbage", query).status == 404
    assert front.validations() == before


def test_who_may_ask_is_whom_keystone_lets(front, callers, issued):
    """Everybody asks about many, and about nobody."""
    others = [issued[way] for way in ("of_an_ec2_credential", "federated", "of_a_trust")]
    some = [issued["project_scoped"], issued["of_an_impersonating_trust"], None]
    for method, subjects in (("GET", [*some, *others, "garbage"]), ("HEAD", some)):
        statuses = {
            front.assert_same(caller, subject, method=method)[0]
            for caller in callers.values()
            for subject in subjects
        }
        assert statuses == {200, 401, 403, 404}


def test_a_token_may_have_expired_for_whom_keystone_lets(front, callers, issued):
    real = issued["project_scoped"]
    hour = 3600
    for seconds, query, expected in (
        (hour + 60, "", 404),
        (hour + 60, "?allow_expired=1", 200),
        (hour + 60, "?allow_expired=True", 200),
        (hour + 60, "?allow_expired=0", 404),
        (hour + 60, "?allow_expired=false&nocatalog", 404),
        (47 * hour, "?allow_expired=yes", 200),
        (50 * hour, "?allow_expired=1", 404),
    ):
        subject = aged(front.keystone, real, seconds)
        status, _ = front.assert_same(callers["service"], subject, query)
        assert status == expected, (seconds, query)
        # No caller has such a right for itself.
        assert front.assert_same(subject, real, query)[0] == 401


def test_access_rules_are_told_to_those_who_know_them(front, callers, issued):
    ruled = issued["of_an_application_credential_with_rules"]
    for headers, expected in (
        ([], 404),
        ([("openstack-identity-access-rules", "0.9")], 404),
        ([("openstack-identity-access-rules", "1.0")], 200),
        ([("openstack-identity-access-rules", "2")], 200),
    ):
        options = {"knows_rules": False, "headers": headers}
        assert front.assert_same(callers["service"], ruled, **options)[0] == expected


@pytest.mark.parametrize(
    "token", ["missing", "empty", "garbage", "altered", "foreign", "expired", "cut"]
)
def test_what_is_no_token_is_none(front, callers, issued, good_token, token):
    real = issued["project_scoped"]
    bad = {
        "missing": None,
        "empty": "",
        "garbage": "garbage",
        "altered": real[:-3] + "AAA",
        "foreign": good_token,
        "expired": aged(front.keystone, real, 4000),
        "cut": real[:40],
    }[token]
    for method in ("GET", "HEAD"):
        assert front.assert_same(callers["administrator"], bad, method=method)[0] == 404
        assert front.assert_same(bad, real, method=method)[0] == 401


def test_more_than_one_token_is_refused(front, callers, issued, answers_alone):
    subject, other = issued["project_scoped"], issued["unscoped"]
    for name in ("x-subject-token", "x-auth-token", "x-storage-token"):
        answer = front.ours(callers["administrator"], subject, headers=[(name, other)])
        assert answer.status == 400
        assert answer.header("x-voussoir-reason") == "token_ambiguous"


@pytest.mark.parametrize("way", ["enforce", "anonymous"])
def test_a_body_is_not_waited_for_and_nothing_of_it_reaches_keystone(
    front, callers, issued, way, answers_alone
):
    """What holds a worker of Keystone for as long as the client likes."""
    for caller, expected in ((callers["service"], 200), (None, 401)):
        fields = [("x-subject-token", issued["project_scoped"]), ("content-length", "1000")]
        fields += [("x-auth-token", caller)] if caller else []
        with http1.Connection(front.envoy.ports[way]) as connection:
            connection.send(http1.encode(PATH, fields) + b"{")
            assert connection.response().status == expected


def test_whatever_is_left_to_keystone_a_question_is_answered_here(
    front, callers, issued, answers_alone
):
    subject = issued["project_scoped"]
    for caller, expected in ((None, 401), ("garbage", 401), (callers["service"], 200)):
        assert front.ours(caller, subject, way="anonymous").status == expected


def test_everything_else_reaches_keystone(front, callers, issued):
    admin, subject = callers["administrator"], issued["project_scoped"]
    port = front.envoy.ports["enforce"]
    headers = [("x-auth-token", admin), ("x-subject-token", subject)]
    before = front.validations()
    # Keystone takes these for the same question.
    paths = (f"{PATH}/", f"{PATH}?%6eocatalog", f"{PATH}?x=%20", "/v3/auth/%74okens")
    for path in paths:
        answer = http1.get(port, path, headers)
        assert answer.status == 200, path
        assert answer.json()["token"]["audit_ids"]
    assert front.validations() == before + 3
    # Each of Keystone's processes writes its line after the answer, and one may be slower than the other.
    last = front.keystone.requests()[-len(paths) :]
    assert sum(line.startswith("GET /v3/auth/%74okens ") for line in last) == 1
    for path in ("//v3/auth/tokens", "/v3/auth//tokens", f"{PATH}/OS-PKI/revoked", *paths):
        passed_on = len(front.keystone.requests())
        assert http1.get(port, path).status == 401, path
        assert len(front.keystone.requests()) == passed_on
        assert http1.get(port, path, headers).status in (200, 308, 403, 404), path
        assert len(front.keystone.requests()) == passed_on + 1


def test_a_client_that_knows_nothing_of_it_gets_uses_and_revokes_a_token(front, everyone):
    url = f"http://127.0.0.1:{front.envoy.ports['enforce']}/v3"
    user = {"name": "alice", "domain": {"id": "default"}, "password": password_of("alice")}
    identity = {"methods": ["password"], "password": {"user": user}}
    auth = {"identity": identity, "scope": {"project": {"id": everyone.project}}}
    with httpx.Client(base_url=url, timeout=20) as client:
        assert client.get("/").json()["version"]["status"] == "stable"
        made = client.post("/auth/tokens", json={"auth": auth})
        assert made.status_code == 201
        token = made.headers["x-subject-token"]
        headers = {"x-auth-token": token, "x-subject-token": token}
        before = front.validations()
        assert told(client.get("/auth/tokens", headers=headers).json()) == told(made.json())
        assert client.get("/users", headers={"x-auth-token": token}).status_code == 403
        assert front.validations() == before
        assert client.delete("/auth/tokens", headers=headers).status_code == 204
        headers["x-auth-token"] = front.keystone.admin_token
        wait_until(
            lambda: client.get("/auth/tokens", headers=headers).status_code == 404,
            "the edge to hear of the revocation",
        )
        assert front.validations() == before
    assert front.theirs(front.keystone.admin_token, token).status == 404


def test_what_keystone_takes_away_is_answered_as_keystone_answers_it(front, everyone):
    keystone, admin = front.keystone, front.keystone.admin_token
    trustor, trustee = everyone._user("trustor"), everyone._user("trustee")
    grant = f"/projects/{everyone.project}/users/{trustor}/roles/{everyone.role}"
    keystone.call("PUT", grant)
    scope = {"project": {"id": everyone.project}}
    own = keystone.user_token("trustor", scope=scope)
    trust = {
        "trustor_user_id": trustor,
        "trustee_user_id": trustee,
        "project_id": everyone.project,
        "impersonation": False,
        "roles": [{"id": everyone.role}],
    }
    made = keystone.call("POST", "/OS-TRUST/trusts", {"trust": trust}, token=own)["trust"]
    of_trust = keystone.user_token("trustee", scope={"OS-TRUST:trust": {"id": made["id"]}})

    def settle(expected, subject, caller=admin):
        """Both come to this status: Keystone as soon as it looks at it anew itself, the workers of the
        proxy one after the other. So what is compared are the answers that were waited for."""
        theirs, ours = (
            wait_for_status(partial(ask, caller, subject), expected, f"{expected} from {who}")
            for who, ask in (("Keystone", front.theirs), ("the edge", front.ours))
        )
        assert_alike(ours, theirs)

    settle(200, own)
    settle(200, of_trust)
    keystone.call("DELETE", grant)
    settle(404, own)
    settle(403, of_trust)
    settle(401, own, own)
    settle(403, own, of_trust)
    keystone.call("PUT", grant)
    settle(200, own)
    settle(200, of_trust)
    keystone.call("PATCH", f"/users/{trustor}", {"user": {"enabled": False}})
    settle(404, own)
    settle(403, of_trust)
    settle(401, own, own)


def test_a_callers_project_that_is_gone_is_no_verdict_on_the_subject(front, everyone, issued):
    """Keystone says 404, which the middleware takes for a word on the user's token."""
    call = front.keystone.call
    project = everyone._create("projects", "project", name="to be disabled", domain_id="default")
    call("PUT", f"/projects/{project}/users/{everyone.alice}/roles/{everyone.role}")
    caller = everyone._alice({"project": {"id": project}})
    subject = issued["unscoped"]
    assert front.assert_same(caller, subject)[0] == 200
    call("PATCH", f"/projects/{project}", {"project": {"enabled": False}})
    wait_until(lambda: front.theirs(caller, subject).status == 404, "Keystone's 404")
    wait_until(lambda: front.ours(caller, subject).status == 401, "the edge to hear of it")


def test_in_shadow_mode_keystone_answers_and_the_filter_counts(front, callers, issued):
    def counted(outcome, reason):
        name = f"voussoir_requests_total;outcome={outcome};reason={reason};mode=shadow"
        return sum(front.envoy.stats(name).values())

    subject = issued["project_scoped"]
    for caller, about, expected, outcome in (
        (callers["service"], subject, 200, ("answered", "none")),
        (callers["service"], "garbage", 404, ("answered", "token_malformed")),
        (callers["zoë"], subject, 403, ("rejected", "validation_forbidden")),
        (None, subject, 401, ("rejected", "token_missing")),
    ):
        before, count = front.validations(), counted(*outcome)
        assert front.ours(caller, about, way="shadow").status == expected
        assert (front.validations(), counted(*outcome)) == (before + 1, count + 1)


def test_what_is_answered_is_counted_and_logged(front, callers, issued):
    def counted(reason):
        name = f"voussoir_requests_total;outcome=answered;reason={reason};mode=enforce"
        return sum(front.envoy.stats(name).values())

    for subject, reason, details in (
        (issued["unscoped"], "none", "voussoir_answered"),
        ("garbage", "token_malformed", "voussoir_token_malformed"),
    ):
        before, query = counted(reason), f"?counted={reason}"
        assert front.ours(callers["service"], subject, query).status in (200, 404)
        assert counted(reason) == before + 1
        assert front.envoy.details(PATH + query) == details


def test_without_a_key_server_nobody_is_told_that_a_token_is_none(
    pair, start_envoy, callers, issued
):
    nothing = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
    with (
        Impostor(nothing) as impostor,
        start_envoy(listeners(), impostor.port, keystone=pair.keystone.port) as envoy,
    ):
        front = Front(pair.keystone, envoy)
        before = front.validations()
        for way in ("enforce", "anonymous"):
            answer = front.ours(callers["service"], issued["project_scoped"], way=way)
            assert answer.status == 503
            assert int(answer.header("retry-after")) >= 1
        assert front.validations() == before


@pytest.fixture(scope="module")
def behind_the_edge(pair, front, issued, tmp_path_factory):
    """The services of `pair`, but that their middleware takes the edge for Keystone.

    It asks where the catalogue says that Keystone is.
    """
    url, call = f"http://127.0.0.1:{front.envoy.ports['enforce']}/v3", pair.keystone.call
    call("PUT", "/regions/Edge", {"region": {}})
    (identity, *_) = call("GET", "/services?type=identity")["services"]
    place = {"service_id": identity["id"], "region_id": "Edge", "interface": "internal", "url": url}
    made = call("POST", "/endpoints", {"endpoint": place})["endpoint"]
    with Services(url, tmp_path_factory.mktemp("services"), region_name="Edge") as services:
        both = Pair(pair.keystone, services, pair.envoy, pair.keyserver)
        token = issued["project_scoped"]
        wait_until(lambda: _all_tell(both, token, {"Edge", *REGIONS}), "the new endpoint everywhere", SOON)
        yield both
    call("DELETE", f"/endpoints/{made['id']}")
    # Others ask the pair after this.
    wait_until(lambda: _all_tell(pair, token, {*REGIONS}), "the end of it everywhere", SOON)


def _all_tell(both, token, regions):
    """Whether all workers of both tell of endpoints in these regions.

    That both tell the same is not enough: they do so too as long as neither has heard of a change.
    """
    try:
        found = [assert_same(both, "catalog", [("x-auth-token", token)]) for _ in range(10)]
    except AssertionError:
        return False
    services = [headers[CATALOG] for headers in found]
    return all({e["region"] for s in it for e in s["endpoints"]} == regions for it in services)


@pytest.mark.parametrize("way", [way for way in WAYS if way not in [*RULED, BOUND]])
def test_a_plain_middleware_takes_the_edge_for_keystone(front, behind_the_edge, issued, way):
    headers = [("x-auth-token", issued[way])]
    assert_same(behind_the_edge, "enforce", headers)
    before = front.validations()
    assert assert_same(behind_the_edge, "catalog", headers)["x-identity-status"] == "Confirmed"
    assert front.validations() == before, front.keystone.requests()[-6:]


def test_a_plain_middleware_believes_the_edge_about_services_and_about_what_is_none(
    front, behind_the_edge, issued
):
    pair, user = behind_the_edge, issued["project_scoped"]
    service = ("x-service-token", pair.service_token())
    assert_same(pair, "enforce", [("x-auth-token", user), service])
    before = front.validations()
    expired = aged(pair.keystone, user, 4000)
    found = assert_same(pair, "enforce", [("x-auth-token", expired), service])
    assert found["x-service-identity-status"] == "Confirmed"
    for headers in ([("x-auth-token", expired)], [("x-auth-token", "garbage")], []):
        assert pair.statuses("enforce", "/", headers) == [401, 401]
    assert front.validations() == before
