"""A key server that cannot be reached: "cannot know" is 503, and is never "allowed"."""

import pytest

from parts import http1
from parts.deadline import holds_for, wait_until
from parts.envoy_config import Listener, plugin

# Within which all is as before when the key server is back, in seconds: two, and what this machine takes.
BACK = 2 + 1

UNAVAILABLE = (
    b'{"error":{"code":503,"title":"Service Unavailable",'
    b'"message":"The server is currently unable to validate the token. Please try again."}}'
)


def test_down_at_the_start_is_503_and_mends_itself(start_envoy, relay, path, good_token, upstream):
    listeners = {
        "enforce": Listener(plugin(bypass=[{"path": "/open"}])),
        "anonymous": Listener(plugin(missing="anonymous")),
    }
    relay.down()
    with start_envoy(listeners, relay.port) as envoy:
        good = ("x-auth-token", good_token)

        def get(*headers, listener="enforce", url=path):
            return http1.get(envoy.ports[listener], url, headers)

        response = get(good)
        assert (response.status, response.body) == (503, UNAVAILABLE)
        assert response.header("content-type") == "application/json"
        # Whole seconds, at least one, and no longer than the longest pause between two tries.
        assert 1 <= int(response.header("retry-after")) <= 2
        assert response.header("www-authenticate") is None
        assert envoy.details(path) == "voussoir_keys_unavailable"

        # Where the service may decide about a missing token, it may not about an unknown one.
        assert get(good, listener="anonymous").status == 503
        # What can be decided without keys is.
        assert get().status == 401
        assert get(("x-auth-token", "bad")).status == 401
        assert get(url="/open").status == 200
        assert get(listener="anonymous", url=f"{path}/anonymous").status == 200
        assert not upstream.requests_to(path)

        relay.up()
        for listener in envoy.ports:
            wait_until(
                lambda n=listener: get(good, listener=n).status == 200, "keys again", seconds=BACK
            )


def test_down_later_changes_nothing_until_the_keys_are_stale(start_envoy, relay, path, good_token):
    cache = {"fresh": "1s", "stale": "5s"}
    with start_envoy({"enforce": Listener(plugin(cache=cache))}, relay.port) as envoy:
        good = [("x-auth-token", good_token)]

        def status():
            return http1.get(envoy.ports["enforce"], path, good).status

        def all_are(expected):
            """Each worker counts for itself: ten answers come from both."""
            return all(status() == expected for _ in range(10))

        assert status() == 200
        relay.down()
        # The last confirmation may have been a second before, and the answer on its way a moment.
        holds_for(lambda: status() == 200, "keys are used until they are stale", seconds=3)
        wait_until(lambda: all_are(503), "stale keys are used no more", seconds=5)
        failed = envoy.stats("voussoir_key_fetches_total;result=failed")
        assert sum(failed.values()) >= 2
        relay.up()
        wait_until(lambda: all_are(200), "keys again", seconds=BACK)


def test_a_wrong_bearer_token_is_no_key_set(start_envoy, relay, path, good_token):
    wrong = "another-bearer-token-altogether"
    config = plugin(keyserver={"bearer_token": wrong})
    with start_envoy({"enforce": Listener(config)}, relay.port) as envoy:
        response = http1.get(envoy.ports["enforce"], path, [("x-auth-token", good_token)])
        assert response.status == 503
        wait_until(lambda: "answered 401" in envoy.log(), "the log to say why")
        assert "keyserver.bearer_token" in envoy.log()
        assert wrong not in envoy.log()


def test_no_secret_stands_in_the_log(envoy, vectors, good_token):
    """Of all that ran in this Envoy so far."""
    log = envoy.log() + envoy.access_log_path.read_text()
    for secret in (good_token, *(key["key"] for key in vectors["keys"])):
        assert secret not in log


def test_a_cluster_that_does_not_exist_is_503(start_envoy, relay, path, good_token):
    config = plugin(keyserver={"cluster": "no-such-cluster"})
    with start_envoy({"enforce": Listener(config)}, relay.port) as envoy:
        response = http1.get(envoy.ports["enforce"], path, [("x-auth-token", good_token)])
        assert response.status == 503
        wait_until(lambda: "keyserver.cluster" in envoy.log(), "the log to say why")
