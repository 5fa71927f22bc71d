"""The filter before Keystone itself: what it answers of tokens, and what Keystone does."""

from parts import http1
from parts.envoy_config import Listener, plugin
from parts.services import POLL

PATH = "/v3/auth/tokens"

# As docs/configuration.md shows it: whoever has no token yet gets one, and finds the way there.
BYPASS = [
    {"path": PATH, "methods": ["POST"]},
    {"path": "/", "methods": ["GET"]},
    {"path": "/v3", "methods": ["GET"]},
    {"path": "/v3/", "methods": ["GET"]},
]


def listeners():
    """Before Keystone, in each of the ways that this can be configured."""
    token = {"identity": "records", "service_type": "identity", "serve_validation": True}
    keyserver = {"poll": f"{POLL * 1000:.0f}ms"}
    reason = {"reason_header": "x-voussoir-reason"}

    def before_keystone(**fields):
        fields = {"bypass": BYPASS, "token": token, "keyserver": keyserver, **reason, **fields}
        return Listener(plugin(**fields), upstream="keystone")

    return {
        "enforce": before_keystone(),
        "anonymous": before_keystone(missing="anonymous", bypass=[]),
        "shadow": before_keystone(mode="shadow"),
    }


class Front:
    """Asks the filter, and asks Keystone."""

    def __init__(self, keystone, envoy):
        self.keystone = keystone
        self.envoy = envoy

    def ours(self, caller, subject, query="", *, way="enforce", **options):
        """The filter's answer about a token."""
        return _ask(self.envoy.ports[way], caller, subject, query, **options)

    def theirs(self, caller, subject, query="", **options):
        """Keystone's."""
        return _ask(self.keystone.port, caller, subject, query, **options)

    def assert_same(self, caller, subject, query="", **options):
        """Both answer alike, and that is returned: the status, and what is told of the token."""
        theirs = self.theirs(caller, subject, query, **options)
        ours = self.ours(caller, subject, query, **options)
        return assert_alike(ours, theirs, options.get("method", "GET"))

    def validations(self):
        """How many questions have reached Keystone."""
        lines = (line.split() for line in self.keystone.requests())
        asked = [uri for method, uri, _ in lines if method in ("GET", "HEAD")]
        return sum(uri.partition("?")[0].startswith(PATH) for uri in asked)


def told(answer):
    """What an answer says, in the order that Keystone has none of."""
    token = dict(answer["token"])
    if "roles" in token:
        token["roles"] = sorted(token["roles"], key=lambda role: role["id"])
    if "catalog" in token:
        services = [
            {**service, "endpoints": sorted(service["endpoints"], key=str)}
            for service in token["catalog"]
        ]
        token["catalog"] = sorted(services, key=str)
    if rules := token.get("application_credential", {}).get("access_rules"):
        sorted_rules = sorted(rules, key=lambda rule: rule["id"])
        credential = {**token["application_credential"], "access_rules": sorted_rules}
        token["application_credential"] = credential
    return token


def assert_alike(ours, theirs, method="GET"):
    """Two answers are, and that is returned: the status, and what is told of the token."""
    assert ours.status == theirs.status, (ours, theirs)
    for name in ("content-type", "vary", "x-subject-token"):
        assert ours.header(name) == theirs.header(name), name
    assert (ours.header("www-authenticate") is None) == (ours.status != 401)
    if method == "HEAD":
        assert (ours.body, theirs.body) == (b"", b"")
        return ours.status, None
    ours, theirs = ours.json(), theirs.json()
    assert ours.keys() == theirs.keys()
    if "error" in ours:
        assert {**ours["error"], "message": None} == {**theirs["error"], "message": None}
        return ours["error"]["code"], None
    assert told(ours) == told(theirs)
    return 200, ours["token"]


def _ask(port, caller, subject, query="", *, knows_rules=True, headers=(), **options):
    fields = [("openstack-identity-access-rules", "1.0")] if knows_rules else []
    fields += [(n, v) for n, v in (("x-auth-token", caller), ("x-subject-token", subject)) if v]
    return http1.get(port, PATH + query, [*fields, *headers], **options)
