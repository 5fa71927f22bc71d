"""Other settings for some requests: by what they ask for, and by the proxy's own routes."""

import re

import pytest
import yaml

from parts import http1, signing
from parts.deadline import wait_until
from parts.envoy_config import EXTENSIONS, Listener, plugin
from parts.s3_store import DOMAIN

OWN = {"content_type": "text/plain", "body": "{status} {title}: {message} ({reason})"}
ROUTES = [
    {
        "name": "images",
        "to": [{"methods": ["GET"], "paths": ["/images/**"]}],
        "settings": {"missing": "anonymous", "quota_class": "reads"},
    },
    {
        "name": "compute",
        "to": [{"paths": ["/compute/**"]}],
        "settings": {"mechanisms": ["token"], "answers": "nova", "acl": {"rules": []}},
    },
    {
        "name": "objects",
        "to": [{"hosts": [DOMAIN]}],
        "settings": {"mechanisms": ["sigv4"], "answers": "s3"},
    },
    {"name": "named", "names": ["by-name"], "settings": {"answers": OWN}},
    {"name": "claimed", "names": ["by-claim"], "settings": {"missing": "anonymous"}},
    {
        "name": "trial",
        "metadata": [{"filter": "voussoir", "key": "class", "values": ["trial", "test"]}],
        "settings": {"mode": "shadow"},
    },
]


def route(prefix, name=None, kind=None, header=None):
    """One of Envoy's own routes; the service is told which one it was."""
    by_class = {"header_name": "x-voussoir-quota-class", "descriptor_key": "class"}
    to = {"cluster": "upstream", "rate_limits": [{"actions": [{"request_headers": by_class}]}]}
    made = {"match": {"prefix": prefix}, "route": to}
    told = {"header": {"key": "x-route", "value": name or kind}}
    made["request_headers_to_add"] = [told]
    if header:
        made["match"]["headers"] = [{"name": header, "present_match": True}]
    if name:
        made["name"] = name
    if kind:
        made["metadata"] = {"filter_metadata": {"voussoir": {"class": kind}}}
    return made


ENVOYS = {
    "virtual_hosts": [
        {
            "name": "service",
            "domains": ["*"],
            "routes": [
                route("/claimed", "by-claim", header="x-roles"),
                route("/named", "by-name", "other"),
                route("/trial", kind="trial"),
                route("/production", kind="production"),
                route("/", "the-rest"),
            ],
        }
    ]
}


MOST_READS = 25


def rate_limit():
    """Envoy's own, which knows no more of a request than its class."""
    always = {"default_value": {"numerator": 100}}
    reads = {"max_tokens": MOST_READS, "tokens_per_fill": 1, "fill_interval": "3600s"}
    config = {
        "@type": EXTENSIONS + "filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "quota",
        "filter_enabled": always,
        "filter_enforced": always,
        "token_bucket": {"max_tokens": 10_000, "fill_interval": "1s"},
        "descriptors": [{"entries": [{"key": "class", "value": "reads"}], "token_bucket": reads}],
    }
    return {"name": "local_ratelimit", "typed_config": config}


@pytest.fixture(scope="module")
def front(start_envoy, store_keyserver, root):
    stats_config = yaml.safe_load((root / "envoy.yaml").read_text())["stats_config"]
    config = plugin(sigv4={}, token={"forward": False}, routes=ROUTES, reason_header="x-why")
    listener = Listener(config, behind=(rate_limit(),), manager={"route_config": ENVOYS})
    with start_envoy({"front": listener}, store_keyserver.port, stats_config) as envoy:
        yield envoy


@pytest.fixture
def ask(front):
    def ask(path, token=None, **options):
        headers = [("x-auth-token", token)] if token else []
        return http1.get(front.ports["front"], path, headers, **options)

    return ask


def test_each_request_has_the_settings_of_its_route(ask, good_token):
    assert ask("/images/1").status == 200
    assert ask("/images/1", "junk").status == 200
    assert ask("/images/1", method="PUT").status == 401
    assert ask("/volumes/1").status == 401
    assert ask("/volumes/1", good_token).status == 200
    answer = ask("/compute/servers", good_token)
    message = "You are not authorized to perform the requested action."
    assert answer.json() == {"forbidden": {"code": 403, "message": message}}
    answer = ask("/compute/servers")
    assert answer.json()["unauthorized"]["code"] == answer.status == 401
    assert answer.header("www-authenticate").startswith("Keystone uri=")


def test_the_proxys_own_routes_can_be_told_apart(ask, good_token):
    answer = ask("/named/1")
    message = "The request you have made requires authentication."
    assert answer.body.decode() == f"401 Unauthorized: {message} (token_missing)"
    assert answer.header("content-type") == "text/plain"
    watched = ask("/trial/1")
    assert watched.status == 200
    assert ["x-identity-status", "Invalid"] in watched.json()["headers"]
    assert ask("/production/1").status == 401
    # A token that is good is seen by whoever is watched, and by no other, whoever came first.
    for _ in range(3):
        for path, is_seen in (("/trial/1", True), ("/volumes/1", False)):
            headers = dict(ask(path, good_token).json()["headers"])
            assert ("x-auth-token" in headers) == is_seen


@pytest.mark.parametrize("claim", ["x-roles", "X-User-Id", "x_user_id", "openstack-system-scope"])
def test_whoever_claims_to_be_somebody_takes_no_route_by_that(front, ask, good_token, claim):
    """Envoy chose its route with the claim still there, tells no other, and chooses anew once it is gone."""
    for path in ("/claimed/1", "/trial/1", "/named/1", "/volumes/1"):
        for token in ([], [("x-auth-token", good_token)]):
            answer = http1.get(front.ports["front"], path, [(claim, "admin"), *token])
            assert (answer.status, answer.header("x-why")) == (400, "route_in_doubt"), path
    # Where what is asked for decides, no route of Envoy's does.
    answer = http1.get(front.ports["front"], "/images/1", [(claim, "admin")])
    assert answer.status == 200
    assert ask("/claimed/1").status == 401


def test_one_mechanism_is_no_way_around_the_other(front, ask, bob, good_token):
    signed = signing.sign(bob, "GET", "/compute/servers")
    # Signed for another host, or before a service that takes tokens alone.
    answer = http1.get(front.ports["front"], "/compute/servers", signed.headers, host="compute")
    assert answer.status == 401
    answer = ask("/bucket/key", good_token, host=DOMAIN)
    assert answer.status == 403
    assert b"<Code>AccessDenied</Code>" in answer.body
    signed = signing.sign(bob, "GET", "/bucket/key")
    answer = http1.get(front.ports["front"], "/bucket/key", signed.headers, host=DOMAIN)
    assert answer.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/images/../compute/servers",
        "/volumes/%2e%2e/images/1",
        "//images/1",
        "/images%2f1",
        "/images;a/1",
        "/images/1\\..",
        "/%2569mages/1",
    ],
)
def test_what_servers_may_read_in_two_ways_is_refused(ask, good_token, path):
    for token in (None, good_token):
        answer = ask(path, token)
        assert (answer.status, answer.header("x-why")) == (400, "route_in_doubt")


def test_it_is_counted_by_route(front, ask, good_token):
    def count(*labels):
        lines = front.admin("/stats/prometheus").splitlines()
        lines = [line for line in lines if line.startswith("voussoir_")]
        wanted = [line for line in lines if all(f'{label}"' in line for label in labels)]
        return sum(int(re.search(r"\} (\d+)$", line)[1]) for line in wanted)

    watched = ('route="trial', 'mode="shadow', 'outcome="rejected', 'reason="token_missing')
    denied = ('route="compute', 'action="deny', 'rule="default')
    before = [count(*labels) for labels in (watched, denied)]
    assert ask("/trial/2").status == 200
    assert ask("/compute/2", good_token).status == 403

    def is_counted():
        return [count(*labels) for labels in (watched, denied)] == [it + 1 for it in before]

    wait_until(is_counted, "both are counted")


def test_a_class_of_requests_has_its_quota(front, ask, good_token):
    """The last one, since it leaves nothing of the quota."""
    chosen = [("x-voussoir-quota-class", "none"), ("x_voussoir_quota_class", "none")]

    def read(token=()):
        return http1.get(front.ports["front"], "/images/1", [*chosen, *token])

    classes = [value for name, value in read().json()["headers"] if name.endswith("quota-class")]
    assert classes == ["reads"]
    answers = [read([("x-auth-token", good_token)] * (number % 2)) for number in range(MOST_READS)]
    assert answers[-1].status == 429
    assert {answer.status for answer in answers} == {200, 429}
    assert ask("/volumes/1", good_token).status == 200
    assert not [name for name, _ in ask("/volumes/1", good_token).json()["headers"] if "quota" in name]
