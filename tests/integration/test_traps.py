"""An instance of the filter that ends: what is lost, what is let through (nothing), and when it is
back. The module is one that can be made to end; in all else it is the one that everybody gets."""

import threading

import pytest

from parts import http1
from parts.built import built
from parts.deadline import wait_until
from parts.envoy import Envoy
from parts.envoy_config import Listener, plugin

TRAP = ("x-provoke-trap", "now")


class FragileEnvoy(Envoy):
    """An Envoy that is meant to lose instances. It has one worker, so that the request after the one
    that ended an instance is for that same instance."""

    workers = 1

    def assert_sound(self):
        assert "a trap was provoked" in self.log()


@pytest.fixture(scope="module")
def traps():
    how = "cargo build --target wasm32-wasip1 --profile traps --features provoke-traps"
    return built("VOUSSOIR_TRAPS_WASM", "wasm32-wasip1/traps/voussoir.wasm", how)


@pytest.fixture
def envoy(start_envoy, vector_keyserver, traps, good_token):
    listener = Listener(plugin(cache={"fresh": "1s", "stale": "1h"}))
    envoy = start_envoy(
        {"front": listener}, vector_keyserver.port, module=traps, kind=FragileEnvoy
    )
    with envoy:
        wait_until(lambda: get(envoy, "/", good_token).status == 200, "keys")
        yield envoy


def get(envoy, path, token, *headers):
    fields = [("x-auth-token", token)] if token else []
    return http1.get(envoy.ports["front"], path, [*fields, *headers])


def test_a_trap_costs_the_request_that_provoked_it_and_little_more(
    envoy, upstream, good_token, path
):
    for _ in range(5):
        assert get(envoy, path, good_token, TRAP).status == 503
        wait_until(lambda: get(envoy, path, good_token).status == 200, "the instance", seconds=5)
    assert sum(envoy.stats("vm_reload_success").values()) == 5
    assert not sum(envoy.stats("vm_reload_failure").values())


def test_while_instances_end_nothing_is_let_through(envoy, upstream, good_token, path):
    """Also not in between, when there is none."""
    stop, statuses = threading.Event(), set()

    def intrude():
        while not stop.is_set():
            statuses.add(get(envoy, path + "/intruder", None).status)

    intruders = [threading.Thread(target=intrude) for _ in range(4)]
    for intruder in intruders:
        intruder.start()
    for _ in range(100):
        get(envoy, path, good_token, TRAP)
    stop.set()
    for intruder in intruders:
        intruder.join()
    assert statuses <= {401, 503}
    assert not upstream.requests_to(path + "/intruder")
    wait_until(lambda: get(envoy, path, good_token).status == 200, "the instance", seconds=5)


def test_the_module_that_everybody_gets_cannot_be_made_to_end(module):
    assert b"x-provoke-trap" not in module.read_bytes()


def test_this_one_can(traps):
    assert b"x-provoke-trap" in traps.read_bytes()
