"""The audit log: events of CADF in a collector, in the access log and in Envoy's own."""

import json
import time
import urllib.parse

import pytest

from parts import cadf, http1, signing
from parts.collector import QUEUE, Collector
from parts.deadline import wait_until
from parts.ec2 import Cloud
from parts.envoy_config import NODE, Listener, plugin
from parts.s3_store import DOMAIN

pytestmark = pytest.mark.timeout(300)

BEARER_TOKEN = "bearer-token-of-the-collector"
TARGET = {"id": "nova", "name": "Nova", "type_uri": "service/compute"}
# Of what keystonemiddleware's nova_api_audit_map.conf has.
WORDS = {
    "path_keywords": {"servers": "server", "metadata": "key", "detail": None},
    "custom_actions": {"reboot": "start/reboot", "os-migrations/get": "read"},
}
SECRETIVE = {"name": "secretive", "action": "deny", "to": [{"paths": ["/secretive/**"]}]}
ACL = {"default": "allow", "rules": [SECRETIVE]}


@pytest.fixture(scope="module")
def collector():
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def alice(pair):
    """Someone with an access key."""
    return Cloud(pair.keystone, "audited").holder("alice")


@pytest.fixture(scope="module")
def front(start_envoy, pair, collector):
    sent = QUEUE | {"path": "/v1/events?from=edge", "bearer_token": BEARER_TOKEN}
    whole = {"collector": sent, "target": TARGET, "log": True, "filter_state": "event", **WORDS}
    sampled = [
        {"methods": ["GET"], "paths": ["/quiet/**"], "outcomes": ["success"], "sample": "0%"},
        {"paths": ["/never"], "sample": "0%"},
    ]

    def behind(audit, **more):
        config = plugin(token={"identity": "records"}, sigv4={}, acl=ACL, audit=audit, **more)
        return Listener(config, manager={"use_remote_address": True})

    listeners = {
        "audited": behind(whole | {"rules": sampled}),
        "shadow": behind(whole, mode="shadow"),
        "summary": behind({"filter_state": "summary", "rules": [{"sample": "0%"}]}),
    }
    ports = {"collector": collector.port}
    with start_envoy(listeners, pair.keyserver.port, **ports) as envoy:
        yield envoy


@pytest.fixture
def event_of(collector):
    """Waits for the one event of a path, which pycadf finds right."""

    def event_of(path):
        found = wait_until(lambda: collector.events(path), f"an event of {path}")
        assert len(found) == 1, found
        cadf.read(found[0])
        return found[0]

    return event_of


def test_a_request_with_a_token_is_told_as_keystone_knows_it(
    front, pair, issued, event_of, collector, path, upstream
):
    token = issued["project_scoped"]
    asked = f"{path}/servers/42?limit=1&temp_url_sig=hunter2&x=a%26token%3Dhunter2"
    headers = [("x-auth-token", token), ("user-agent", "sdk/1 \"\\ \xe9"),
               ("x-openstack-request-id", "req-7")]
    before = time.time()
    assert http1.get(front.ports["audited"], asked, headers, host="nova.example").status == 200
    event = event_of(path)
    keystones = pair.keystone.validation(token).json()["token"]
    (arrival,) = upstream.requests_to(asked)
    assert event["initiator"] == {
        "id": keystones["user"]["id"],
        "typeURI": "service/security/account/user",
        "name": keystones["user"]["name"],
        "domain": keystones["user"]["domain"]["id"],
        "project_id": keystones["project"]["id"],
        "credential": {
            "type": "token",
            "token": keystones["audit_ids"][0],
            "identity_status": "Confirmed",
            "kind": "project",
        },
        "host": {"address": "127.0.0.1", "agent": "sdk/1 \"\\ \ufffd"},
        "request_id": arrival.values("x-request-id")[0],
        "global_request_id": "req-7",
    }
    assert event["target"] == {
        "id": "nova",
        "name": "Nova",
        "typeURI": "service/compute/servers/server",
        "addresses": [{"url": "nova.example"}],
    }
    assert event["observer"] == {"id": NODE, "typeURI": "service/security/audit/filter"}
    assert (event["action"], event["outcome"]) == ("read", "success")
    expected = {"reasonType": "HTTP", "reasonCode": "200"}
    assert event["reason"] == expected | {"policyType": "voussoir/acl", "policyId": "default"}
    assert event["requestPath"] == f"{path}/servers/42?limit=1&temp_url_sig=***&x=***"
    assert cadf.tags(event) == {
        "method": "GET",
        "mechanism": "token",
        "verdict": "allowed",
        "reason": "none",
        "mode": "enforce",
        "acl": "allow",
    }
    request, decision = (int(each["result"]) for each in event["measurements"])
    assert 0 <= decision <= request <= (time.time() - before) * 1e6
    # Where it stands besides: the same, to the letter.
    (entry,) = wait_until(lambda: front.access_log(asked), "the access log")
    assert json.loads(entry["audit"]) == event
    (line,) = (line for line in front.log().splitlines() if event["id"] in line)
    assert json.loads(line.split("voussoir: audit: ")[1]) == event
    call = next(headers for _, headers, events in collector.calls if event in events)
    assert call[":path"] == "/v1/events?from=edge"
    assert call["authorization"] == f"Bearer {BEARER_TOKEN}"
    assert call["content-type"] == "application/json"


def test_a_signed_request_is_told_by_its_access_key(front, alice, event_of, path):
    signed = signing.sign(alice.account, "GET", path)
    assert http1.get(front.ports["audited"], path, signed.headers, host=DOMAIN).status == 200
    event = event_of(path)
    assert event["initiator"]["id"] == alice.user
    assert event["initiator"]["name"] == "alice"
    assert event["initiator"]["project_id"] == alice.project
    assert event["initiator"]["credential"] == {
        "type": "sigv4",
        "token": alice.account.access,
        "identity_status": "Confirmed",
    }
    assert cadf.tags(event)["mechanism"] == "sigv4"


@pytest.mark.parametrize(
    ("place", "token", "status", "reason", "rule"),
    [
        ("", None, 401, "token_missing", None),
        ("", "garbage", 401, "token_malformed", None),
        ("/secretive", "project_scoped", 403, "acl_denied", "secretive"),
    ],
)
def test_a_refusal_is_an_event(front, issued, event_of, path, place, token, status, reason, rule):
    asked = place + path
    headers = [("x-auth-token", issued.get(token, token))] if token else []
    assert http1.get(front.ports["audited"], asked, headers).status == status
    event = event_of(asked)
    assert (event["outcome"], event["reason"]["reasonCode"]) == ("failure", str(status))
    assert event["reason"].get("policyId") == rule
    assert cadf.tags(event)["verdict"] == "rejected"
    assert cadf.tags(event)["reason"] == reason
    # The filter's words, and not the client's.
    assert (event["initiator"]["id"] == "unknown") == (reason != "acl_denied")


def test_in_shadow_mode_it_is_told_what_would_have_been(front, event_of, path):
    assert http1.get(front.ports["shadow"], path, [("x-auth-token", "garbage")]).status == 200
    event = event_of(path)
    assert (event["outcome"], event["reason"]["reasonCode"]) == ("success", "200")
    tags = cadf.tags(event)
    assert (tags["verdict"], tags["reason"], tags["mode"]) == ("rejected", "token_malformed", "shadow")


def test_a_client_that_gives_up_leaves_an_event(front, alice, event_of, path, upstream):
    signed = signing.sign(alice.account, "PUT", path, body=b"0123456789")
    with http1.Connection(front.ports["audited"]) as connection:
        whole = http1.encode(path, signed.headers, method="PUT", body=b"0123456789", host=DOMAIN)
        connection.send(whole[:-7])
        # It goes on as soon as it is known to be hers.
        wait_until(lambda: upstream.requests_to(path), "the head at the service")
    event = event_of(path)
    assert event["outcome"] == "unknown"
    assert cadf.tags(event)["verdict"] == "undecided"
    assert "reasonCode" not in event["reason"]
    assert event["initiator"]["id"] == alice.user


def test_rules_leave_requests_out(front, collector, issued, event_of, path):
    good = [("x-auth-token", issued["project_scoped"])]
    quiet = f"/quiet{path}"
    port = front.ports["audited"]
    assert http1.get(port, quiet, good).status == 200
    assert http1.get(port, "/never", good).status == 200
    assert http1.get(port, quiet, good, method="POST").status == 200
    assert http1.get(port, f"{quiet}/bad").status == 401
    found = wait_until(lambda: len(it := collector.events(quiet)) == 2 and it, "two events")
    assert {cadf.tags(event)["method"] for event in found} == {"GET", "POST"}
    event_of(f"{quiet}/bad")
    assert not collector.events("/never")
    # None, in the access log's JSON.
    shown = wait_until(lambda: front.access_log("/never"), "the access log")
    assert [entry["audit"] for entry in shown] == [None]


def test_the_access_log_can_show_who_it_was(front, issued, everyone, path):
    for asked, headers, expected in (
        (path, [], {"verdict": "rejected", "reason": "token_missing", "mechanism": "none"}),
        (
            f"/secretive{path}",
            [("x-auth-token", issued["project_scoped"])],
            {
                "verdict": "rejected",
                "reason": "acl_denied",
                "mechanism": "token",
                "rule": "secretive",
                "project_id": everyone.project,
                "identity_status": "Confirmed",
            },
        ),
    ):
        http1.get(front.ports["summary"], asked, headers)
        (entry,) = wait_until(lambda asked=asked: front.access_log(asked), "the access log")
        shown = json.loads(entry["audit"])
        assert expected.items() <= shown.items()
        assert ("user_id" in shown) == bool(headers)


def test_what_a_client_sends_is_text_and_has_an_end(front, event_of, path):
    """Odd bytes, a name of 25 KB, and a path of 20 KB: one line, which pycadf reads."""
    asked = f"{path}/" + "%0d%0a\"" * 2800
    agent = '[2J","outcome":"unknown\t\xff' + "a" * 25_000
    headers = [("user-agent", agent), ("x-request-id", "a\",b"), ("x-auth-token", "a" * 9000)]
    assert http1.get(front.ports["audited"], asked, headers).status == 401
    event = event_of(path)
    assert event["outcome"] == "failure"
    assert event["initiator"]["host"]["agent"].startswith('[2J","outcome":"unknown\t')
    assert len(event["initiator"]["host"]["agent"]) < 300
    assert len(json.dumps(event)) < 16_384
    assert event["requestPath"].endswith("...")
    (line,) = (line for line in front.log().splitlines() if event["id"] in line)
    assert json.loads(line.split("voussoir: audit: ")[1]) == event


def test_no_secret_stands_in_any_event(front, collector, issued, alice, path, event_of):
    """Of all that was sent so far, and of what a presigned URL and two tokens add."""
    query = {"X-Amz-Signature": "f00d" * 16, "X-Amz-Security-Token": "secret/of/a/session=="}
    presigned = f"{path}?" + urllib.parse.urlencode(query)
    token, other = issued["project_scoped"], issued["system_scoped"]
    headers = [("x-auth-token", token), ("x-service-token", other)]
    http1.get(front.ports["audited"], presigned, headers)
    http1.get(front.ports["audited"], f"{path}/{token}?a={other}", headers)
    wait_until(lambda: len(collector.events(path)) == 2, "both events")
    told = collector.raw() + front.log()
    told += "".join(str(entry["audit"]) for entry in front.access_log())
    for secret in (*issued.values(), alice.account.secret, *query.values(), "secret%2Fof"):
        assert secret not in told
