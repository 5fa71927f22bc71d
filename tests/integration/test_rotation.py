"""Keys rotate while requests run, and not one valid request is lost."""

import threading

import pytest

from parts import http1
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.keyserver import KeyServer
from parts.minting import new_key, project_payload, seal, write_repository

ROTATIONS = 3


class Load(threading.Thread):
    """Sends requests with each of its tokens in turn, on connections that last and on new ones."""

    def __init__(self, port, path):
        super().__init__(name="load", daemon=True)
        self.port, self.path = port, path
        self.tokens = []
        self.count = 0
        self.failures = []
        self.is_ending = threading.Event()

    def run(self):
        while not self.is_ending.is_set():
            requests = [http1.encode(self.path, [("x-auth-token", token)]) for token in self.tokens]
            responses = http1.in_turn(self.port, requests)
            # The machine is needed for the rotation, too.
            self.is_ending.wait(0.02)
            self.count += len(responses)
            self.failures += [
                (number, response) for number, response in enumerate(responses) if response.status != 200
            ]

    def end(self):
        self.is_ending.set()
        self.join(20)
        assert not self.failures, self.failures[:3]


def test_no_request_is_lost_while_keystone_rotates(
    start_envoy, keystone, keyserver_program, tmp_path, path
):
    listener = Listener(plugin(cache={"fresh": "1s", "stale": "1h"}))
    with (
        KeyServer(keyserver_program, keystone.key_repository, tmp_path) as keyserver,
        start_envoy({"enforce": listener}, keyserver.port) as envoy,
    ):
        load = Load(envoy.ports["enforce"], path)
        load.tokens.append(keystone.administrator_token())
        load.start()
        for _ in range(ROTATIONS):
            before, primary = keyserver.answers(200), keyserver.primary_key_id()
            keystone.rotate()
            # At once, before anyone can have noticed: the staged key is known in advance.
            token = keystone.administrator_token()
            assert http1.get(load.port, path, [("x-auth-token", token)]).status == 200
            load.tokens.append(token)
            # The next staged key is, too, one refresh later. Nobody rotates quicker than that.
            wait_until(lambda: keyserver.answers(200) > before, "the new keys to be fetched")
            assert keyserver.primary_key_id() == primary + 1
        wait_until(lambda n=load.count: load.count >= n + 100, "a hundred more requests")
        load.end()
        assert load.count > 200


@pytest.fixture
def changing(request, keyserver_program, start_envoy, tmp_path):
    """Keys by hand behind a key server, and an Envoy that refetches them after so long."""
    keys = {0: new_key(), 1: new_key()}
    repository = write_repository(tmp_path / "keys", keys)
    listener = Listener(plugin(cache={"fresh": request.param, "stale": "2h"}))
    with (
        KeyServer(keyserver_program, repository, tmp_path) as keyserver,
        start_envoy({"enforce": listener}, keyserver.port) as envoy,
    ):
        yield keys, repository, keyserver, envoy.ports["enforce"]


def status(port, path, key):
    return http1.get(port, path, [("x-auth-token", seal(key, project_payload()))]).status


@pytest.mark.parametrize("changing", ["1h"], indirect=True)
def test_a_token_of_a_key_that_is_new_is_accepted_within_seconds(changing, path):
    """As after two rotations in one period: the token itself tells that there must be newer keys."""
    keys, repository, keyserver, port = changing
    assert status(port, path, keys[1]) == 200
    assert status(port, path, keys[0]) == 200, "the staged key opens tokens, too"
    new = new_key()
    write_repository(repository, {2: new})
    wait_until(lambda: keyserver.primary_key_id() == 2, "the key server to notice")
    # Keys that were confirmed less than five seconds ago are believed to be all there are.
    wait_until(lambda: status(port, path, new) == 200, "the new key to be asked for", seconds=8)
    assert status(port, path, keys[1]) == 200


@pytest.mark.parametrize("changing", ["1s"], indirect=True)
def test_a_token_of_a_key_that_is_gone_is_refused_after_the_next_fetch(changing, path):
    keys, repository, _, port = changing
    assert status(port, path, keys[1]) == 200
    renewed = {number: new_key() for number in keys}
    write_repository(repository, renewed)
    # Each worker refetches in its own time: ten answers of one kind come from both.
    for expected, key in ((401, keys[1]), (401, keys[0]), (200, renewed[1])):
        wait_until(
            lambda e=expected, k=key: all(status(port, path, k) == e for _ in range(10)),
            f"{expected} from both workers",
        )
