"""An introspection endpoint (RFC 7662) as faithful, slow or broken as it is told.

    authorization_server.py

Prints `listening PORT`. Tokens are opaque: `active-NAME` is good until it is revoked, everything else is
not. Orders: `asked` (how many questions), `sleep SECONDS` (before each answer), `revoke TOKEN`,
`answer HOW` (`well`, `garbage`, `huge`, `unsure`, `error`, `reset`, `unwell` for 401).
"""

import base64
import json
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CLIENT = ("gate way", "s3cr&t:")


class State:
    asked = 0
    delay = 0.0
    how = "well"
    revoked = set()
    lock = threading.Lock()


def identified(headers):
    """RFC 6749, section 2.3.1: both are escaped before they are put together."""
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    if scheme != "Basic":
        return False
    parts = base64.b64decode(credentials).decode().split(":")
    return tuple(map(urllib.parse.unquote_plus, parts)) == CLIENT


def introspect(token):
    if not token.startswith("active-") or token in State.revoked:
        return {"active": False}
    name = token.removeprefix("active-")
    now = int(time.time())
    return {
        "active": True,
        "sub": name,
        "client_id": "app",
        "iss": "https://auth.example.com/",
        "aud": ["api", "other"],
        "scope": "read write",
        "iat": now,
        "exp": now + 3600,
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with State.lock:
            State.asked += 1
        time.sleep(State.delay)
        how = State.how
        if how == "reset":
            self.close_connection = True
            self.connection.close()
            return
        token = urllib.parse.parse_qs(form, strict_parsing=True)["token"][0]
        right = self.path == "/oauth2/introspect" and identified(self.headers)
        if not right or how == "unwell":
            return self.answer(401, b'{"error": "invalid_client"}')
        if how == "error":
            return self.answer(500, b"oops")
        body = {
            "well": json.dumps(introspect(token)).encode(),
            "garbage": b"<html>an error page</html>",
            "huge": json.dumps({"active": True, "x": "x" * 1_000_000}).encode(),
            "unsure": b"{}",
        }[how]
        self.answer(200, body)

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """Gateways that close a connection are no news."""


def obey(order, arguments):
    if order == "asked":
        return f"asked {State.asked}"
    if order == "sleep":
        State.delay = float(arguments[0])
    elif order == "revoke":
        State.revoked.add(arguments[0])
    elif order == "answer":
        State.how = arguments[0]
    return "done"


def main():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"listening {server.server_port}", flush=True)
    for line in sys.stdin:
        order, *arguments = line.split()
        print(obey(order, arguments), flush=True)


main()
