"""Requests to a Compute API are held against its document: compiled, in the configuration or fetched by digest."""

import json
import subprocess

import pytest

from parts import http1
from parts.deadline import wait_until
from parts.envoy_config import Listener, plugin
from parts.http2 import Client
from parts.keyserver import KeyServer

pytestmark = pytest.mark.timeout(300)

ID = "5a1e6f0c-9d5e-4c6f-8b1d-0123456789ab"
SERVER = {"name": "web", "flavorRef": "1", "networks": "auto"}
REASON = "x-why"
RULE = {"name": "not-flavors", "action": "deny", "to": [{"paths": ["/v2.1/flavors/**"]}]}


@pytest.fixture(scope="module")
def compiled(keyserver_program, root, tmp_path_factory):
    """The document, compiled by the command, and the digest that it prints."""
    path = tmp_path_factory.mktemp("schemas") / "compute-2.1.json"
    source = root / "tests/integration/schemas/compute.yaml"
    command = [keyserver_program, "schemas", "compile", source, "-o", path]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    digest, size, _ = printed.split()
    assert path.stat().st_size == int(size)
    return path, digest


@pytest.fixture(scope="module")
def keyserver(pair, keyserver_program, compiled, tmp_path_factory):
    """Another one before the same Keystone, with documents."""
    options = ["--admin-project=Default/admin", "--schemas", compiled[0].parent]
    directory = tmp_path_factory.mktemp("keyserver")
    with KeyServer.of_keystone(keyserver_program, pair.keystone, directory, *options) as server:
        yield server


@pytest.fixture(scope="module")
def front(start_envoy, keyserver, compiled):
    path, digest = compiled
    inline = {"name": "compute-2.1", "compiled": json.loads(path.read_text()), "path_prefix": "/v2.1/"}
    fetched = {"name": "compute-2.1", "digest": digest}
    routes = [
        {"name": "compute", "to": [{"paths": ["/v2.1/**"]}], "settings": {"schema": [fetched]}},
        {"name": "images", "to": [{"paths": ["/images/**"]}], "settings": {}},
    ]

    def behind(schema=None, *, held=True, **more):
        config = plugin(
            token={"identity": "records"},
            hold_headers=held,
            reason_header=REASON,
            schema=[schema] if schema else [],
            **more,
        )
        return Listener(config, allow_on_headers_stop_iteration=held)

    listeners = {
        "inline": behind(inline | {"max_body": "2KiB"}, acl={"default": "allow", "rules": [RULE]}),
        "fetched": behind(fetched),
        "report": behind(fetched | {"mode": "report", "max_body": "2KiB"}, held=False),
        "other_digest": behind(fetched | {"digest": f"sha256:{'0' * 64}"}),
        "other_digest_reported": behind(
            fetched | {"digest": f"sha256:{'0' * 64}", "mode": "report"}, held=False
        ),
        "strict": behind(inline | {"unknown_parameters": "refuse"}),
        "routes": behind(routes=routes),
    }
    with start_envoy(listeners, keyserver.port) as envoy:
        loaded = "voussoir_schema_fetches_total;result=loaded"
        # Each worker fetches for itself, and so does the main thread.
        expected = 3 * (envoy.workers + 1)
        wait_until(lambda: sum(envoy.stats(loaded).values()) >= expected, "the documents")
        yield envoy


@pytest.fixture(scope="module")
def token(issued):
    return [("x-auth-token", issued["project_scoped"])]


def ask(front, way, path, token, method="GET", body=None, headers=()):
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    if body is not None and not any(name == "content-type" for name, _ in headers):
        headers = [("content-type", "application/json"), *headers]
    return http1.get(front.ports[way], path, [*token, *headers], method=method, body=body)


def refused(answer, status, reason):
    """What an answer in Keystone's form says."""
    assert answer.status == status, answer.body
    assert answer.header(REASON) == reason
    error = answer.json()["error"]
    assert set(error) == {"code", "title", "message"}
    assert error["code"] == status
    return error["message"]


@pytest.mark.parametrize("way", ["inline", "fetched"])
def test_what_is_right_passes_as_it_came(front, upstream, token, way):
    server = SERVER | {
        "imageRef": ID,
        "tags": ["a", "b"],
        "metadata": {"k": "é"},
        "networks": [{"uuid": ID, "fixed_ip": "2001:db8::1"}, {"port": None}],
        "block_device_mapping_v2": [{"boot_index": "0", "volume_size": 10}],
    }
    hints = {"query": ["and", ["=", "$host", "a"], [">", "$free", 1.5]]}
    for method, path, body in (
        ("GET", "/v2.1/", None),
        ("GET", "/v2.1/servers", None),
        ("GET", f"/v2.1/servers?limit=10&marker={ID}&tags=a,b&sort_key=uuid&sort_key=vm_state", None),
        ("GET", "/v2.1/servers?changes-since=2026-11-30T00:00:00Z&ip=192.0.2.1&unknown=1", None),
        ("GET", "/v2.1/servers/detail?limit=1", None),
        ("GET", f"/v2.1/servers/{ID}", None),
        ("DELETE", f"/v2.1/servers/{ID}", None),
        ("POST", "/v2.1/servers", {"server": server, "os:scheduler_hints": hints}),
        ("PUT", f"/v2.1/servers/{ID}", {"server": {"description": None, "accessIPv6": "::1"}}),
        ("POST", f"/v2.1/servers/{ID}/action", {"os-start": None}),
        ("POST", f"/v2.1/servers/{ID}/action", {"reboot": {"type": "HARD"}}),
        ("PUT", f"/v2.1/servers/{ID}/metadata", {"metadata": {"a.b": "c"}}),
    ):
        answer = ask(front, way, path, token, method, body)
        assert answer.status == 200, (path, answer.body)
        arrival = upstream.requests_to(path)[-1]
        assert arrival.body == (json.dumps(body).encode() if body else b"")


@pytest.mark.parametrize("way", ["inline", "fetched"])
def test_what_is_wrong_is_told_with_its_place_and_reaches_nobody(front, upstream, token, way):
    before = len(upstream.arrivals)

    def create(**changes):
        return "POST", "/v2.1/servers", {"server": SERVER | changes}

    action = f"/v2.1/servers/{ID}/action"
    for (method, path, body), message in (
        (create(name=7), "/body/server/name: must be a string."),
        (create(name=""), "/body/server/name: must have at least 1 characters."),
        (create(name='<"&'), None),
        (create(extra=1), "/body/server/extra: is not allowed."),
        (create(min_count=1), "/body/server/max_count: is missing."),
        (create(tags=["a", "a"]), "/body/server/tags/1: is there twice."),
        (create(networks=[{}, {"uuid": "x"}]), "/body/server/networks/1/uuid: must be a UUID."),
        (create(metadata={"a/b~": 1}), "/body/server/metadata/a~1b~0: must be a string."),
        (("POST", "/v2.1/servers", {}), "/body/server: is missing."),
        (("POST", "/v2.1/servers", b'{"server": {'), "/body: is not JSON in UTF-8, or is nested too deeply."),
        (("POST", "/v2.1/servers", b'{"server":{},"server":{}}'), "/body/server: is there twice."),
        (("POST", "/v2.1/servers", b""), "/body: is missing."),
        (("POST", action, {"reboot": {"type": "SLOW"}}), '/body/reboot/type: must be one of "HARD", "SOFT".'),
        (("POST", action, {"explode": None}), "/body/explode: is not allowed."),
        (("GET", "/v2.1/servers?limit=many", None), "/query/limit: must be an integer."),
        (("GET", "/v2.1/servers?limit=1&limit=2", None), "/query/limit: is there twice."),
        (("GET", "/v2.1/servers?tags=a,b%2Fc", None), "/query/tags/1: must match ^[^,/]*$."),
        (("GET", "/v2.1/servers/1", None), "/path/server_id: must be a UUID."),
        (("DELETE", f"/v2.1/servers/{ID}", {}), "/body: is not allowed."),
    ):
        answer = ask(front, way, path, token, method, body)
        if message is None:
            assert answer.status == 200
            before += 1
            continue
        assert refused(answer, 400, "schema_violated") == message
    version = [("openstack-api-version", "compute 3")]
    answer = ask(front, way, "/v2.1/servers", token, headers=version)
    message = "/header/openstack-api-version: must match ^compute (?:2\\.\\d{1,3}|latest)$."
    assert refused(answer, 400, "schema_violated") == message
    assert len(upstream.arrivals) == before


@pytest.mark.parametrize("way", ["inline", "fetched"])
def test_paths_methods_and_kinds_of_bodies(front, upstream, token, way):
    before = len(upstream.arrivals)
    without_rules = "strict" if way == "inline" else way
    for path in (
        "/v2.1/other",
        "/v2.1/servers/",
        "/v2.1//servers",
        "/v2.1/./servers",
        "/v2.1/x/../servers",
        f"/v2.1/servers/{ID}%2faction",
        "/v2.1/servers/detail;x=1",
    ):
        # A rule that denies is about every path that cannot be read.
        refused(ask(front, without_rules, path, token), 404, "schema_path_unknown")
    answer = ask(front, way, f"/v2.1/servers/{ID}?odd", token, method="PATCH")
    refused(answer, 405, "schema_method_not_allowed")
    assert answer.header("allow") == "DELETE, GET, PUT"
    for kind in ("text/plain", "application/json; charset=utf-16", ""):
        headers = [("content-type", kind)]
        answer = ask(front, way, "/v2.1/servers", token, "POST", {"server": SERVER}, headers)
        refused(answer, 415, "schema_media_type")
    assert len(upstream.arrivals) == before
    # Who has no token learns nothing of all this, and neither does who may not ask.
    for path in ("/v2.1/other", "/v2.1/servers?limit=x"):
        assert ask(front, way, path, []).status == 401
    if way == "inline":
        for path in ("/v2.1/flavors/1/x", "/v2.1/flavors/a%22b"):
            assert ask(front, way, path, token).status == 403
        assert ask(front, way, "/other", token).status == 200


def test_a_body_that_is_too_long_is_refused_and_one_that_is_large_or_deep_is_not(front, token):
    long = {"server": SERVER | {"adminPass": "x" * 2048}}
    refused(ask(front, "inline", "/v2.1/servers", token, "POST", long), 413, "body_too_long")
    assert ask(front, "fetched", "/v2.1/servers", token, "POST", long).status == 200
    query = ["and", "x"]
    for _ in range(100):
        query = ["or", query]
    deep = {"server": SERVER, "os:scheduler_hints": {"query": query}}
    assert ask(front, "fetched", "/v2.1/servers", token, "POST", deep).status == 200
    wide = {"server": SERVER | {"networks": [{"uuid": ID}] * 15000}}
    body = json.dumps(wide, separators=(",", ":")).replace(f'"uuid":"{ID}"', "").encode()
    assert len(body) < 65536
    assert ask(front, "fetched", "/v2.1/servers", token, "POST", body).status == 200


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_body_may_come_in_any_pieces(front, upstream, token, size):
    for name, status in (("web", 200), (7, 400)):
        body = json.dumps({"server": SERVER | {"name": name}}).encode()
        with Client(front.ports["fetched"]) as client:
            headers = [*token, ("content-type", "application/json")]
            number = client.start(f"/v2.1/servers?piece={size}", headers, method="POST", is_end=False)
            for start in range(0, len(body), size):
                client.data(number, body[start : start + size], is_end=False)
            client.end(number)
            assert client.response(number).status == status


def test_whatever_a_client_invents_is_answered_and_reaches_nobody(front, upstream, token):
    """Of unknown length, of a wrong one, too long, too deep, too large a number, and in two ways at once."""
    before = len(upstream.arrivals)
    query = b"[" * 50_000
    number = b"9" * 30_000
    for body, status in (
        (b'{"server":' + query, 400),
        (b'{"server":{"name":"a","flavorRef":"1","networks":"auto","min_count":' + number + b"}}", 400),
        (b'{"server":{"name":"a","flavorRef":"1","networks":"auto","min_count":1e999999999}}', 400),
        (b'{"server":{"name":"a","n\\u0061me":"b","flavorRef":"1","networks":"auto"}}', 400),
        (b'{"server":{"name":"\\ud800","flavorRef":"1","networks":"auto"}}', 400),
        (b'\xef\xbb\xbf{"server":{}}', 400),
        (b" " * 100_000, 413),
    ):
        headers = [*token, ("content-type", "application/json;charset=UTF-8")]
        whole = http1.encode("/v2.1/servers", headers, method="POST", body=body, trailers=[])
        with http1.Connection(front.ports["fetched"]) as connection:
            connection.send(whole)
            assert connection.response().status == status, body[:100]
    with http1.Connection(front.ports["fetched"]) as connection:
        head = http1.encode("/v2.1/servers", [*headers, ("content-length", "10000000")], method="POST")
        connection.send(head + b" " * 1000)
        assert connection.response().status == 413
    # HTTP/2 has both an end and a length.
    wrong = json.dumps({"server": SERVER | {"name": 7}}).encode()
    for length in ("0", "2", "999999999999"):
        with Client(front.ports["fetched"]) as client:
            headers = [*token, ("content-type", "application/json"), ("content-length", length)]
            number = client.start("/v2.1/servers", headers, method="POST", is_end=False)
            client.data(number, wrong, is_end=True)
            answer = client.response(number)
            assert answer is None or answer.status in (400, 413), length
    assert len(upstream.arrivals) == before


def test_parameters_that_the_document_does_not_know_can_be_refused(front, token):
    path = f"/v2.1/servers/detail?limit=1&all={ID}"
    assert refused(ask(front, "strict", path, token), 400, "schema_violated") == "/query/all: is not allowed."
    assert ask(front, "strict", "/v2.1/servers/detail?limit=1", token).status == 200


def test_what_is_only_reported_passes_and_is_counted(front, upstream, token):
    def counted():
        name = "voussoir_schema_checks_total;document=compute-2.1;result="
        found = front.stats(name)
        return {
            key.split("result=")[1].split(";")[0]: count
            for key, count in found.items()
            if key.endswith("mode=report")
        }

    long = {"server": SERVER | {"adminPass": "x" * 2048}}
    for method, path, body, result in (
        ("GET", "/v2.1/servers", None, "valid"),
        ("POST", "/v2.1/servers", {"server": SERVER}, "valid"),
        ("POST", "/v2.1/servers", {"server": {}}, "violated"),
        ("GET", "/v2.1/servers?limit=x", None, "violated"),
        ("GET", "/v2.1/other", None, "path_unknown"),
        ("PATCH", "/v2.1/servers", None, "method_not_allowed"),
        ("POST", "/v2.1/servers", long, "too_long"),
    ):
        before, arrivals = counted(), len(upstream.requests_to(path))
        assert ask(front, "report", path, token, method, body).status == 200
        arrived = upstream.requests_to(path)
        assert len(arrived) == arrivals + 1
        assert arrived[-1].body == (json.dumps(body).encode() if body else b"")
        wait_until(lambda r=result, b=before: counted()[r] == b[r] + 1, f"one more {result}")
        changed = {key for key, count in counted().items() if count != before[key]}
        assert changed == {result}


def test_a_route_has_a_document_where_others_have_none(front, upstream, token):
    def counted(result):
        part = f"voussoir_schema_checks_total;document=compute-2.1;result={result};mode=enforce;route="
        return {name.rsplit("=", 1)[1]: count for name, count in front.stats(part).items()}

    wrong = {"server": {"name": 7}}
    limit = "/query/limit: must be an integer."
    assert refused(ask(front, "routes", "/v2.1/servers?limit=x", token), 400, "schema_violated") == limit
    name = "/body/server/name: must be a string."
    answer = ask(front, "routes", "/v2.1/servers", token, "POST", {"server": SERVER | {"name": 7}})
    assert refused(answer, 400, "schema_violated") == name
    refused(ask(front, "routes", "/v2.1/other", token), 404, "schema_path_unknown")
    assert ask(front, "routes", "/v2.1/servers", token, "POST", {"server": SERVER}).status == 200
    wait_until(lambda: counted("violated") == {"compute": 2}, "what is wrong")
    wait_until(lambda: counted("valid") == {"compute": 1}, "what is right")
    # On another route, and where there is none, nobody looks.
    for path in ("/images/v2.1/servers?limit=x", "/servers?limit=x"):
        answer = ask(front, "routes", path, token, "POST", wrong)
        assert answer.status == 200, path
        assert upstream.requests_to(path)[-1].body == json.dumps(wrong).encode()
    # What servers may read as a path of it, too, is no way around.
    before = len(upstream.arrivals)
    for path in ("/images/../v2.1/servers?limit=x", "/a/%2e%2e/v2.1/servers", "//v2.1/servers"):
        refused(ask(front, "routes", path, token), 400, "route_in_doubt")
    assert len(upstream.arrivals) == before


def test_a_document_of_another_digest_is_none(front, upstream, token):
    answer = ask(front, "other_digest", "/v2.1/servers", token)
    message = "The server is currently unable to check the request. Please try again."
    assert refused(answer, 503, "schema_unavailable") == message
    assert answer.header("retry-after") == "1"
    assert ask(front, "other_digest", "/v2.1/servers", []).status == 401
    assert ask(front, "other_digest_reported", "/v2.1/other", token).status == 200
    assert "schema compute-2.1 could not be fetched" in front.log()
    assert "it has another SHA-256 than `digest`" in front.log()
