"""A service that believes no header field: PyJWT verifies the gateway's token of each request.

identity_service.py ISSUER AUDIENCE. Every line of the standard input is an order, answered by one line:

  keys URL          where the gateway publishes its keys

It answers 200 with what the token says, or 401 with what is wrong with it.
"""

import http.server
import json
import sys
import threading

import jwt

issuer, audience = sys.argv[1:]
keys = None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        try:
            tokens = self.headers.get_all("X-Identity-Token", [])
            assert len(tokens) == 1, f"{len(tokens)} tokens"
            key = keys.get_signing_key_from_jwt(tokens[0])
            said = jwt.decode(tokens[0], key, ["EdDSA"], issuer=issuer, audience=audience, leeway=5)
            status, told = 200, {**said, "kid": jwt.get_unverified_header(tokens[0])["kid"]}
        except (AssertionError, jwt.PyJWTError) as error:
            status, told = 401, {"error": repr(error)}
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("listening", server.server_address[1], flush=True)
for line in sys.stdin:
    match line.split():
        case ["keys", url]:
            keys = jwt.PyJWKClient(url, cooldown_duration=0)
            print("keys from", url, flush=True)
