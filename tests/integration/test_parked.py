"""Requests that wait for keys: none passes early, all are answered, and who goes is forgotten."""

import contextlib

import pytest

from parts import http1
from parts.deadline import holds_for, wait_until
from parts.envoy_config import Listener, plugin
from parts.http2 import Client

PATIENT = {"timeout": "20s"}
MODES = ["held", "shown"]
# The forms that a body can have on the wire.
FORMS = ["length", "trailers", "http2", "http2-trailers"]
# One that may arrive, and one that may not.
TRAILERS = [("x-checksum", "1"), ("x-user-id", "forged")]


@pytest.fixture
def relay(relay):
    """From the start, no answer comes through."""
    relay.hold()
    return relay


@pytest.fixture
def front(start_envoy, relay):
    """An Envoy that has asked for keys and waits for the answer.

    One listener for each of Envoy's two ways to pause at the headers: with the body held back
    altogether, and with the body shown to the filter while the headers are still held.
    """
    listeners = {
        "held": Listener(plugin(keyserver=PATIENT)),
        "shown": Listener(plugin(keyserver=PATIENT), allow_on_headers_stop_iteration=True),
        "shadow": Listener(plugin(keyserver=PATIENT, mode="shadow")),
        "anonymous": Listener(plugin(keyserver=PATIENT, missing="anonymous")),
        "few": Listener(plugin(keyserver=PATIENT, limits={"parked": 3})),
    }
    with start_envoy(listeners, relay.port) as envoy:
        yield envoy


@pytest.fixture(scope="module")
def forged_token(vectors):
    """One that no key opens."""
    return next(v["token"] for v in vectors["envelope_negative"] if v["name"] == "foreign_key")


def active(envoy, listener):
    name = f"http.{listener}.downstream_rq_active"
    return envoy.stats(name)[name]


def wait_until_active(envoy, listener, count):
    wait_until(lambda: active(envoy, listener) == count, f"{count} active requests")


@pytest.mark.parametrize("mode", MODES)
def test_a_client_that_gives_up_is_forgotten(front, relay, mode, path, good_token, upstream):
    request = http1.encode(f"{path}/gone", [("x-auth-token", good_token)])
    gone = [http1.Connection(front.ports[mode]) for _ in range(20)]
    for connection in gone:
        connection.send(request)
    wait_until_active(front, mode, 20)
    with http1.Connection(front.ports[mode]) as patient:
        patient.send(http1.encode(path, [("x-auth-token", good_token)]))
        wait_until_active(front, mode, 21)
        for connection in gone:
            connection.socket.close()
        wait_until_active(front, mode, 1)
        relay.release()
        assert patient.response().status == 200
    assert not upstream.requests_to(f"{path}/gone")
    for _ in range(20):
        assert http1.get(front.ports[mode], path, [("x-auth-token", good_token)]).status == 200


@pytest.mark.parametrize("mode", MODES)
def test_all_streams_of_one_connection_are_answered_each_for_itself(
    front, relay, mode, path, good_token, forged_token, upstream
):
    with Client(front.ports[mode]) as client:
        good = [client.start(f"{path}/{n}", [("x-auth-token", good_token)]) for n in range(30)]
        bad = [client.start(f"{path}/bad", [("x-auth-token", forged_token)]) for _ in range(30)]
        gone = [client.start(f"{path}/gone", [("x-auth-token", good_token)]) for _ in range(30)]
        wait_until_active(front, mode, 90)
        for number in gone:
            client.reset(number)
        wait_until_active(front, mode, 60)
        relay.release()
        for n, number in enumerate(good):
            response = client.response(number)
            assert response.status == 200
            assert response.json()["path"] == f"{path}/{n}"
        assert {client.response(number).status for number in bad} == {401}
    assert not upstream.requests_to(f"{path}/bad")
    assert not upstream.requests_to(f"{path}/gone")


@pytest.mark.parametrize("mode", MODES)
def test_nothing_of_an_undecided_upload_reaches_the_service(
    front, relay, mode, path, good_token, forged_token, upstream
):
    body = b"x" * 200_000
    with contextlib.ExitStack() as stack:

        def upload(form, end, token):
            started = Upload(form, front.ports[mode], f"{path}/{form}/{end}", token, body)
            return stack.enter_context(started)

        good = {form: upload(form, "good", good_token) for form in FORMS}
        bad = {form: upload(form, "bad", forged_token) for form in FORMS}
        wait_until_active(front, mode, 2 * len(FORMS))
        holds_for(
            lambda: (
                not any(arrival.path.startswith(path) for arrival in upstream.arrivals)
                and not any(upload.has_answer() for upload in bad.values())
            ),
            "undecided is paused",
            seconds=0.3,
        )
        relay.release()
        for form in FORMS:
            response = good[form].response()
            assert (response.status, response.json()["size"]) == (200, len(body)), form
            assert bad[form].response().status == 401, form
    for form in FORMS:
        (arrival,) = upstream.requests_to(f"{path}/{form}/good")
        assert arrival.body == body, form
        assert arrival.trailers == (TRAILERS[:1] if "trailers" in form else []), form
        assert not upstream.requests_to(f"{path}/{form}/bad")


@pytest.mark.parametrize("mode", MODES)
def test_an_upload_whose_body_comes_after_the_decision_passes(front, relay, mode, path, good_token):
    with http1.Connection(front.ports[mode]) as connection:
        head = [("x-auth-token", good_token), ("content-length", "4")]
        connection.send(http1.encode(path, head, method="PUT"))
        wait_until_active(front, mode, 1)
        connection.send(b"bo")
        relay.release()
        connection.send(b"dy")
        response = connection.response()
    assert (response.status, response.json()["size"]) == (200, 4)


def test_an_upload_larger_than_the_buffers_waits_too(front, relay, path, good_token):
    """Held back altogether, it is Envoy's flow control that makes the client wait."""
    body = b"x" * 5_000_000
    with Upload("http2", front.ports["held"], path, good_token, body) as upload:
        wait_until_active(front, "held", 1)
        relay.release()
        response = upload.response()
    assert (response.status, response.json()["size"]) == (200, len(body))


def test_no_more_wait_than_may(front, relay, path, good_token):
    with Client(front.ports["few"]) as client:
        # One connection is one worker's.
        numbers = [client.start(path, [("x-auth-token", good_token)]) for _ in range(5)]
        refused = [client.response(number) for number in numbers[3:]]
        assert {response.status for response in refused} == {503}
        assert {response.header("retry-after") for response in refused} == {"20"}
        assert set(front.details(path, 2)) == {"voussoir_too_many_waiting"}
        relay.release()
        assert {client.response(number).status for number in numbers[:3]} == {200}


def test_whoever_goes_makes_room_for_another(front, relay, path, good_token):
    headers = [("x-auth-token", good_token)]
    with Client(front.ports["few"]) as client:
        for _ in range(3):
            numbers = [client.start(path, headers) for _ in range(3)]
            wait_until_active(front, "few", 3)
            for number in numbers:
                client.reset(number)
            wait_until_active(front, "few", 0)
        numbers = [client.start(path, headers) for _ in range(3)]
        wait_until_active(front, "few", 3)
        relay.release()
        assert {client.response(number).status for number in numbers} == {200}


@pytest.mark.parametrize("mode", ["shadow", "anonymous"])
def test_nothing_undecided_passes_where_all_will(front, relay, mode, path, forged_token, upstream):
    headers = [("x-auth-token", forged_token), ("x-user-id", "forged")]
    with http1.Connection(front.ports[mode]) as connection:
        connection.send(http1.encode(path, headers))
        wait_until_active(front, mode, 1)
        holds_for(lambda: not upstream.requests_to(path), "undecided is paused", seconds=0.2)
        relay.release()
        response = connection.response()
    assert response.status == 200
    assert ["x-identity-status", "Invalid"] in response.json()["headers"]
    assert "forged" not in [value for _, value in response.json()["headers"]]


class Upload:
    """A PUT on its way, in one of the `FORMS`."""

    def __init__(self, form, port, path, token, body):
        headers = [("x-auth-token", token)]
        self.form = form
        if form.startswith("http2"):
            self.client = Client(port)
            self.number = self.client.start(path, headers, method="PUT", is_end=False)
            self.client.data(self.number, body, is_end=form != "http2-trailers")
            if form == "http2-trailers":
                self.client.trailers(self.number, TRAILERS)
        else:
            self.client = http1.Connection(port)
            trailers = TRAILERS if form == "trailers" else None
            request = http1.encode(path, headers, method="PUT", body=body, trailers=trailers)
            self.client.send(request)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.client.__exit__(*exception)

    def has_answer(self):
        is_http2 = self.form.startswith("http2")
        return self.client.has_answer(self.number) if is_http2 else self.client.has_answer()

    def response(self):
        is_http2 = self.form.startswith("http2")
        return self.client.response(self.number) if is_http2 else self.client.response()
