"""What is compared: proxies that answer by themselves, each with another filter before that."""

import base64
import json

from parts.envoy_config import Listener, wasm_filter

_EXTENSIONS = "type.googleapis.com/envoy.extensions."

# What every request is answered with once it has passed.
ANSWER = {"status": 200, "body": {"inline_string": "ok"}}


def bootstrap(filters, keyserver_port):
    """A proxy with these filters. What passes them is answered by the router, with no service behind."""
    manager = {
        "@type": _EXTENSIONS + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "normalize_path": False,
        "http_filters": [*filters, _typed("router", "filters.http.router.v3.Router", {})],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "service",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "direct_response": ANSWER}],
                }
            ]
        },
    }
    listener = {
        "name": "bench",
        "address": _address(0),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {
        "admin": {"address": _address(0)},
        "static_resources": {"listeners": [listener], "clusters": [_cluster(keyserver_port)]},
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


def symmetric_jwk(secret):
    return {"kty": "oct", "k": base64.urlsafe_b64encode(secret).decode().rstrip("=")}


def _typed(name, kind, config):
    return {"name": name, "typed_config": {"@type": _EXTENSIONS + kind} | config}


def _cluster(port):
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": "keyserver",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "keyserver", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
