"""Tokens validated at Keystone itself (`token.identity: keystone`), with the keys of a key server and
without any.

The services are told what they are told by keystonemiddleware and by the filter with records, and
Keystone is asked once about each token in its time.
"""

import contextlib
import secrets
import time
import urllib.parse

import pytest

from parts import http1
from parts.deadline import holds_for, wait_until
from parts.envoy_config import Listener, plugin
from parts.everyone import RULED_PATH, WAYS
from parts.impostor import Impostor, answer
from parts.keyserver import KeyServer
from parts.minting import aged, new_key, project_payload, seal
from parts.recorder import Recorder
from parts.services import REASON, Pair, assert_same, listeners, refusal, told

pytestmark = pytest.mark.timeout(300)

# Bound to a certificate, or for requests of another kind.
REFUSED = ["of_a_client_certificate", "of_a_restricted_application_credential"]
# Keystone does not answer these about themselves.
FORBIDDEN = [
    "of_an_impersonating_trust",
    "of_a_trust_with_a_role_of_a_group",
    "of_an_ec2_credential",
]
ALONE = [way for way in WAYS if way not in REFUSED + FORBIDDEN]
PATH = "/v3/auth/tokens"
KEYS = {"with keys": {"cluster": "keyserver"}, "without keys": None}


@pytest.fixture(scope="module")
def asked(pair):
    """What Keystone is asked by the filter."""
    with Recorder(urllib.parse.urlsplit(pair.keystone.url).port) as recorder:
        yield recorder


@pytest.fixture(scope="module")
def keys(pair, keyserver_program, tmp_path_factory):
    """A key server with the keys of tokens, and nothing else."""
    directory = tmp_path_factory.mktemp("keyserver")
    with KeyServer(keyserver_program, pair.keystone.key_repository, directory) as keyserver:
        yield keyserver


@pytest.fixture(scope="module", params=KEYS)
def alone(request, pair, asked, keys, start_envoy):
    """The filter before Keystone alone, and the middleware."""
    sections = {"keyserver": KEYS[request.param], "keystone": {"cluster": "keystone"}}
    if sections["keyserver"]:
        sections["keyserver"] = plugin()["keyserver"]
    ports = {"keyserver": keys.port, "keystone": asked.port}
    config = listeners("keystone", **sections)
    with start_envoy(config, ports, services=pair.services.port) as envoy:
        yield Pair(pair.keystone, pair.services, envoy, keys)


@pytest.fixture(scope="module")
def service_token(pair):
    return pair.service_token()


@pytest.fixture
def edge(pair, keys, start_envoy):
    """Starts an Envoy with one listener before a port that stands for Keystone's."""

    @contextlib.contextmanager
    def start(port, kind="without keys", **sections):
        token = {"identity": "keystone", "service_type": "object-store"} | sections.pop("token", {})
        keyserver = plugin()["keyserver"] if KEYS[kind] else None
        keystone = {"cluster": "keystone"} | sections.pop("keystone", {})
        config = plugin(
            keyserver=keyserver, keystone=keystone, token=token, reason_header=REASON, **sections
        )
        ports = {"keyserver": keys.port, "keystone": port}
        with start_envoy({"edge": Listener(config)}, ports) as envoy:
            yield envoy.ports["edge"]

    return start


def user(token):
    return [("x-auth-token", token)]


def both(token, service):
    return [*user(token), ("x-service-token", service)]


def ask(port, token, path="/"):
    return http1.get(port, path, user(token))


def questions(recorder, token):
    """What Keystone was asked about a token."""
    return [head for head in recorder.heads(PATH) if head["x-subject-token"] == token]


def garbage():
    """What looks like a token, and is none of any Keystone."""
    return seal(new_key(), project_payload(user=secrets.token_bytes(16)))


@pytest.mark.parametrize("way", ALONE)
def test_a_service_is_told_the_same(alone, issued, way):
    token = user(issued[way])
    told = assert_same(alone, "enforce", token)
    assert told["x-identity-status"] == "Confirmed"
    assert assert_same(alone, "delay", token) == told
    assert_same(alone, "catalog", token)


@pytest.mark.parametrize("way", ALONE)
def test_what_only_the_filter_says_is_the_same_as_with_records(pair, alone, issued, way):
    def said(answer):
        found = {k: v for k, v in answer.json().items() if k.startswith("HTTP_X_VOUSSOIR_")}
        # A list of bits has an order of its own.
        found["methods"] = sorted(found.pop("HTTP_X_VOUSSOIR_TOKEN_METHODS").split(","))
        return found

    theirs, ours = (it.ours("enforce", RULED_PATH, user(issued[way])) for it in (pair, alone))
    assert said(ours) == said(theirs)
    assert said(ours)["HTTP_X_VOUSSOIR_TOKEN_KIND"]


@pytest.mark.parametrize("way", ALONE)
def test_beside_a_service_a_service_is_told_the_same(pair, alone, issued, service_token, way):
    """As with records: the middleware mixes up the system scopes of the two."""
    sent = both(issued[way], service_token)
    theirs, ours = (told(it.ours("enforce", RULED_PATH, sent)) for it in (pair, alone))
    assert ours == theirs
    assert ours["x-service-identity-status"] == "Confirmed"


@pytest.mark.parametrize("way", FORBIDDEN)
def test_what_may_not_ask_about_itself_needs_a_service_that_asks(
    alone, issued, service_token, way
):
    refused = alone.ours("enforce", RULED_PATH, user(issued[way]))
    assert refusal(refused) == refusal(alone.ours("enforce", RULED_PATH))
    assert refused.header(REASON) == "keystone_forbade"
    assert_same(alone, "enforce", both(issued[way], service_token))


def test_a_token_that_is_bound_to_a_certificate_is_refused(alone, issued):
    refused = alone.ours("enforce", RULED_PATH, user(issued["of_a_client_certificate"]))
    assert (refused.status, refused.header(REASON)) == (401, "certificate_missing")


def test_access_rules_hold(alone, issued):
    token = user(issued["of_an_application_credential_with_rules"])
    for path, status in ((RULED_PATH, 200), ("/v1/AUTH_x/secrets", 401)):
        assert alone.statuses("enforce", path, token) == [status, status]
    other = user(issued["of_a_restricted_application_credential"])
    assert alone.statuses("enforce", RULED_PATH, other) == [401, 401]
    refused = alone.ours("enforce", RULED_PATH, other)
    assert refused.header(REASON) == "access_rules"


@pytest.mark.parametrize("token", ["missing", "empty", "garbage", "altered", "foreign", "expired"])
def test_a_refusal_is_the_same(alone, issued, token):
    real = issued["project_scoped"]
    tokens = {
        "missing": [],
        "empty": user(""),
        "garbage": user("garbage"),
        "altered": user(real[:-4] + "AAAA"),
        "foreign": user(garbage()),
        "expired": user(aged(alone.keystone, real, 4000)),
    }
    theirs, ours = alone.both("enforce", RULED_PATH, tokens[token])
    assert refusal(ours) == refusal(theirs)
    assert ours.status == 401
    found = assert_same(alone, "delay", tokens[token])
    assert found["x-identity-status"] == "Invalid"


@pytest.mark.parametrize(("hours", "status"), [(2, 200), (47, 200), (50, 401)])
def test_a_service_may_bring_what_has_expired(alone, issued, service_token, hours, status):
    token = aged(alone.keystone, issued["project_scoped"], hours * 3600)
    assert alone.statuses("enforce", RULED_PATH, both(token, service_token)) == [status] * 2
    if status == 200:
        assert_same(alone, "enforce", both(token, service_token))
    # Alone it may not, whatever was heard of it.
    assert alone.statuses("enforce", RULED_PATH, user(token)) == [401, 401]


def test_a_service_that_keystone_does_not_answer_lets_the_token_ask_itself(alone, issued):
    """The middleware asks with an account of its own."""
    token, service = issued["project_scoped"], issued["federated_project_scoped"]
    assert_same(alone, "other_roles", both(token, service))
    expired = both(aged(alone.keystone, token, 4000), service)
    theirs, ours = alone.both("other_roles", RULED_PATH, expired)
    assert [theirs.status, ours.status] == [200, 401]


def test_a_service_that_is_none_makes_the_request_none(alone, issued, service_token):
    token, expired = issued["project_scoped"], aged(alone.keystone, service_token, 7200)
    for service in (garbage(), expired, issued["unscoped"]):
        theirs, ours = alone.both("enforce", RULED_PATH, both(token, service))
        assert refusal(ours) == refusal(theirs)
        found = assert_same(alone, "delay", both(token, service))
        assert found["x-service-identity-status"] == "Invalid"


@pytest.mark.parametrize("kind", KEYS)
def test_keystone_is_asked_once_about_each_token_in_its_time(pair, everyone, asked, edge, kind):
    token = everyone.project_scoped().token
    fresh, seconds = 3, 12
    with edge(asked.port, kind, cache={"fresh": f"{fresh}s"}) as port:
        connections = [http1.Connection(port) for _ in range(16)]
        request = http1.encode("/", user(token))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for connection in connections:
                connection.send(request)
            assert [connection.response().status for connection in connections] == [200] * 16
            if time.monotonic() < until - seconds + 2:
                assert len(questions(asked, token)) == 1
        for connection in connections:
            connection.socket.close()
    # It is asked up to a tenth earlier.
    found = questions(asked, token)
    assert seconds / fresh - 1 <= len(found) <= seconds / (0.9 * fresh) + 1
    assert all(head["x-auth-token"] == token for head in found)


def test_with_a_catalogue_too_keystone_is_asked_once(everyone, asked, edge):
    token = everyone.project_scoped().token
    with edge(asked.port, token={"catalog": True}) as port:
        for _ in range(20):
            assert ask(port, token).status == 200
    assert len(questions(asked, token)) == 1


def test_garbage_never_reaches_keystone_where_there_are_keys(pair, issued, asked, edge):
    before = len(asked.heads(PATH))
    with edge(asked.port, "with keys") as port:
        refused = [ask(port, token) for token in (garbage() for _ in range(50))]
        refused.append(ask(port, aged(pair.keystone, issued["project_scoped"], 4000)))
        refused.append(ask(port, issued["of_a_client_certificate"]))
        assert {answer.status for answer in refused} == {401}
        assert len(asked.heads(PATH)) == before
        # Lest it be deaf.
        assert ask(port, issued["unscoped"]).status == 200
        assert len(asked.heads(PATH)) == before + 1


def test_without_keys_garbage_is_bounded_and_does_not_starve_tokens_that_are_held(
    pair, everyone, asked, edge
):
    token = everyone.project_scoped().token
    limits = {"calls_per_second": 5}
    with edge(asked.port, limits=limits, cache={"fresh": "2s", "stale": "1m"}) as port:
        wait_until(lambda: ask(port, token).status == 200, "the token")
        before, since = len(asked.heads(PATH)), time.monotonic()
        statuses, known = [], []
        while time.monotonic() < since + 8:
            tokens = [garbage() for _ in range(20)]
            requests = [http1.encode("/", user(it)) for it in (*tokens, token)]
            *found, good = http1.in_turn(port, requests)
            statuses += [answer.status for answer in found]
            known.append(good.status)
        took = time.monotonic() - since
        assert set(statuses) <= {401, 503}
        assert statuses.count(401) and statuses.count(503) > 100
        # The token is refreshed apart from it.
        assert set(known) == {200}
        of_garbage = len(asked.heads(PATH)) - before - len(questions(asked, token)) + 1
        # Two workers, each with an allowance that is full at first.
        assert of_garbage <= 2 * 5 * (took + 1)


def test_garbage_is_asked_about_once(asked, edge):
    token = garbage()
    with edge(asked.port, cache={"negative": "1m"}) as port:
        for _ in range(20):
            refused = ask(port, token)
            assert (refused.status, refused.header(REASON)) == (401, "keystone_denied")
    assert len(questions(asked, token)) == 1


@pytest.mark.parametrize("kind", KEYS)
def test_a_revoked_token_is_refused_soon_after_it_is_fresh_no_more(
    pair, everyone, asked, edge, kind
):
    token = everyone.project_scoped().token
    with edge(asked.port, kind, cache={"fresh": "2s"}) as port:
        assert ask(port, token).status == 200
        pair.keystone.call("DELETE", "/auth/tokens", **{"x-subject-token": token})
        since = time.monotonic()
        wait_until(lambda: ask(port, token).status == 401, "a refusal", 10)
        # The answer to the question that follows, and the other worker's look at it.
        assert time.monotonic() - since < 2 + 1.5


def test_a_token_ends_when_it_says_although_it_is_held(pair, everyone, asked, edge):
    with edge(asked.port) as port:
        token = aged(pair.keystone, everyone.project_scoped().token, 3600 - 8)
        ends = pair.keystone.validate(token)["expires_at"]
        assert ask(port, token).status == 200
        wait_until(lambda: ask(port, token).status == 401, f"the end at {ends}", 20)
        refused = ask(port, token)
        assert refused.header(REASON) == "token_expired"
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    assert now >= ends[:19]
    assert len(questions(asked, token)) == 1


def test_while_keystone_is_away_what_is_held_serves_on_until_it_is_stale(pair, issued, edge):
    held, new = issued["project_scoped"], issued["domain_scoped"]
    port_of_keystone = urllib.parse.urlsplit(pair.keystone.url).port
    cache = {"fresh": "1s", "stale": "6s", "negative": "1s"}
    keystone = {"timeout": "1s"}
    with (
        Recorder(port_of_keystone) as way,
        edge(way.port, cache=cache, keystone=keystone) as port,
    ):
        # Both workers hold it, once each has looked.
        wait_until(lambda: ask(port, held).status == 200, "the token")
        since = time.monotonic()
        way.down()
        holds_for(lambda: ask(port, held).status == 200, "the token to serve", 3)
        for token in (new, garbage()):
            refused = ask(port, token)
            assert refused.status == 503
            assert refused.header(REASON) == "keystone_unavailable"
            assert int(refused.header("retry-after")) >= 1
        wait_until(lambda: ask(port, held).status == 503, "it to be stale", 10)
        assert 3 < time.monotonic() - since < 8
        way.up()
        # Each worker finds out for itself.
        for token in (held, new):
            wait_until(lambda it=token: ask(port, it).status == 200, "Keystone again", 10)


def test_who_cannot_be_known_is_never_anonymous(issued, edge):
    with Impostor() as nobody, edge(nobody.port, missing="anonymous") as port:
        assert ask(port, issued["project_scoped"]).status == 503
        assert http1.get(port, "/").status == 200


@pytest.fixture(scope="module")
def truth(pair, issued):
    """Keystone's own answer about a token, and what it says of no token."""
    token = issued["project_scoped"]
    headers = {"x-auth-token": token, "x-subject-token": token}
    yes = pair.keystone.client.get("/auth/tokens?nocatalog", headers=headers)
    no = pair.keystone.client.get("/auth/tokens", headers={"x-auth-token": "x"})
    assert (yes.status_code, no.status_code) == (200, 401)
    return token, yes.content, no.content


def shaped(body, subject, status=b"200 OK", **headers):
    return answer(body, status, voussoir_protocol=None, x_subject_token=subject, **headers)


def lies(token, yes, no):
    """Answers that are not Keystone's about that token, by what is wrong with them."""
    html = b"<html>no</html>"
    return {
        "another-token": shaped(yes, token[:-4] + "AAAA"),
        "no-token": shaped(yes, None),
        "not-json": shaped(yes[:-1], token),
        "more-behind": shaped(yes + b"{}", token),
        "no-body": shaped(b"", token),
        "of-a-key-server": answer(yes),
        "no-user": shaped(yes.replace(b'"user"', b'"nobody"'), token),
        "two-scopes": shaped(yes[:-2] + b', "domain": {"id": "d"}}}', token),
        "no-end": shaped(yes.replace(b"expires_at", b"expires"), token),
        "end-that-is-none": shaped(yes.replace(b".000000Z", b"Z"), token),
        "twice-the-user": shaped(yes[:-2] + b', "user": {"id": "u"}}}', token),
        "deep": shaped(b'{"token":' + b"[" * 10_000, token),
        "1-mb": shaped(b" " * 1_000_000 + yes, token),
        "40-mb": shaped(b" " * 40_000_000, token),
        "garbage": shaped(b"\x00\xff" * 100, token),
        "of-a-proxy-404": shaped(html, None, b"404 Not Found"),
        "of-a-proxy-401": shaped(html, None, b"401 Unauthorized"),
        "of-a-proxy-403": shaped(b'{"error": "no"}', None, b"403 Forbidden"),
        "404-that-says-401": shaped(no, None, b"404 Not Found"),
        "300": shaped(no, None, b"300 Multiple Choices"),
        "302": shaped(b"", None, b"302 Found", location="http://elsewhere/"),
        "204": shaped(b"", token, b"204 No Content", content_length=None),
        "500": shaped(yes, token, b"500 Internal Server Error"),
        "503": shaped(no, None, b"503 Service Unavailable"),
        "not-http": b"SSH-2.0-OpenSSH_9.9\r\n",
        "nothing": b"",
        "head-only": b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n",
    }


def test_no_lie_is_believed(start_envoy, truth, path, upstream):
    token, yes, no = truth
    answers = lies(token, yes, no)
    answers["true"] = shaped(yes, token)
    answers["truly-no"] = shaped(no, None, b"401 Unauthorized")
    with contextlib.ExitStack() as stack:
        impostors = {name: stack.enter_context(Impostor(it)) for name, it in answers.items()}
        ports = {name: impostor.port for name, impostor in impostors.items()}
        found = {
            name: Listener(
                plugin(
                    keyserver=None,
                    keystone={"cluster": name, "timeout": "2s"},
                    token={"identity": "keystone"},
                    reason_header=REASON,
                )
            )
            for name in answers
        }
        envoy = stack.enter_context(start_envoy(found, ports | {"keyserver": 1}))
        for name, impostor in impostors.items():
            got = ask(envoy.ports[name], token, path)
            expected = {"true": 200, "truly-no": 401}.get(name, 503)
            assert got.status == expected, (name, got.header(REASON))
            assert impostor.requests >= 1, name
        assert len(upstream.requests_to(path)) == 1


def test_the_token_stands_in_no_log(pair, issued, asked, start_envoy):
    token = issued["project_scoped"]
    config = plugin(
        keyserver=None, keystone={"cluster": "keystone"}, token={"identity": "keystone"}
    )
    with start_envoy({"edge": Listener(config)}, {"keystone": asked.port}) as envoy:
        assert ask(envoy.ports["edge"], token).status == 200
        assert ask(envoy.ports["edge"], garbage()).status == 401
        assert token not in envoy.log()
