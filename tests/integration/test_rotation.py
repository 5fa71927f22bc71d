"""Keys rotate while requests run, and not one valid request is lost."""

import threading

import pytest

from parts import http1
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.keyserver import KeyServer
from parts.minting import new_key, project_payload, seal, write_repository

ROTATIONS = 3


class Load:
    """Sends requests with each of its tokens in turn, again and again, while `with` lasts."""

    def __init__(self, port, path, token):
        self.port, self.path = port, path
        self.tokens = [token]
        self.count = 0
        self.failures = []
        self.is_ending = threading.Event()
        self.thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.is_ending.set()
        self.thread.join(20)

    def _run(self):
        # The machine is needed for the rotation, too.
        while not self.is_ending.wait(0.02):
            requests = [http1.encode(self.path, [("x-auth-token", token)]) for token in self.tokens]
            responses = http1.in_turn(self.port, requests)
            self.count += len(responses)
            self.failures += [response for response in responses if response.status != 200]


def test_no_request_is_lost_while_keystone_rotates(
    start_envoy, keystone, keyserver_program, tmp_path, path
):
    listener = Listener(plugin(cache={"fresh": "1s", "stale": "1h"}))
    with (
        KeyServer(keyserver_program, keystone.key_repository, tmp_path) as keyserver,
        start_envoy({"enforce": listener}, keyserver.port) as envoy,
        Load(envoy.ports["enforce"], path, keystone.administrator_token()) as load,
    ):
        for _ in range(ROTATIONS):
            primary = keyserver.primary_key_id()
            keystone.rotate()
            # At once, before anyone can have noticed: the staged key is known in advance.
            token = keystone.administrator_token()
            assert http1.get(load.port, path, [("x-auth-token", token)]).status == 200
            load.tokens.append(token)
            # The next staged key is, too, one refresh later; nobody rotates quicker than that. From
            # then on "not modified" tells that the edge has it.
            wait_until(lambda n=primary: keyserver.primary_key_id() == n + 1, "the new key set")
            before = keyserver.answers(304)
            wait_until(lambda n=before: keyserver.answers(304) > n, "the edge to have it")
        wait_until(lambda n=load.count: load.count >= n + 100, "a hundred more requests")
    assert load.count > 200
    assert not load.failures, load.failures[:3]


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
    """As after two rotations in one period: the token itself tells that there are newer keys."""
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
