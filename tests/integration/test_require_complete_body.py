"""Requests that reach the service with the whole of their bodies, or not at all."""

import contextlib
import json
import time

import pytest

from parts import http1
from parts.deadline import holds_for, wait_until
from parts.envoy_config import Listener, plugin
from parts.http2 import Client

BODY = json.dumps({"auth": {"identity": {"methods": ["password"], "text": "é" * 50}}}).encode()
# In seconds: more than a busy machine needs for a body that is on its way, and for one that is not.
WITHIN, HASTY = 10, 1
MAX = 2048
FORMS = ["length", "chunked", "http2", "http2-length"]


def rules(**changes):
    rule = {"path_prefix": "/", "max": f"{MAX}B", "within": f"{WITHIN}s"}
    return {"hold_headers": True, "require_complete_body": [rule | changes]}


@pytest.fixture(scope="module")
def front(start_envoy, vector_keyserver):
    """An Envoy with a listener for each way to demand a body."""

    def held(**changes):
        config = {"missing": "anonymous"} | rules() | changes
        return Listener(plugin(**config), allow_on_headers_stop_iteration=True)

    signed = {"token": None, "sigv4": {}, "missing": None}
    route = {"path_prefix": None, "path": "/v3/auth/tokens", "methods": ["POST"]}
    route = [{k: v for k, v in rules(**route)["require_complete_body"][0].items() if v is not None}]
    listeners = {
        "json": held(),
        "hasty": held(**rules(within=f"{HASTY}s")),
        "any": held(**rules(json=False)),
        "route": held(require_complete_body=route),
        "reject": held(missing=None),
        "bypass": held(missing=None, bypass=[{"path_prefix": "/"}]),
        "few": held(limits={"parked": 3}),
        "large": held(**rules(max="4MiB", within="30s", json=False)),
        "shadow": held(mode="shadow"),
        "signed": held(**signed),
        # The filter was told what is not so.
        "not_held": Listener(plugin(missing="anonymous", **rules(within="1s"))),
    }
    with start_envoy(listeners, vector_keyserver.port) as envoy:
        yield envoy


class Sender:
    """A request in one of the `FORMS`, whose body is sent piece by piece."""

    def __init__(self, form, port, path, headers=(), *, length=len(BODY), method="POST"):
        self.form = form
        self.path = path
        if "length" in form:
            headers = [*headers, ("content-length", str(length))]
        if form == "chunked":
            headers = [*headers, ("transfer-encoding", "chunked")]
        if form.startswith("http2"):
            self.client = Client(port)
            self.number = self.client.start(path, headers, method=method, is_end=False)
        else:
            self.client = http1.Connection(port)
            self.client.send(http1.encode(path, headers, method=method))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.client.__exit__(*exception)

    def send(self, piece):
        if self.form.startswith("http2"):
            self.client.data(self.number, piece, is_end=False)
        elif self.form == "chunked":
            self.client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        else:
            self.client.send(piece)

    def end(self):
        if self.form.startswith("http2"):
            self.client.end(self.number)
        elif self.form == "chunked":
            self.client.send(b"0\r\n\r\n")

    def has_answer(self):
        is_http2 = self.form.startswith("http2")
        return self.client.has_answer(self.number) if is_http2 else self.client.has_answer()

    def response(self):
        return self.client.response(*([self.number] if self.form.startswith("http2") else []))


def active(envoy, listener):
    name = f"http.{listener}.downstream_rq_active"
    return envoy.stats(name)[name]


def error(response):
    """What an answer in Keystone's form says, and that it is one."""
    (name,) = response.json()
    assert name == "error"
    error = response.json()["error"]
    assert set(error) == {"code", "title", "message"}
    assert error["code"] == response.status
    return error["message"]


@pytest.mark.parametrize("form", FORMS)
def test_a_request_goes_on_when_its_body_has_come(front, upstream, path, form):
    with Sender(form, front.ports["json"], path) as sender:
        # Pieces of 1, 2, 3 ... bytes, which part characters and everything else.
        rest, size = BODY, 1
        while rest:
            sender.send(rest[:size])
            rest, size = rest[size:], size + 1
            if size % 5 == 0:
                time.sleep(0.01)
                assert not rest or not upstream.requests_to(path)
        sender.end()
        response = sender.response()
    assert response.status == 200, response.body
    (arrival,) = upstream.requests_to(path)
    assert (arrival.body, arrival.is_complete) == (BODY, True)
    # Its length is known now, and a WSGI service would not read a body without one.
    assert arrival.values("content-length") == [str(len(BODY))]
    assert arrival.values("transfer-encoding") == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_a_body_may_come_with_any_method(front, upstream, path, method):
    port = front.ports["json"]
    assert http1.get(port, path, body=BODY, method=method).status == 200
    assert [arrival.body for arrival in upstream.requests_to(path)] == [BODY]
    with Sender("length", port, f"{path}/half", method=method) as sender:
        sender.send(BODY[:9])
        holds_for(lambda: not sender.has_answer(), "it waits", seconds=0.2)
    assert not upstream.requests_to(f"{path}/half")


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE"])
def test_without_a_body_there_is_nothing_to_wait_for(front, upstream, path, method):
    port = front.ports["json"]
    assert http1.get(port, path, method=method).status == 200
    assert http1.get(port, path, method=method, body=b"").status == 200
    with Client(port) as client:
        assert client.get(path, method=method).status == 200
    assert len(upstream.requests_to(path)) == 3


def test_an_empty_body_of_unknown_length_passes(front, upstream, path):
    for form in ("chunked", "http2"):
        with Sender(form, front.ports["json"], path) as sender:
            sender.end()
            assert sender.response().status == 200
    lengths = [arrival.values("content-length") for arrival in upstream.requests_to(path)]
    assert lengths == [["0"], ["0"]]


@pytest.mark.parametrize("trailers", [[], [("x-checksum", "1"), ("x-user-id", "forged")]])
def test_trailers_end_a_body(front, upstream, path, trailers):
    port = front.ports["json"]
    response = http1.get(port, path, body=BODY, trailers=trailers, method="POST")
    assert response.status == 200
    for listener, status in [("json", 200), ("json", 400)]:
        body = BODY if status == 200 else BODY[:-1]
        with Client(front.ports[listener]) as client:
            number = client.start(path, method="POST", is_end=False)
            client.data(number, body, is_end=False)
            client.trailers(number, trailers)
            assert client.response(number).status == status
    arrivals = upstream.requests_to(path)
    assert [arrival.body for arrival in arrivals] == [BODY, BODY]
    assert [arrival.trailers for arrival in arrivals] == [trailers[:1], trailers[:1]]


def test_requests_in_one_stream_of_bytes_are_held_one_by_one(front, upstream, path):
    """What follows a request that waits is not mistaken for its body, and waits as well."""
    first = http1.encode(f"{path}/1", method="POST", body=BODY)
    second = http1.encode(f"{path}/2", method="POST", body=b"[]")
    with http1.Connection(front.ports["json"]) as connection:
        connection.send(first[:-1])
        holds_for(lambda: not connection.has_answer(), "the first waits", seconds=0.2)
        connection.send(first[-1:] + second + second[:-1])
        assert [connection.response().json()["path"] for _ in "12"] == [f"{path}/1", f"{path}/2"]
        holds_for(lambda: not connection.has_answer(), "the third waits", seconds=0.2)
    assert len(upstream.requests_to(f"{path}/2")) == 1


def test_who_expects_to_be_told_to_go_on_is_told(front, upstream, path):
    headers = [("expect", "100-continue"), ("content-length", str(len(BODY)))]
    with http1.Connection(front.ports["json"]) as connection:
        connection.send(http1.encode(path, headers, method="POST"))
        assert connection.response("HEAD").status == 100
        assert not upstream.requests_to(path)
        connection.send(BODY)
        assert connection.response().status == 200
    assert [arrival.body for arrival in upstream.requests_to(path)] == [BODY]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", ["closed", "ended", "held", "dripping"])
def test_a_body_that_does_not_come_whole_reaches_nobody(front, upstream, path, form, way):
    listener = "hasty" if way in ("held", "dripping") else "json"
    # Before the head is sent, with which the proxy's clock begins to run.
    began = time.monotonic()
    with Sender(form, front.ports[listener], path, length=1000) as sender:
        sender.send(b'{"auth": ')
        if way == "closed":
            wait_until(lambda: active(front, listener) == 1, "it is there")
        elif way == "ended":
            if form.startswith("http2"):
                sender.end()
                response = sender.response()
                # With another length than was said, HTTP/2 has it reset.
                assert response is None if form == "http2-length" else response.status == 400
            elif form == "chunked":
                sender.end()
                assert sender.response().status == 400
            else:
                sender.client.socket.shutdown(1)
                assert sender.response() is None
        else:
            while way == "dripping" and not sender.has_answer():
                with contextlib.suppress(ConnectionError):
                    sender.send(b" ")
                time.sleep(0.3)
                assert time.monotonic() - began < 20
            response = sender.response()
            assert response.status == 408
            assert error(response) == "The request body did not arrive in time."
            assert HASTY - 0.1 <= time.monotonic() - began < 20
            assert front.details(path) == "voussoir_body_late"
    wait_until(lambda: active(front, listener) == 0, "it is gone")
    assert not upstream.requests_to(path)


@pytest.mark.parametrize("form", FORMS)
def test_a_body_that_is_too_long_reaches_nobody(front, upstream, path, form):
    with Sender(form, front.ports["json"], path, length=MAX + 1) as sender:
        if "length" not in form:
            sender.send(b"[" + b" " * (MAX - 1))
            holds_for(lambda: not sender.has_answer(), "it may still be right", seconds=0.1)
            sender.send(b"]")
        # Where the head says it, that is enough.
        response = sender.response()
    assert response.status == 413
    assert error(response) == "The request body is too long."
    assert front.details(path) == "voussoir_body_too_long"
    assert not upstream.requests_to(path)
    assert http1.get(front.ports["json"], path, body=b"[%s]" % (b" " * (MAX - 2))).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"auth=1",
        BODY[:-1],
        BODY + b"}",
        b"\xff\xfe{\0}\0",
        b'{"a": "\xe9"}',
        b"[" * 1000 + b"]" * 1000,
        b'{"a": NaN}',
        b"\xef\xbb\xbf{}",
        b" ",
    ],
)
def test_what_is_not_json_reaches_nobody(front, upstream, path, body):
    headers = [("content-type", "application/json")]
    response = http1.get(front.ports["json"], path, headers, body=body, method="POST")
    assert response.status == 400
    assert error(response) == "The request body is not valid JSON, or is nested too deeply."
    assert front.details(path) == "voussoir_body_not_json"
    assert not upstream.requests_to(path)
    response = http1.get(front.ports["any"], path, headers, body=body, method="POST")
    assert response.status == 200
    assert [arrival.body for arrival in upstream.requests_to(path)] == [body]


def test_what_is_compressed_cannot_be_looked_into(front, upstream, path):
    headers = [("content-encoding", "gzip")]
    with Sender("length", front.ports["json"], path, headers) as sender:
        response = sender.response()
    assert response.status == 415
    assert error(response) == "The request body must be JSON without a content encoding."
    assert not upstream.requests_to(path)
    assert http1.get(front.ports["any"], path, headers, body=b"\x1f\x8b").status == 200
    assert http1.get(front.ports["json"], path, headers).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v3/auth/tokens",
        "/v3/auth/tokens?nocatalog",
        "/v3/auth/tokens/",
        "//v3//auth/tokens",
        "/v3/auth%2Ftokens",
        "/V3/auth/%74okens",
        "/v3/auth%252ftokens",
        "/x/../v3/auth/tokens",
        "/v3/auth/tokens%3Fx",
        "/v3/auth/tokens;x=1",
        "http://service/v3/auth/tokens",
    ],
)
def test_no_spelling_leads_past_a_rule(front, upstream, path):
    before = len(upstream.arrivals)
    for form in ("length", "http2"):
        if form == "http2" and path.startswith("http"):
            continue
        with Sender(form, front.ports["route"], path) as sender:
            sender.send(b"x")
            assert sender.response().status == 400
    assert len(upstream.arrivals) == before


@pytest.mark.parametrize("path", ["/v3/auth", "/v3/auth/tokens2", "/v3/users", "/", "/a%20b"])
def test_other_routes_are_not_held(front, upstream, path):
    for method, path_ in [("POST", path), ("GET", "/v3/auth/tokens")]:
        before = len(upstream.requests_to(path_))
        with Sender("length", front.ports["route"], path_, method=method) as sender:
            wait_until(lambda p=path_, n=before: len(upstream.requests_to(p)) > n, "the head")


def test_who_may_not_pass_is_not_waited_for(front, path, good_token):
    with Sender("length", front.ports["reject"], path) as sender:
        assert sender.response().status == 401
    with Sender("length", front.ports["reject"], path, [("x-auth-token", good_token)]) as sender:
        sender.send(BODY)
        response = sender.response()
    assert ["x-identity-status", "Confirmed"] in response.json()["headers"]


def test_who_needs_no_token_waits_too(front, upstream, path):
    with Sender("length", front.ports["bypass"], path) as sender:
        sender.send(BODY[:-1])
        holds_for(lambda: not upstream.requests_to(path), "it waits", seconds=0.2)
        sender.send(BODY[-1:])
        assert sender.response().status == 200


def test_where_there_is_no_room_the_oldest_go(front, upstream, path):
    """Who sends heads in masses sends away his own, and not who comes with a body."""
    with Client(front.ports["few"]) as client:
        # One connection is one worker's.
        numbers = [client.start(path, method="POST", is_end=False) for _ in range(50)]
        for number in numbers[:-3]:
            response = client.response(number)
            assert (response.status, response.header("retry-after")) == (503, "1")
        assert set(front.details(path, 47)) == {"voussoir_too_many_waiting"}
        number = client.start(f"{path}/good", method="POST", is_end=False)
        client.data(number, BODY)
        assert client.response(number).status == 200
        for number in numbers[-2:]:
            client.data(number, BODY)
            assert client.response(number).status == 200
    assert len(upstream.requests_to(path)) == 2


def test_masses_that_stall_are_all_answered(front, upstream, path):
    """Envoy nests local replies: many in one callback would cost the worker its instance."""
    with contextlib.ExitStack() as stack:
        waiting = []
        for _ in range(6):
            client = stack.enter_context(Client(front.ports["hasty"], seconds=40))
            numbers = [client.start(path, method="POST", is_end=False) for _ in range(100)]
            waiting += [(client, number) for number in numbers]
        assert {client.response(number).status for client, number in waiting} == {408}
    assert not upstream.requests_to(path)
    front.assert_sound()


def test_what_envoy_does_not_keep_reaches_nobody(front, upstream, path):
    """Beyond its own buffers (1 MiB by default) it refuses, whatever `max` says."""
    body = b" " * 3_000_000
    with contextlib.suppress(ConnectionError), Sender(
        "length", front.ports["large"], path, length=len(body)
    ) as sender:
        sender.send(body)
        assert sender.response().status == 413
    assert not upstream.requests_to(path)
    assert http1.get(front.ports["large"], path, body=body[:900_000]).status == 200


def test_a_listener_that_does_not_hold_heads_lets_no_body_pass(front, upstream, path):
    response = http1.get(front.ports["not_held"], path, body=BODY, method="POST")
    assert response.status == 408
    assert not upstream.requests_to(path)
    assert http1.get(front.ports["not_held"], path).status == 200


def test_aws_clients_are_answered_in_their_manner(front, path):
    headers = [("authorization", "AWS4-HMAC-SHA256 x")]
    with Sender("length", front.ports["signed"], path, headers, length=MAX + 1) as sender:
        response = sender.response()
    assert response.status == 400
    assert b"<Code>EntityTooLarge</Code>" in response.body


SHADOWED = {
    "none": BODY,
    "body_not_json": b"x",
    "body_too_long": b" " * (MAX + 1),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("reason", SHADOWED)
def test_shadow_mode_counts_and_lets_pass(front, upstream, path, reason, form):
    body = SHADOWED[reason]
    outcome = "anonymous" if reason == "none" else "rejected"
    counted = "token_missing" if reason == "none" else reason
    labels = f"outcome={outcome};reason={counted};mode=shadow;mechanism=none"
    name = f"wasmcustom.voussoir_requests_total;{labels}"
    before = front.stats(name).get(name, 0)
    with Sender(form, front.ports["shadow"], path, length=len(body)) as sender:
        # The head goes on at once.
        wait_until(lambda: upstream.requests_to(path), "the head at the service")
        sender.send(body)
        sender.end()
        assert sender.response().status == 200
    (arrival,) = upstream.requests_to(path)
    assert arrival.body == body
    wait_until(lambda: front.stats(name)[name] == before + 1, "it counts once")
