"""Proxies with one worker, each with another filter before the same service."""

import base64
import json

from parts.envoy import Envoy
from parts.envoy_config import EXTENSIONS, Listener, address, cluster, wasm_filter

# What a request is answered with once it has passed, where no service stands behind.
ANSWER = {"status": 200, "body": {"inline_string": "ok"}}


class Worker(Envoy):
    """An Envoy with one worker."""

    workers = 1

    def assert_sound(self):
        """Not all of them have a filter of ours: that all was answered 200 is seen in the load."""


def bootstrap(filters, clusters, service=None, port=0):
    """A proxy with these filters, before the cluster of this name. Without one the router answers what
    passes, and takes no body. It listens on a port of the system's choice, if not on this one."""
    action = {"route": {"cluster": service}} if service else {"direct_response": ANSWER}
    manager = {
        "@type": EXTENSIONS + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "normalize_path": False,
        "http_filters": [*filters, _typed("router", "filters.http.router.v3.Router", {})],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "service",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, **action}],
                }
            ]
        },
    }
    listener = {
        "name": "bench",
        "address": address(port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {
        "admin": {"address": address(0)},
        "static_resources": {
            "listeners": [listener],
            "clusters": [cluster(name, port, {}) for name, port in clusters.items()],
        },
    }


def wasm(module, plugin):
    """A WebAssembly filter."""
    return wasm_filter(module, "bench", Listener(plugin))


def jwt_authn(algorithm, jwk, cache_size=0):
    """Envoy's own check of JSON Web Tokens, which tells two claims in headers."""
    provider = {
        "issuer": "bench",
        "from_headers": [{"name": "x-auth-token"}],
        "local_jwks": {"inline_string": json.dumps({"keys": [jwk | {"alg": algorithm}]})},
        "claim_to_headers": [
            {"header_name": "x-user-id", "claim_name": "sub"},
            {"header_name": "x-project-id", "claim_name": "project"},
        ],
    }
    if cache_size:
        provider["jwt_cache_config"] = {"jwt_cache_size": cache_size}
    rule = {"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}
    config = {"providers": {"bench": provider}, "rules": [rule]}
    return _typed("jwt_authn", "filters.http.jwt_authn.v3.JwtAuthentication", config)


def ext_authz(cluster):
    """Envoy's question to a service that checks the token, whose answer has the headers to set."""
    service = {
        "server_uri": {"uri": "http://ext-authz", "cluster": cluster, "timeout": "1s"},
        "authorization_response": {"allowed_upstream_headers": {"patterns": [{"prefix": "x-"}]}},
    }
    config = {
        "transport_api_version": "V3",
        "allowed_headers": {"patterns": [{"exact": "x-auth-token"}]},
        "http_service": service,
    }
    return _typed("ext_authz", "filters.http.ext_authz.v3.ExtAuthz", config)


def symmetric_jwk(secret):
    return {"kty": "oct", "k": base64.urlsafe_b64encode(secret).decode().rstrip("=")}


def _typed(name, kind, config):
    return {"name": name, "typed_config": {"@type": EXTENSIONS + kind} | config}

