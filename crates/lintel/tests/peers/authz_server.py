"""A check service, over gRPC as Envoy's `ext_authz` speaks it and over HTTP: what it says of a request
is in the request's path, `/case/NAME`.

    authz_server.py

Prints `listening PORT HTTP-PORT`. Reads orders: `seen` (what it was asked last, as JSON), `asked` (how
often), `sleep SECONDS` (before each answer).
"""

import json
import sys
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from envoy_data_plane.envoy.config.core.v3 import HeaderValue, HeaderValueOption
from envoy_data_plane.envoy.config.core.v3 import HeaderValueOptionHeaderAppendAction as Action
from envoy_data_plane.envoy.config.core.v3 import QueryParameter
from envoy_data_plane.envoy.service.auth.v3 import (
    CheckRequest,
    CheckResponse,
    DeniedHttpResponse,
    OkHttpResponse,
)
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode
from envoy_data_plane.google.rpc import Status

PERMISSION_DENIED = 7


class State:
    asked = 0
    seen = {}
    delay = 0.0
    lock = threading.Lock()

    @classmethod
    def note(cls, seen):
        with cls.lock:
            cls.asked += 1
            cls.seen = seen
        time.sleep(cls.delay)


def field(name, value, append=None, action=Action.APPEND_IF_EXISTS_OR_ADD):
    return HeaderValueOption(
        header=HeaderValue(key=name, value=value), append=append, append_action=action
    )


def ok(**what):
    return CheckResponse(status=Status(code=0), ok_response=OkHttpResponse(**what))


def no(status, headers=(), body=""):
    denied = DeniedHttpResponse(
        status=HttpStatus(code=StatusCode(status)), headers=list(headers), body=body
    )
    return CheckResponse(status=Status(code=PERMISSION_DENIED), denied_response=denied)


CASES = {
    "plain": CheckResponse(status=Status(code=0)),
    "empty": CheckResponse(),
    "ok": ok(),
    "set": ok(headers=[field("x-user", "ada"), field("x-new", "1")]),
    "append": ok(headers=[field("x-tag", "b", append=True)]),
    "append_to_nothing": ok(headers=[field("x-other", "b", append=True)]),
    "not_append": ok(headers=[field("x-tag", "b", append=False)]),
    "remove": ok(headers_to_remove=["x-secret"]),
    "query_set": ok(query_parameters_to_set=[QueryParameter(key="a", value="9")]),
    "query_both": ok(
        query_parameters_to_set=[
            QueryParameter(key="b", value="9"), QueryParameter(key="c", value="3")
        ],
        query_parameters_to_remove=["a"],
    ),
    "query_remove": ok(query_parameters_to_remove=["a"]),
    "answer_append": ok(response_headers_to_add=[field("x-answer", "more", append=True)]),
    "answer_set": ok(response_headers_to_add=[field("x-answer", "other", append=False)]),
    "answer_add": ok(response_headers_to_add=[field("x-answer", "more")]),
    "answer_add_if_absent": ok(
        response_headers_to_add=[
            field("x-answer", "more", action=Action.ADD_IF_ABSENT),
            field("x-absent", "yes", action=Action.ADD_IF_ABSENT),
        ]
    ),
    "answer_overwrite": ok(
        response_headers_to_add=[
            field("x-answer", "more", action=Action.OVERWRITE_IF_EXISTS_OR_ADD),
            field("x-absent", "yes", action=Action.OVERWRITE_IF_EXISTS_OR_ADD),
        ]
    ),
    "answer_overwrite_existing": ok(
        response_headers_to_add=[
            field("x-answer", "more", action=Action.OVERWRITE_IF_EXISTS),
            field("x-absent", "yes", action=Action.OVERWRITE_IF_EXISTS),
        ]
    ),
    "deny": CheckResponse(status=Status(code=PERMISSION_DENIED)),
    "deny_body": no(403, body="go away"),
    "deny_401": no(401, [field("www-authenticate", 'Bearer realm="a"')], "who are you"),
    "deny_redirect": no(302, [field("location", "https://login.example.com/")]),
    "deny_429": no(429, [field("retry-after", "7")], "slower"),
    "deny_appended": no(
        403, [field("x-why", "a", append=True), field("x-why", "b", append=True)], "two"
    ),
    "deny_twice": no(403, [field("x-why", "a"), field("x-why", "b")], "two"),
    "deny_set_and_append": no(
        403, [field("x-why", "a"), field("x-why", "b", append=True)], "two"
    ),
    "deny_cookies": no(403, [field("set-cookie", "a=1"), field("set-cookie", "b=2")], "two"),
    "deny_cookies_appended": no(
        403,
        [field("set-cookie", "a=1"), field("set-cookie", "b=2", append=True)],
        "two",
    ),
    "deny_type": no(403, [field("content-type", "application/json")], "{}"),
    "set_twice": ok(headers=[field("x-user", "a"), field("x-user", "b")]),
    "set_and_append": ok(headers=[field("x-user", "a"), field("x-user", "b", append=True)]),
    "append_twice": ok(headers=[field("x-tag", "b", append=True)] * 2),
    "set_and_remove": ok(headers=[field("x-user", "ada")], headers_to_remove=["x-user"]),
    "host": ok(headers_to_remove=["host"]),
    "answer_cookies": ok(
        response_headers_to_add=[field("set-cookie", "a=1"), field("set-cookie", "b=2")]
    ),
}


def check(message, context):
    request = CheckRequest.parse(message)
    http = request.attributes.request.http
    source = request.attributes.source
    State.note(
        {
            "method": http.method,
            "path": http.path,
            "host": http.host,
            "scheme": http.scheme,
            "protocol": http.protocol,
            "size": http.size,
            "headers": dict(http.headers),
            "body": http.body,
            "source": source.address.socket_address.address,
            "context": dict(request.attributes.context_extensions),
            "timeout": context.time_remaining() is not None,
        }
    )
    name = case(http.path)
    if name == "rpc_error":
        context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
    if name == "garbage":
        return b"\xff\xff\xff"
    return bytes(CASES[name])


def case(path):
    return path.split("?")[0].split("/case/")[1]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = headers.get("x-forwarded-uri", self.path)
        State.note({"method": self.command, "path": self.path, "headers": headers, "body": body})
        status, fields, text = {
            "allow": (200, [("X-User", "ada"), ("X-Unlisted", "1"), ("Set-Cookie", "s=1")], "fine"),
            "deny": (403, [("X-Why", "no")], "go away"),
            "deny_401": (401, [("WWW-Authenticate", 'Bearer realm="a"')], "who are you"),
            "redirect": (302, [("Location", "https://login.example.com/")], ""),
            "broken": (500, [], "oops"),
            "huge": (200, [], "x" * 1_000_000),
        }[case(path)]
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

    def log_message(self, *_):
        pass


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    methods = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    service = "envoy.service.auth.v3.Authorization"
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    plain = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    plain.daemon_threads = True
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    print(f"http {plain.server_port}", flush=True)
    print(f"listening {port}", flush=True)
    for line in sys.stdin:
        order = line.split()
        if order[0] == "seen":
            print(json.dumps(State.seen, sort_keys=True), flush=True)
        elif order[0] == "asked":
            print(f"asked {State.asked}", flush=True)
        elif order[0] == "sleep":
            State.delay = float(order[1])
            print("sleeps", flush=True)


main()
