"""Configurations for Envoy, in the shape of the project's own envoy.yaml."""

import dataclasses
import json

from parts.keyserver import BEARER_TOKEN

# Accepted by this filter, and by default not: the token alone does not tell their restrictions.
OPTIONAL_KINDS = ["application_credential", "restricted"]
DEFAULT_KINDS = [
    "unscoped",
    "domain",
    "project",
    "trust",
    "federated_unscoped",
    "federated_project",
    "federated_domain",
    "oauth1",
    "system",
    "oauth2_credential",
]

# What the proxy is called.
NODE = "edge-of-the-tests"

WWW_AUTHENTICATE_URI = "http://keystone.example:5000/v3"


@dataclasses.dataclass
class Listener:
    """One listener, and what its filter is told."""

    plugin: dict
    # Whether the body is shown to the filter while the headers are still held back.
    allow_on_headers_stop_iteration: bool = False
    # Whether the configuration is a google.protobuf.Struct instead of JSON in a StringValue.
    is_struct: bool = False
    # The cluster behind it.
    upstream: str = "upstream"
    # How much of a body Envoy keeps while the filter holds it back; by default 1 MiB.
    per_connection_buffer_limit: int | None = None
    # The paths of a certificate and its key, for TLS.
    certificate: tuple | None = None
    # The path of the authority by which clients may show a certificate.
    client_ca: object = None
    # The filters behind it.
    behind: tuple = ()
    # Changes to the settings of the connection manager.
    manager: dict = dataclasses.field(default_factory=dict)


def plugin(**changes):
    """A short plugin configuration, for tokens and what they say themselves, with whole sections or
    fields of them changed.

    None takes a section away.
    """
    config = {
        "keyserver": {"cluster": "keyserver", "bearer_token": BEARER_TOKEN},
        "token": {"www_authenticate_uri": WWW_AUTHENTICATE_URI, "identity": "payload"},
    }
    for name, value in changes.items():
        section = config.get(name)
        config[name] = section | value if section and isinstance(value, dict) else value
    return {name: value for name, value in config.items() if value is not None}


def wasm_filter(module, name, listener):
    """The filter, as it stands in http_filters."""
    if listener.is_struct:
        configuration = {"@type": _GOOGLE + "Struct", "value": listener.plugin}
    else:
        text = json.dumps(listener.plugin)
        configuration = {"@type": _GOOGLE + "StringValue", "value": text}
    config = {
        "name": name,
        "configuration": configuration,
        "vm_config": {
            "runtime": "envoy.wasm.runtime.v8",
            "vm_id": "voussoir",
            "code": {"local": {"filename": str(module)}},
        },
        "failure_policy": "FAIL_RELOAD",
        "reload_config": {"backoff": {"base_interval": "0.1s"}},
    }
    if listener.allow_on_headers_stop_iteration:
        config["allow_on_headers_stop_iteration"] = True
    return {
        "name": "voussoir",
        "typed_config": {"@type": EXTENSIONS + "filters.http.wasm.v3.Wasm", "config": config},
    }


def bootstrap(module, listeners, *, keyserver, upstream, access_log, stats_config=None):
    """A whole configuration; every listener gets a port of its own from the system.

    `keyserver` is the port of the cluster of that name, or ports of several by their names. A port
    may be a pair of a port and a transport socket, for TLS. `upstream` is a port or ports likewise.
    """
    keyservers = keyserver if isinstance(keyserver, dict) else {"keyserver": keyserver}
    upstreams = upstream if isinstance(upstream, dict) else {"upstream": upstream}
    config = {
        "node": {"id": NODE, "cluster": "tests"},
        "admin": {"address": address(0)},
        "static_resources": {
            "listeners": [
                _listener(name, listener, wasm_filter(module, name, listener), access_log)
                for name, listener in listeners.items()
            ],
            "clusters": [
                *(cluster(name, port, _TRAILERS) for name, port in upstreams.items()),
                *(_keyserver(name, port) for name, port in keyservers.items()),
            ],
        },
    }
    if stats_config:
        config["stats_config"] = stats_config
        # What histograms have is shown after that.
        config["stats_flush_interval"] = "1s"
    return config


def _listener(name, listener, wasm, access_log):
    route = {"cluster": listener.upstream, "timeout": "60s"}
    manager = {
        "@type": EXTENSIONS + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "AUTO",
        "http_protocol_options": _TRAILERS,
        # A path that was changed is not the one that was signed.
        "normalize_path": False,
        "merge_slashes": False,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "access_log": [
            {
                "name": "file",
                "typed_config": {
                    "@type": EXTENSIONS + "access_loggers.file.v3.FileAccessLog",
                    "path": str(access_log),
                    "log_format": {"json_format": _ACCESS_LOG_FORMAT},
                },
            }
        ],
        "http_filters": [
            wasm,
            *listener.behind,
            {
                "name": "router",
                "typed_config": {"@type": EXTENSIONS + "filters.http.router.v3.Router"},
            },
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "service",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": route}],
                }
            ]
        },
    }
    chain = {"filters": [{"name": "http", "typed_config": manager | listener.manager}]}
    if listener.certificate:
        chain["transport_socket"] = _downstream_tls(*listener.certificate, listener.client_ca)
    config = {"name": name, "address": address(0), "filter_chains": [chain]}
    if listener.per_connection_buffer_limit is not None:
        config["per_connection_buffer_limit_bytes"] = listener.per_connection_buffer_limit
    return config


def _downstream_tls(certificate, private_key, client_ca):
    files = {
        "certificate_chain": {"filename": str(certificate)},
        "private_key": {"filename": str(private_key)},
    }
    context = {"alpn_protocols": ["h2", "http/1.1"], "tls_certificates": [files]}
    if client_ca:
        context["validation_context"] = {"trusted_ca": {"filename": str(client_ca)}}
    return {
        "name": "tls",
        "typed_config": {
            "@type": EXTENSIONS + "transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": context,
            # Whoever needs one of a client finds out without Envoy.
            "require_client_certificate": False,
        },
    }


def tls(*, ca, name, certificate=None, private_key=None):
    """A transport socket that believes certificates of `ca` for `name`, and may show one itself."""
    alternative = {"san_type": "DNS", "matcher": {"exact": name}}
    context = {
        "validation_context": {
            "trusted_ca": {"filename": str(ca)},
            "match_typed_subject_alt_names": [alternative],
        }
    }
    if certificate:
        files = {
            "certificate_chain": {"filename": str(certificate)},
            "private_key": {"filename": str(private_key)},
        }
        context["tls_certificates"] = [files]
    return {
        "name": "tls",
        "typed_config": {
            "@type": EXTENSIONS + "transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": name,
            "common_tls_context": context,
        },
    }


def _keyserver(name, port):
    port, transport_socket = port if isinstance(port, tuple) else (port, None)
    socket = {"transport_socket": transport_socket} if transport_socket else {}
    return cluster(name, port, {}) | socket | {"connect_timeout": "1s"}


def cluster(name, port, http1):
    """One host on this machine, asked by HTTP/1.1 with these options."""
    options = {
        "@type": EXTENSIONS + "upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": http1},
    }
    endpoint = {"endpoint": {"address": address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        # A thousand connections at once are more than a service here takes in a second.
        "connect_timeout": "30s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
    }


def address(port):
    """A port on this machine; 0 has the system choose one."""
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


_TRAILERS = {"enable_trailers": True}
_GOOGLE = "type.googleapis.com/google.protobuf."
EXTENSIONS = "type.googleapis.com/envoy.extensions."
_ACCESS_LOG_FORMAT = {
    "path": "%REQ(:PATH)%",
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "audit": "%FILTER_STATE(wasm.voussoir_audit:PLAIN)%",
}
