"""Envoy with one of its filters in front of one upstream.

    envoy_proxy.py grpc|http CHECK-PORT UPSTREAM-PORT      ext_authz
    envoy_proxy.py transcoder DESCRIPTORS UPSTREAM-PORT    grpc_json_transcoder

Prints `listening PORT`. The process becomes Envoy, so that who kills it kills Envoy.
"""

import json
import os
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import envoy


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def cluster(name, port, http2=False):
    found = {
        "name": name,
        "connect_timeout": "30s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}],
        },
    }
    if http2:
        found["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
    return found


def exact(*names):
    return {"patterns": [{"exact": name, "ignore_case": True} for name in names]}


def authorization(kind, port):
    found = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "transport_api_version": "V3",
    }
    if kind == "grpc":
        found["grpc_service"] = {"envoy_grpc": {"cluster_name": "authz"}, "timeout": "60s"}
    else:
        found["http_service"] = {
            "server_uri": {"uri": f"http://127.0.0.1:{port}", "cluster": "authz", "timeout": "60s"},
            "path_prefix": "/check",
            "authorization_response": {
                "allowed_upstream_headers": exact("x-user"),
                "allowed_client_headers_on_success": exact("set-cookie"),
            },
        }
    return found


def transcoder(descriptors):
    """As strict as it can be, and with the errors of services as JSON."""
    return {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor": descriptors,
        "services": ["transcoding.Transcoding"],
        "convert_grpc_status": True,
        "request_validation_options": {
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
            "reject_binding_body_field_collisions": True,
        },
    }


def configuration(kind, check, upstream):
    clusters = [cluster("upstream", upstream, http2=kind == "transcoder")]
    if kind == "transcoder":
        first = {"name": "transcoder", "typed_config": transcoder(check)}
    else:
        first = {"name": "authz", "typed_config": authorization(kind, check)}
        clusters.append(cluster("authz", int(check), http2=kind == "grpc"))
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"}}]
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network."
        "http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "all",
        "http_filters": [
            first,
            {"name": "router", "typed_config": router},
        ],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }
    return {
        "admin": {"address": address(0)},
        "static_resources": {
            "listeners": [
                {
                    "name": "all",
                    "address": address(0),
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
                }
            ],
            "clusters": clusters,
        },
    }


def announce(admin):
    """Says where Envoy listens, once it does."""
    for _ in range(600):
        time.sleep(0.1)
        try:
            base = f"http://{admin.read_text()}"
            ready = urllib.request.urlopen(f"{base}/ready", timeout=5).read()
            with urllib.request.urlopen(f"{base}/listeners?format=json", timeout=5) as shown:
                listeners = json.load(shown)["listener_statuses"]
        except OSError:
            continue
        if ready.strip() == b"LIVE" and listeners:
            port = listeners[0]["local_address"]["socket_address"]["port_value"]
            print(f"listening {port}", flush=True)
            return


def main():
    kind, check, upstream = sys.argv[1], sys.argv[2], int(sys.argv[3])
    folder = Path(tempfile.mkdtemp())
    (folder / "envoy.json").write_text(json.dumps(configuration(kind, check, upstream)))
    admin = folder / "admin"
    if os.fork() == 0:
        announce(admin)
        os._exit(0)
    binary = Path(envoy.__file__).parent / "_bin" / "envoy"
    arguments = ["-c", str(folder / "envoy.json"), "--admin-address-path", str(admin)]
    more = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    os.execv(binary, [str(binary), *arguments, *more])


main()
