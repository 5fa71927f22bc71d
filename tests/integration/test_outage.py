"""An outage of Keystone's, once more: a few broken requests, without a token, that stop all of it.

Keystone reads a body before it asks who sends it, and a WSGI server gives the request a process
meanwhile. So as many requests as there are processes, each with a head and not its body, and no
token is validated any more, for as long as their senders like.
"""

import contextlib
import json
import re
import threading
import time

import httpx
import pytest

from parts import http1
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.http2 import Client
from parts.keyserver import KeyServer
from parts.keystone import ADMIN_PASSWORD

# uWSGI gives up on a client of whom it has heard nothing for four seconds.
DRIP = 0.5
PROBE_EVERY = 0.25
# How long a validation may take. A machine that tests is busier than one that serves.
TIMEOUT, PATIENCE = 2.0, 20.0
ATTACK = 5.0
PATH = "/v3/auth/tokens"
LOGIN = json.dumps(
    {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {
                    "user": {
                        "name": "admin",
                        "domain": {"id": "default"},
                        "password": ADMIN_PASSWORD,
                    }
                },
            },
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
        }
    }
).encode()


@pytest.fixture(scope="module")
def front(root, start_envoy, keystone, keyserver_program, tmp_path_factory):
    """An Envoy before that Keystone, with what the documentation says of it."""
    text = (root / "docs/configuration.md").read_text()
    (example,) = re.findall(r"```json\n(\{[^`]*require_complete_body[^`]*)```", text)
    config = json.loads(example)
    for rule in config["require_complete_body"]:
        rule["within"] = "2s"
    listener = Listener(
        plugin(**{name: config[name] for name in config if name not in ("keyserver", "token")}),
        allow_on_headers_stop_iteration=True,
        upstream="keystone",
    )
    port = httpx.URL(keystone.url).port
    directory = tmp_path_factory.mktemp("keyserver")
    with (
        KeyServer(keyserver_program, keystone.key_repository, directory) as keyserver,
        start_envoy({"edge": listener}, keyserver.port, keystone=port) as envoy,
    ):
        yield envoy


class Attack:
    """Connections that each send a head, and then hardly anything of the body it promises."""

    def __init__(self, port, count):
        self.count = count
        self.sent = 0
        self.over = threading.Event()
        self.connections = [http1.Connection(port) for _ in range(count)]
        self.thread = threading.Thread(target=self._run, name="attack", daemon=True)

    def __enter__(self):
        for number, connection in enumerate(self.connections):
            method = ("POST", "GET")[number % 2]
            head = [("content-type", "application/json"), ("content-length", "1000")]
            self._send(connection, http1.encode(f"{PATH}?attack", head, method=method))
            self._send(connection, LOGIN[:46])
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        self.thread.join(10)
        for connection in self.connections:
            connection.socket.close()

    def all_told(self):
        """The status that each connection got, once they all have."""
        return [connection.response().status for connection in self.connections]

    def _run(self):
        while not self.over.wait(DRIP):
            # Every third says nothing more at all.
            for number, connection in enumerate(self.connections):
                if number % 3 != 2:
                    self._send(connection, b" ")

    def _send(self, connection, data):
        with contextlib.suppress(ConnectionError):
            connection.send(data)
            self.sent += len(data)


class Probes:
    """Asks Keystone for the validation of a token, again and again, each time afresh."""

    def __init__(self, url, token, timeout):
        self.timeout = timeout
        self.url = f"{url}{PATH}"
        self.headers = {"x-auth-token": token, "x-subject-token": token}

    def probe(self):
        """The status, and how long it took; None if there was no answer in time."""
        began = time.monotonic()
        try:
            answer = httpx.get(self.url, headers=self.headers, timeout=self.timeout)
        except httpx.TransportError:
            return None, time.monotonic() - began
        return answer.status_code, time.monotonic() - began

    def during(self, seconds):
        """One each quarter of a second, whatever became of the one before."""
        results, threads, end = [], [], time.monotonic() + seconds
        while time.monotonic() < end:
            thread = threading.Thread(target=lambda: results.append(self.probe()))
            thread.start()
            threads.append(thread)
            time.sleep(PROBE_EVERY)
        for thread in threads:
            thread.join()
        return results


def summary(what, attack, results):
    good = [seconds for status, seconds in results if status == 200 and seconds < TIMEOUT]
    typical = f", p50 {sorted(good)[len(good) // 2] * 1000:.0f} ms" if good else ""
    return (
        f"{what}: {attack.count} connections, {attack.sent} bytes in {ATTACK:g} s: "
        f"{len(good)} of {len(results)} validations answered within {TIMEOUT:g} s{typical}"
    )


def test_broken_requests_stop_keystone_and_not_the_edge(front, keystone, figures):
    lines = figures.setdefault("an outage of Keystone's", [])
    alone = keystone.url.removesuffix("/v3")
    edge = f"http://127.0.0.1:{front.ports['edge']}"
    direct = Probes(alone, keystone.admin_token, TIMEOUT)
    edge = Probes(edge, keystone.admin_token, PATIENCE)
    assert direct.probe()[0] == edge.probe()[0] == 200

    # Two processes of one thread each, and one connection more.
    with Attack(httpx.URL(alone).port, 3) as attack:
        wait_until(lambda: direct.probe()[0] is None, "a validation without an answer", 30)
        results = direct.during(ATTACK)
        lines.append(summary("without the filter", attack, results))
        assert {status for status, _ in results} == {None}
    over = time.monotonic()
    wait_until(lambda: direct.probe()[0] == 200, "Keystone to come back", 60)
    lines.append(f"and {time.monotonic() - over:.1f} s after its end the next")

    seen = len(keystone.requests())
    with Attack(front.ports["edge"], 100) as attack:
        results = edge.during(ATTACK)
        lines.append(summary("with the filter", attack, results))
        assert {status for status, _ in results} == {200}, results
        assert set(attack.all_told()) == {408}
    assert not [line for line in keystone.requests()[seen:] if "attack" in line]
    assert set(front.details(f"{PATH}?attack", attack.count)) == {"voussoir_body_late"}


def test_a_length_in_another_spelling_is_none(front, keystone):
    """uWSGI would take it for the real one, and wait for so many bytes of a request that has ended."""
    headers = [("content-type", "application/json"), ("content_length", "1000")]
    requests = [http1.encode(PATH, headers, method=method) for method in ("GET", "POST")] * 3
    direct = Probes(keystone.url.removesuffix("/v3"), keystone.admin_token, PATIENCE)
    with contextlib.ExitStack() as stack:
        port = front.ports["edge"]
        connections = [stack.enter_context(http1.Connection(port)) for _ in requests]
        for connection, request in zip(connections, requests, strict=True):
            connection.send(request)
        assert direct.probe()[0] == 200
        answers = [connection.response() for connection in connections]
    # What Keystone says of a request without a body, and not of one that it could not read.
    assert {answer.status for answer in answers[::2]} == {401}
    expected = http1.get(httpx.URL(keystone.url).port, PATH, method="POST").body
    assert {answer.body for answer in answers[1::2]} == {expected}


FORMS = ["at once", "in pieces", "chunked", "expecting", "http2"]


def told(response):
    """What an answer says that does not change with each token."""
    assert response.status == 201, response.body
    token = response.json()["token"]
    fresh = {name: token.pop(name) for name in ("issued_at", "expires_at", "audit_ids")}
    return token, set(fresh), {name for name, _ in response.headers} - {"transfer-encoding"}


@pytest.mark.parametrize("form", FORMS)
def test_who_asks_for_a_token_gets_what_keystone_gives(front, keystone, form):
    headers = [("content-type", "application/json")]
    direct = httpx.URL(keystone.url).port
    expected = told(http1.get(direct, PATH, headers, method="POST", body=LOGIN))
    port = front.ports["edge"]
    if form == "http2":
        with Client(port) as client:
            # Without a length, as HTTP/2 may: uWSGI would see no body at all.
            number = client.start(PATH, headers, method="POST", is_end=False)
            client.data(number, LOGIN)
            response = client.response(number)
    else:
        with http1.Connection(port) as connection:
            if form == "expecting":
                headers.append(("expect", "100-continue"))
            trailers = [] if form == "chunked" else None
            options = {"method": "POST", "body": LOGIN, "trailers": trailers}
            request = http1.encode(PATH, headers, **options)
            if form == "expecting":
                connection.send(request[: -len(LOGIN)])
                assert connection.response("HEAD").status == 100
                request = LOGIN
            if form == "in pieces":
                for start in range(0, len(request), 37):
                    connection.send(request[start : start + 37])
                    time.sleep(0.01)
            else:
                connection.send(request)
            response = connection.response()
    token, fresh, names = told(response)
    assert (token, fresh) == expected[:2]
    assert {"x-subject-token", "vary", "content-type"} <= names
    assert keystone.validate(response.header("x-subject-token"))["user"]["name"] == "admin"
