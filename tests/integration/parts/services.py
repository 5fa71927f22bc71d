"""One service twice: behind keystonemiddleware, and behind the filter; and what they are told."""

import contextlib
import json
import pathlib

from parts import http1
from parts.envoy_config import WWW_AUTHENTICATE_URI, Listener, plugin
from parts.everyone import RULED_PATH
from parts.keyserver import KeyServer
from parts.keystone import password_of
from parts.uwsgi import Uwsgi

# What the service is in the catalogue, for access rules.
SERVICE_TYPE = "object-store"

# The user by which services ask Keystone.
USER = "validator"
CATALOG = "x-service-catalog"

# More configuration for Keystone: which project is the administrators'.
ADMIN_PROJECT = """
[resource]
admin_project_domain_name = Default
admin_project_name = admin
"""

# Where the catalogue has endpoints.
REGIONS = ("RegionOne", "Région")

# How often the filter asks for what has changed, in seconds.
POLL = 0.5

# Where the filter says why it refuses.
REASON = "x-voussoir-reason"

# By name, how both are configured: the middleware's option, and the filter's.
WAYS = {
    "enforce": ({}, {}),
    "catalog": ({}, {"token": {"catalog": True}}),
    "delay": ({"delay_auth_decision": True}, {"missing": "anonymous"}),
    "any_service": (
        {"service_token_roles_required": False},
        {"token": {"service_token_roles_required": False}},
    ),
    "other_roles": (
        {"service_token_roles": "member,operator"},
        {"token": {"service_token_roles": ["member", "operator"]}},
    ),
    "no_type": ({"service_type": None}, {"token": {"service_type": None}}),
}


class Services(Uwsgi):
    """The service itself at the host `bare`, and behind the middleware in each of the ways."""

    def __init__(self, auth_url, directory, **more):
        """With Keystone at that URL, where `prepare` made what is needed, and more options."""
        super().__init__("services", directory)
        common = {
            "auth_type": "password",
            "auth_url": auth_url,
            "username": USER,
            "password": password_of(USER),
            "user_domain_id": "default",
            "project_name": "services",
            "project_domain_id": "default",
            "www_authenticate_uri": WWW_AUTHENTICATE_URI,
            "service_type": SERVICE_TYPE,
            # No answer is kept: what it says is what Keystone says now.
            "token_cache_time": -1,
            **more,
        }
        configurations = {way: common | options for way, (options, _) in WAYS.items()}
        path = directory / "middleware.json"
        path.write_text(json.dumps(configurations))
        file = pathlib.Path(__file__).with_name("services_wsgi.py")
        self.serve(file, directory / "requests.log", MIDDLEWARE=str(path))
        try:
            self.port = self.bound_port()
        except BaseException:
            self.stop()
            raise


def listeners(identity="records", **sections):
    """The filter in each of the ways, before the bare service."""
    common = {
        "identity": identity,
        "service_type": SERVICE_TYPE,
        "service_token_roles": ["service"],
        "service_token_roles_required": True,
        "allow_expired_window": "48h",
    }
    found = {}
    for way, (_, changes) in WAYS.items():
        token = common | changes.get("token", {})
        token = {name: value for name, value in token.items() if value is not None}
        missing = {"missing": changes["missing"]} if "missing" in changes else {}
        more = {"keyserver": {"poll": f"{POLL * 1000:.0f}ms"}, "reason_header": REASON} | sections
        config = plugin(token=token, **missing, **more)
        found[way] = Listener(config, upstream="services")
    return found


class Pair:
    """Asks both, in one of the ways."""

    def __init__(self, keystone, services, envoy, keyserver):
        self.keystone = keystone
        self.services = services
        self.envoy = envoy
        self.keyserver = keyserver

    def theirs(self, way, path, headers=(), **options):
        """The answer behind the middleware."""
        return http1.get(self.services.port, path, headers, host=way, **options)

    def ours(self, way, path, headers=(), **options):
        """The answer behind the filter."""
        return http1.get(self.envoy.ports[way], path, headers, host="bare", **options)

    def both(self, way, path, headers=(), **options):
        """The middleware's answer and the filter's."""
        theirs = self.theirs(way, path, headers, **options)
        return theirs, self.ours(way, path, headers, **options)

    def statuses(self, way, path, headers=(), **options):
        return [answer.status for answer in self.both(way, path, headers, **options)]

    def service_token(self):
        """A token that the services' own user has in its project."""
        scope = {"project": {"name": "services", "domain": {"id": "default"}}}
        return self.keystone.user_token(USER, scope=scope)


@contextlib.contextmanager
def start_pair(keystone, keyserver_program, start_envoy, make, *options, more=None):
    """Both before a Keystone with `ADMIN_PROJECT`; `make` makes directories.

    The key server may have other options, and the Envoy more listeners.
    """
    options = ["--admin-project=Default/admin", *options]
    directory = make("keyserver")
    with (
        Services(keystone.url, make("services")) as services,
        KeyServer.of_keystone(keyserver_program, keystone, directory, *options) as keyserver,
        start_envoy(
            listeners() | (more or {}), keyserver.port, services=services.port
        ) as envoy,
    ):
        prepare(keystone)
        yield Pair(keystone, services, envoy, keyserver)


def told(answer, *, is_native=False):
    """What a service behind was told of identities, by header, without what only one proxy says.

    The environment of WSGI has a byte in each character (PEP 3333); what the middleware puts into it
    are texts.
    """
    assert answer.status == 200, answer.body
    found = {}
    for name, value in answer.json().items():
        header = name.removeprefix("HTTP_").replace("_", "-").lower()
        if header in _OF_THE_WAY or header.startswith(("x-envoy-", "x-voussoir-")):
            continue
        text = value if is_native else value.encode("latin-1").decode()
        found[header] = _READ.get(header, str)(text)
    return found


def assert_same(pair, way, headers, path=RULED_PATH, **options):
    """Both tell the service the same, which is returned."""
    theirs, ours = pair.both(way, path, headers, **options)
    # The middleware knows no access rules without the catalogue.
    return assert_told_the_same(theirs, ours, but_for=set() if way == "catalog" else {CATALOG})


def assert_told_the_same(theirs, ours, *, but_for):
    """The middleware's answer and the filter's tell the same, which is returned."""
    assert (theirs.status, ours.status) == (200, 200), (theirs.body, ours.headers, ours.body)
    theirs, ours = told(theirs, is_native=True), told(ours)
    # No service is to believe it; the middleware has no word on it.
    assert "x-system-scope" not in ours
    theirs.pop("x-system-scope", None)
    names = sorted((theirs.keys() | ours.keys()) - but_for)
    pairs = {name: (theirs.get(name), ours.get(name)) for name in names}
    others = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    assert not others, f"(keystonemiddleware, filter): {others}"
    return ours


def refusal(answer):
    """What of a refusal a client acts on."""
    kind, *_ = answer.header("content-type").partition(";")
    return answer.status, answer.header("www-authenticate"), kind, answer.json()


def _roles(text):
    """Keystone has no order of roles."""
    names = text.split(",")
    assert len(names) == len(set(names)), text
    return frozenset(names)


def _catalog(text):
    """Nor one of services, or of regions in them."""
    services = json.loads(text)
    for service in services:
        service["endpoints"].sort(key=str)
    return sorted(services, key=str)


def prepare(keystone):
    """A catalogue, and the user by which services ask Keystone."""
    call = keystone.call
    here, there = REGIONS
    for region in REGIONS:
        call("PUT", f"/regions/{region}", {"region": {}})
    identity, store, disabled = (
        call("POST", "/services", {"service": service})["service"]
        for service in (
            {"name": "identity", "type": "identity"},
            {"name": "Speicher Ω", "type": SERVICE_TYPE},
            {"name": "disabled", "type": "disabled", "enabled": False},
        )
    )
    # The last is for tokens of a project only.
    for service, region, interface, url, enabled in (
        (identity, here, "internal", keystone.url, True),
        (identity, here, "public", keystone.url, True),
        (store, here, "admin", "http://store.example/admin", True),
        (store, there, "internal", "http://store.example/é", True),
        (disabled, here, "public", "http://disabled.example/", True),
        (store, there, "admin", "http://store.example/disabled", False),
        (store, here, "public", "http://store.example/v1/AUTH_$(project_id)s", True),
    ):
        endpoint = {
            "service_id": service["id"],
            "region_id": region,
            "interface": interface,
            "url": url,
            "enabled": enabled,
        }
        call("POST", "/endpoints", {"endpoint": endpoint})

    fields = {"name": "services", "domain_id": "default"}
    project = call("POST", "/projects", {"project": fields})["project"]["id"]
    fields = {"name": USER, "password": password_of(USER), "domain_id": "default"}
    user = call("POST", "/users", {"user": fields})["user"]["id"]
    (role,) = call("GET", "/roles?name=service")["roles"]
    for target in (f"projects/{project}", "system"):
        call("PUT", f"/{target}/users/{user}/roles/{role['id']}")


_OF_THE_WAY = {"host", "connection", "x-forwarded-proto", "x-request-id"}
_READ = {
    "x-roles": _roles,
    "x-role": _roles,
    "x-service-roles": _roles,
    "x-service-catalog": _catalog,
}
