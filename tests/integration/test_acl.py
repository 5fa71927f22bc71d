"""Who may do what: rules over paths and what Keystone knows of the sender, before a Compute API."""

import pytest

from parts import http1, http2
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.identity import identity_headers

pytestmark = pytest.mark.timeout(300)

RULES = [
    {
        "name": "own-servers",
        "action": "allow",
        "to": [{"methods": ["GET", "POST"], "paths": ["/v2.1/{project_id}/servers/**"]}],
        "when": [
            {"key": "project_id", "values": ["{project_id}"]},
            {"key": "roles", "values": ["member", "direct"]},
        ],
    },
    {
        "name": "own-domain",
        "action": "allow",
        "to": [{"paths": ["/v2.1/domains/{domain_id}"]}],
        "when": [{"key": "domain_id", "values": ["{domain_id}"]}],
    },
    {
        "name": "operators",
        "action": "allow",
        "to": [{"paths": ["/v2.1/os-hypervisors/**"]}],
        "when": [{"key": "system", "values": ["all"]}],
    },
    {"name": "versions", "action": "allow", "to": [{"methods": ["GET"], "paths": ["/", "/v2.1"]}]},
    {
        "name": "no-delegates",
        "action": "deny",
        "when": [{"key": "application_credential", "values": ["*"]}],
        "to": [{"paths": ["/v2.1/{project_id}/servers/{id}/action"]}],
    },
]
NOWHERE = "0" * 32


# What the connection manager of a listener needs to be told at the edge.
EDGE = {"use_remote_address": True}


@pytest.fixture(scope="module")
def front(start_envoy, pair):
    records = {"identity": "records"}

    def behind(rules, **more):
        return Listener(plugin(token=records, acl={"rules": rules}, **more))

    def from_block(block, manager):
        inside = {"name": "inside", "action": "allow", "from": [{"ip_blocks": [block]}]}
        config = plugin(token=records, acl={"rules": [inside]})
        return Listener(config, manager=manager)

    private = {"name": "private", "action": "deny", "to": [{"paths": ["/private/**"]}]}
    payload = [rule for rule in RULES if rule["name"] in ("own-domain", "operators")]
    listeners = {
        "enforce": behind(RULES, reason_header="x-why"),
        "anonymous": behind(RULES, missing="anonymous"),
        "shadow": behind(RULES, mode="shadow"),
        "near": from_block("127.0.0.0/8", EDGE),
        "far": from_block("10.0.0.0/8", EDGE),
        "behind_another": from_block("10.0.0.0/8", EDGE | {"xff_num_trusted_hops": 1}),
        "careless": from_block("10.0.0.0/8", {}),
        "private": Listener(plugin(token=records, acl={"default": "allow", "rules": [private]})),
        "payload": Listener(plugin(acl={"rules": payload})),
        "host": behind([{"name": "a", "action": "allow", "to": [{"hosts": ["*.compute.example"]}]}]),
    }
    with start_envoy(listeners, pair.keyserver.port) as envoy:
        yield envoy


@pytest.fixture
def ask(front):
    def ask(way, path, token=None, method="GET", headers=(), **options):
        headers = [("x-auth-token", token), *headers] if token else list(headers)
        return http1.get(front.ports[way], path, headers, method=method, **options)

    return ask


@pytest.fixture
def servers(everyone):
    return f"/v2.1/{everyone.project}/servers"


def test_a_project_is_for_its_own_members(ask, everyone, issued, servers):
    alice, zoe = issued["project_scoped"], issued["with_roles_of_every_origin"]
    theirs = f"/v2.1/{everyone.parent}/servers"
    for path, token, status in (
        (servers, alice, 200),
        (f"{servers}/detail?limit=1", alice, 200),
        (theirs, zoe, 200),
        (theirs, alice, 403),
        (servers, zoe, 403),
        # A token for nothing yet, for a domain, or for the system is none for the project.
        (servers, issued["unscoped"], 403),
        (servers, issued["domain_scoped"], 403),
        (servers, issued["system_scoped"], 403),
        # The same project, but no role that would do.
        (f"/v2.1/{everyone.child}/servers", issued["with_roles_in_a_child_project"], 403),
    ):
        assert ask("enforce", path, token).status == status, path
    assert ask("enforce", servers, alice, method="POST").status == 200
    assert ask("enforce", servers, alice, method="DELETE").status == 403


def test_domains_and_the_system_are_for_their_own(ask, everyone, issued):
    for way in ("enforce", "payload"):
        for path, kind in (
            (f"/v2.1/domains/{everyone.domain}", "domain_scoped"),
            ("/v2.1/os-hypervisors/1/uptime", "system_scoped"),
        ):
            for other in ("domain_scoped", "system_scoped", "project_scoped", "unscoped"):
                expected = 200 if other == kind else 403
                assert ask(way, path, issued[other]).status == expected, (way, path, other)


def test_who_may_not_is_answered_as_keystone_answers(ask, front, issued):
    path = f"/v2.1/{NOWHERE}/servers?denied"
    answer = ask("enforce", path, issued["project_scoped"])
    assert answer.status == 403
    assert answer.json() == {
        "error": {
            "code": 403,
            "title": "Forbidden",
            "message": "You are not authorized to perform the requested action.",
        }
    }
    assert answer.header("x-why") == "acl_denied"
    assert answer.header("www-authenticate") is None
    assert front.details(path) == "voussoir_acl_denied[default]"


def test_a_rule_that_denies_comes_first(ask, front, everyone, issued, servers):
    path = f"{servers}/1/action"
    assert ask("enforce", path, issued["project_scoped"], method="POST").status == 200
    program = issued["of_an_application_credential"]
    assert ask("enforce", f"{servers}/1", program).status == 200
    marked = f"{path}?by=program"
    assert ask("enforce", marked, program, method="POST").status == 403
    assert front.details(marked) == "voussoir_acl_denied[no-delegates]"


def test_without_an_identity_only_what_is_for_all(ask, servers):
    for path, status in (("/", 200), ("/v2.1", 200), (servers, 401), ("/v2.1/", 401)):
        assert ask("enforce", path).status == 401
        for token in (None, "garbage"):
            answer = ask("anonymous", path, token)
            assert answer.status == status, path
            if status == 200:
                assert identity_headers(answer.json()["headers"]) == {
                    "x-identity-status": "Invalid"
                }


def test_in_shadow_mode_the_denied_pass_with_their_identity_and_are_counted(ask, front, issued):
    def counted():
        requests = "voussoir_requests_total;outcome=rejected;reason=acl_denied;mode=shadow"
        rules = "voussoir_acl_decisions_total;rule=default;action=deny;mode=shadow"
        return [sum(front.stats(name).values()) for name in (requests, rules)]

    before = counted()
    answer = ask("shadow", f"/v2.1/{NOWHERE}/servers", issued["project_scoped"])
    assert answer.status == 200
    assert identity_headers(answer.json()["headers"])["x-identity-status"] == "Confirmed"
    assert counted() == [count + 1 for count in before]


def test_each_rule_counts_what_it_decides(ask, front, everyone, issued, servers):
    def counted(rule, action):
        name = f"voussoir_acl_decisions_total;rule={rule};action={action};mode=enforce"
        return sum(front.stats(name).values())

    for path, rule, action in (
        (servers, "own-servers", "allow"),
        ("/", "versions", "allow"),
        (f"/v2.1/{NOWHERE}/servers", "default", "deny"),
    ):
        before = counted(rule, action)
        ask("enforce", path, issued["project_scoped"])
        assert counted(rule, action) == before + 1


def test_addresses_are_those_that_envoy_takes_for_the_clients(ask, issued):
    token = issued["project_scoped"]
    assert ask("near", "/", token).status == 200
    assert ask("far", "/", token).status == 403
    said = [("x-forwarded-for", "10.1.2.3")]
    assert ask("far", "/", token, headers=said).status == 403
    assert ask("behind_another", "/", token, headers=said).status == 200
    assert ask("behind_another", "/", token).status == 403
    # Which is why the documentation asks for `use_remote_address`.
    assert ask("careless", "/", token, headers=said).status == 200


def test_hosts_are_names_without_ports(ask, issued):
    token = issued["project_scoped"]
    for host, status in (
        ("nova.compute.example", 200),
        ("Nova.Compute.Example:8774", 200),
        ("compute.example", 403),
        ("nova.compute.example.evil", 403),
        ("evil/nova.compute.example", 403),
    ):
        # Envoy refuses some by itself.
        refused = (400, 403)
        assert ask("host", "/", token, host=host).status in (refused if status == 403 else [200]), host


@pytest.mark.parametrize(
    "path",
    [
        "/private",
        "/private/",
        "/private/a",
        "//private/a",
        "/./private/a",
        "/x/../private/a",
        "/x/%2e%2e/private/a",
        "/private%2fa",
        "/x%2f..%2fprivate/a",
        "/%70rivate/a",
        "/x/..;/private/a",
        "/private;x/a",
        "/\\private\\a",
        "/x/..%5cprivate/a",
        "/%2570rivate/a",
        "http://service/private/a",
    ],
)
def test_what_is_denied_cannot_be_had_by_another_spelling(ask, front, issued, path):
    token = issued["project_scoped"]
    assert ask("private", "/public", token).status == 200
    assert ask("private", path, token).status in (400, 403)
    if path.startswith("/"):
        with http2.Client(front.ports["private"]) as client:
            assert client.get(path, [("x-auth-token", token)]).status in (400, 403)


def test_a_role_that_is_taken_away_is_missed_at_once(ask, pair, everyone, servers):
    """The rule is asked with what is known now, also of a token that was allowed before."""
    user = everyone._user("acl")
    grant = f"/projects/{everyone.project}/users/{user}/roles"
    reader = next(
        role["id"] for role in pair.keystone.call("GET", "/roles")["roles"] if role["name"] == "reader"
    )
    for role in (everyone.role, reader):
        pair.keystone.call("PUT", f"{grant}/{role}")
    token = pair.keystone.user_token("acl", scope={"project": {"id": everyone.project}})
    assert ask("enforce", servers, token).status == 200
    pair.keystone.call("DELETE", f"{grant}/{everyone.role}")
    wait_until(lambda: ask("enforce", servers, token).status == 403, "the edge to hear of it")
