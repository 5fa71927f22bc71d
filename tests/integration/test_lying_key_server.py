"""What answers in a key server's place is not believed, and breaks nothing."""

import contextlib
import json

import pytest

from parts import http1
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.impostor import Impostor, answer


def key_set(keys):
    return json.dumps({"fernet": keys}).encode()


def lies(keys):
    """Answers that are no key set of a key server, by what is wrong with them."""
    good = key_set(keys)
    twice = key_set([keys[0], keys[0]])
    return {
        "no-protocol": answer(good, voussoir_protocol=None),
        "protocol-2": answer(good, voussoir_protocol="2"),
        "protocol-empty": answer(good, voussoir_protocol=""),
        "protocol-odd-byte": answer(good, voussoir_protocol="1\xff"),
        "garbage": answer(b"\x00\xff" * 100),
        "not-json": answer(good[:-1]),
        "more-behind": answer(good + b"{}"),
        "no-keys": answer(key_set([])),
        "no-body": answer(),
        "bad-key": answer(key_set([{"id": 1, "key": "short"}])),
        "key-with-odd-bytes": answer(key_set([{"id": 1, "key": "\xff" * 44}])),
        "negative-id": answer(key_set([{"id": -1, "key": keys[0]["key"]}])),
        "one-id-twice": answer(twice),
        "too-many-keys": answer(key_set([{**keys[0], "id": n} for n in range(1000)])),
        "deep": answer(b'{"fernet":' + b"[" * 10_000),
        "100-kb": answer(b" " * 100_000 + good),
        "40-mb": answer(b" " * 40_000_000),
        "not-modified": answer(status=b"304 Not Modified", content_length=None),
        "unauthorized": answer(b"{}", status=b"401 Unauthorized"),
        "error": answer(good, status=b"500 Internal Server Error"),
        "redirect": answer(good, status=b"302 Found", location="http://elsewhere/"),
        "no-content": answer(status=b"204 No Content", content_length=None),
        "status-999": answer(good, status=b"999 What"),
        "not-http": b"SSH-2.0-OpenSSH_9.9\r\n",
        "nothing": b"",
        "head-only": b"HTTP/1.1 200 OK\r\nvoussoir-protocol: 1\r\ncontent-length: 400\r\n\r\n",
        "many-headers": answer(good, **{f"x_{n}": "x" for n in range(2_000)}),
    }


def honest_but_odd(keys):
    """Answers that are as they should be, but for bytes that nobody looks at."""
    good = key_set(keys)
    return {
        "plain": answer(good),
        "odd-byte-in-a-header": answer(good, x_other="\xff\xfe"),
        "odd-byte-in-the-etag": answer(good, etag='"\xff"'),
        "long-etag": answer(good, etag='"' + "x" * 5_000 + '"'),
        "fields-of-a-later-version": answer(json.dumps({"fernet": keys, "jws": []}).encode()),
        "date-in-1970": answer(good, date="Thu, 01 Jan 1970 00:00:00 GMT"),
    }


@contextlib.contextmanager
def before_impostors(start_envoy, answers, **cache):
    """One Envoy with a listener, a cluster and an impostor for each answer."""
    with contextlib.ExitStack() as stack:
        impostors = {name: stack.enter_context(Impostor(text)) for name, text in answers.items()}
        listeners = {
            name: Listener(plugin(keyserver={"cluster": name, "timeout": "2s"}, cache=cache))
            for name in answers
        }
        ports = {name: impostor.port for name, impostor in impostors.items()}
        envoy = stack.enter_context(start_envoy(listeners, ports))
        yield envoy, impostors


def status(envoy, name, path, token):
    return http1.get(envoy.ports[name], path, [("x-auth-token", token)]).status


def test_no_lie_lets_a_request_through(start_envoy, vectors, good_token, path, upstream):
    with before_impostors(start_envoy, lies(vectors["keys"])) as (envoy, impostors):
        for name in impostors:
            assert status(envoy, name, path, good_token) == 503, name
            assert impostors[name].requests >= 1, name
        assert not upstream.requests_to(path)


def test_what_nobody_looks_at_does_not_matter(start_envoy, vectors, good_token, path):
    with before_impostors(start_envoy, honest_but_odd(vectors["keys"])) as (envoy, impostors):
        for name in impostors:
            assert status(envoy, name, path, good_token) == 200, name


def test_keys_that_are_there_outlive_every_lie(start_envoy, vectors, good_token, path):
    truth = answer(key_set(vectors["keys"]), etag='"1"')
    answers = lies(vectors["keys"])
    # This one is the truth, once there are keys.
    del answers["not-modified"]
    truths = dict.fromkeys(answers, truth)
    with before_impostors(start_envoy, truths, fresh="1s") as (envoy, impostors):
        for name, impostor in impostors.items():
            assert status(envoy, name, path, good_token) == 200
            impostor.answer = answers[name]
            impostor.requests = 0
        for name, impostor in impostors.items():
            wait_until(lambda i=impostor: i.requests >= 2, f"{name}: to be asked twice more")
            assert status(envoy, name, path, good_token) == 200, name
        for impostor in impostors.values():
            impostor.answer = truth
        fetched = "voussoir_key_fetches_total;result=updated"
        before = sum(envoy.stats(fetched).values())
        wait_until(lambda: sum(envoy.stats(fetched).values()) > before, "the truth again", 20)


@pytest.mark.parametrize("pause", [0.1, 0.5])
def test_an_answer_that_drips_is_waited_for_no_longer_than_configured(
    start_envoy, vectors, good_token, path, pause
):
    with Impostor(answer(key_set(vectors["keys"])), pause) as impostor:
        config = plugin(keyserver={"timeout": "300ms"})
        with start_envoy({"enforce": Listener(config)}, impostor.port) as envoy:
            assert status(envoy, "enforce", path, good_token) == 503
            wait_until(lambda: "could not be fetched" in envoy.log(), "the log to say so")
