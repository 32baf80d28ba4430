"""An issuer of tokens: PyJWT signs them, http.server publishes the keys over TLS.

issuer.py CERT KEY ISSUER, where ISSUER may hold {port}. Every line of the standard input is an order,
answered by one line:

  add KID ALG       publishes another key, of RS256, PS256, ES256, ES384 or EdDSA
  remove KID        publishes it no more; it can still sign
  token KID SUB     a token, signed with that key
  answer HOW        how the keys are answered from now on: good, error, garbage, html, huge, slow, empty
  asked             how often the keys were asked for
"""

import json
import sys
import threading
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

import over_tls

cert, key, name = sys.argv[1:]
keys, published = {}, []
state = {"answer": "good", "asked": 0}
lock = threading.Lock()


def make(algorithm):
    if algorithm in ("RS256", "PS256"):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "ES384":
        return ec.generate_private_key(ec.SECP384R1())
    assert algorithm == "EdDSA", algorithm
    return ed25519.Ed25519PrivateKey.generate()


def jwk(kid):
    private, algorithm = keys[kid]
    methods = jwt.algorithms.get_default_algorithms()
    public = methods[algorithm].to_jwk(private.public_key(), as_dict=True)
    return {**public, "kid": kid, "alg": algorithm, "use": "sig"}


def jwks():
    how = state["answer"]
    if how == "error":
        return 500, "application/json", b'{"error": "broken"}'
    if how == "garbage":
        return 200, "application/json", b"\x00\xff{{{"
    if how == "html":
        return 200, "text/html", b"<html>sign in</html>"
    if how == "huge":
        return 200, "application/json", b'{"keys": [' + b" " * (4 << 20) + b"]}"
    if how == "empty":
        return 200, "application/json", b'{"keys": []}'
    with lock:
        body = json.dumps({"keys": [jwk(kid) for kid in published]})
    return 200, "application/json", body.encode()


class Handler(over_tls.Handler):
    def do_GET(self):
        port = self.server.port
        if self.path == "/.well-known/openid-configuration":
            metadata = {"issuer": issuer(port), "jwks_uri": f"https://localhost:{port}/keys"}
            status, kind, body = 200, "application/json", json.dumps(metadata).encode()
        elif self.path == "/keys":
            state["asked"] += 1
            if state["answer"] == "slow":
                time.sleep(3600)
            status, kind, body = jwks()
        else:
            status, kind, body = 404, "text/plain", b"not here"
        self.say(status, body, Content_Type=kind, Cache_Control="max-age=3600")


def issuer(port):
    return name.replace("{port}", str(port))


def order(words):
    match words:
        case ["add", kid, algorithm]:
            with lock:
                keys[kid] = (make(algorithm), algorithm)
                published.append(kid)
            return f"added {kid}"
        case ["remove", kid]:
            with lock:
                published.remove(kid)
            return f"removed {kid}"
        case ["token", kid, sub]:
            private, algorithm = keys[kid]
            now = int(time.time())
            claims = {"iss": issuer(port), "sub": sub, "aud": "api", "iat": now, "exp": now + 3600}
            return "token " + jwt.encode(claims, private, algorithm, headers={"kid": kid})
        case ["answer", how]:
            state["answer"] = how
            return f"answering {how}"
        case ["asked"]:
            return f"asked {state['asked']}"
    raise ValueError(words)


server = over_tls.Server(cert, key, Handler)
port = server.port
server.serve(order)
