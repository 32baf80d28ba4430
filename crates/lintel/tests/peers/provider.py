"""An OpenID Connect provider: PyJWT signs its tokens, http.server speaks for it over TLS.

provider.py CERT KEY. It has one client, `shop` with the secret `s3cret/+`, and one person, `ada`, who
agrees to everything. Codes are good once; so are refresh tokens, and a second use of one ends them all.
Every line of the standard input is an order, answered by one line:

  life SECONDS      how long tokens live from now on; at first 3600
  break HOW         what is wrong from now on: nothing, nonce, audience, issuer, azp, at_hash, signature,
                    expired, no_id_token, iss_missing, iss_other, deny, away, garbage, huge, subject
  pad BYTES         how much more an ID token says
  revoke            no refresh token is good any more
  asked WHAT        how often it was asked: authorize, authorization_code, refresh_token, end_session,
                    token_exchange, anything (for a token)
  ended             who has logged out, by the ID token that came along
  trust FILE        from now on the client proves who it is by the key of this public PEM file, not by its secret
  hold, release     no token is given meanwhile

A token to exchange is one of its access tokens, or `active-NAME`.
"""

import base64
import hashlib
import json
import secrets
import sys
import threading
import time
import urllib.parse

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

import over_tls

CLIENT, SECRET = "shop", "s3cret/+"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
cert, key = sys.argv[1:]
signer, stranger = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
codes, refreshes, accesses = {}, {}, {}
state = {"trusted": None, "life": 3600, "broken": "nothing", "pad": 0, "ended": "nobody"}
asked = {}
lock = threading.Lock()
gate = threading.Event()
gate.set()
proofs = set()


class Refused(Exception):
    def __init__(self, code, status=400):
        self.code, self.status = code, status


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def count(what):
    asked[what] = asked.get(what, 0) + 1


def metadata():
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/keys",
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "end_session_endpoint": f"{issuer}/end_session",
        "authorization_response_iss_parameter_supported": True,
    }


def jwks():
    public = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).to_jwk(
        signer.public_key(), as_dict=True
    )
    return {"keys": [{**public, "kid": "one", "alg": "ES256", "use": "sig"}]}


def authorize(query):
    """RFC 6749 section 4.1.1: the URL where the browser goes."""
    count("authorize")
    one = {name: values[0] for name, values in query.items() if len(values) == 1}
    assert one["response_type"] == "code" and one["client_id"] == CLIENT, one
    assert one["redirect_uri"] == "https://shop.example.com/oauth2/callback", one
    assert "openid" in one["scope"].split() and one["code_challenge_method"] == "S256", one
    assert len(one["code_challenge"]) == 43 and len(one["nonce"]) >= 22 and len(one["state"]) >= 22
    answer = {"state": one["state"], "iss": issuer}
    how = state["broken"]
    if how == "iss_missing":
        del answer["iss"]
    elif how == "iss_other":
        answer["iss"] = "https://evil.example"
    if how == "deny":
        answer |= {"error": "access_denied", "error_description": "ada changed her mind"}
    else:
        code = secrets.token_urlsafe(24)
        codes[code] = one
        answer["code"] = code
    return one["redirect_uri"] + "?" + urllib.parse.urlencode(answer)


def authenticated(fields, form):
    """RFC 6749 section 2.3.1, RFC 7523 section 3."""
    if state["trusted"]:
        return proven(fields, form)
    basic = fields.get("Authorization", "")
    if basic.startswith("Basic "):
        pair = base64.b64decode(basic[6:]).decode().split(":", 1)
        name, secret = (urllib.parse.unquote_plus(part) for part in pair)
        assert "client_secret" not in form, "the client authenticates twice"
    else:
        name, secret = form.get("client_id"), form.get("client_secret")
    if (name, secret) != (CLIENT, SECRET):
        raise Refused("invalid_client", 401)


def proven(fields, form):
    assert "Authorization" not in fields and "client_secret" not in form, "the client authenticates twice"
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    try:
        required = {"require": ["iss", "sub", "aud", "exp", "jti"]}
        proof = form["client_assertion"]
        claims = jwt.decode(proof, state["trusted"], ["ES256"], audience=f"{issuer}/token", options=required)
    except jwt.InvalidTokenError as error:
        raise Refused("invalid_client", 401) from error
    assert claims["iss"] == claims["sub"] == form["client_id"] == CLIENT, claims
    assert claims["exp"] <= time.time() + 300 and claims["jti"] not in proofs, claims
    assert jwt.get_unverified_header(proof)["kid"] == "key-1"
    proofs.add(claims["jti"])


def id_token(nonce, access):
    now, how = int(time.time()), state["broken"]
    claims = {
        "iss": "https://evil.example" if how == "issuer" else issuer,
        "sub": "eve" if how == "subject" else "ada",
        "aud": "other" if how == "audience" else CLIENT,
        "name": "Ada L.",
        "iat": now - 7200 if how == "expired" else now,
        "exp": now - 3600 if how == "expired" else now + state["life"],
        "nonce": "made-up" if how == "nonce" else nonce,
        "at_hash": b64(hashlib.sha256((access + ("x" if how == "at_hash" else "")).encode()).digest()[:16]),
        "pad": secrets.token_hex(state["pad"] // 2),
    }
    if how == "azp":
        claims |= {"aud": [CLIENT, "other"], "azp": "other"}
    by = stranger if how == "signature" else signer
    return jwt.encode(claims, by, "ES256", headers={"kid": "one"})


def tokens(nonce):
    access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    refreshes[refresh] = nonce
    accesses[access] = "ada"
    answer = {
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": state["life"],
        "refresh_token": refresh,
        "id_token": id_token(nonce, access),
        "scope": "openid orders:read",
    }
    if state["broken"] == "no_id_token":
        del answer["id_token"]
    return answer


def token(fields, form):
    grant = form["grant_type"]
    count("token_exchange" if grant == EXCHANGE else grant)
    authenticated(fields, form)
    if grant == "authorization_code":
        login = codes.pop(form["code"], None)
        challenge = b64(hashlib.sha256(form["code_verifier"].encode()).digest())
        if not login or login["redirect_uri"] != form["redirect_uri"] or login["code_challenge"] != challenge:
            raise Refused("invalid_grant")
        return tokens(login["nonce"])
    if grant == "refresh_token":
        nonce = refreshes.get(form["refresh_token"])
        if nonce is None:
            refreshes.clear()
            raise Refused("invalid_grant")
        refreshes[form["refresh_token"]] = None
        return tokens(nonce)
    if grant == EXCHANGE:
        subject = form["subject_token"]
        who = accesses.get(subject) or (subject.startswith("active-") and subject[7:])
        if form["subject_token_type"] != ACCESS or not who:
            raise Refused("invalid_request")
        if form["audience"] == "forbidden":
            raise Refused("invalid_target")
        return {
            "access_token": f"{who}-for-{form['audience']}-{asked['token_exchange']}",
            "issued_token_type": ACCESS,
            "token_type": "Bearer",
            "expires_in": state["life"],
        }
    raise Refused("unsupported_grant_type")


def end_session(query):
    count("end_session")
    hint = query.get("id_token_hint", [""])[0]
    options = {"verify_exp": False}
    claims = jwt.decode(hint, signer.public_key(), ["ES256"], audience=CLIENT, options=options)
    state["ended"] = claims["sub"]
    assert query["client_id"] == [CLIENT]
    back = query["post_logout_redirect_uri"][0]
    assert back == "https://shop.example.com/goodbye", back
    return back


class Handler(over_tls.Handler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        with lock:
            if url.path == "/.well-known/openid-configuration":
                self.answer(200, metadata())
            elif url.path == "/keys":
                self.answer(200, jwks())
            elif url.path == "/authorize":
                self.answer(302, {}, authorize(query))
            elif url.path == "/end_session":
                self.answer(302, {}, end_session(query))
            else:
                self.answer(404, {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
        pairs = urllib.parse.parse_qsl(body, keep_blank_values=True, strict_parsing=True)
        form = dict(pairs)
        assert self.path == "/token" and len(form) == len(pairs), body
        how = state["broken"]
        with lock:
            count("anything")
        gate.wait()
        if how == "away":
            self.answer(503, {"error": "temporarily_unavailable"})
        elif how == "garbage":
            self.answer(200, b"\x00<html>")
        elif how == "huge":
            self.answer(200, b'{"access_token": "' + b"a" * (1 << 20) + b'"}')
        else:
            try:
                with lock:
                    said = token(self.headers, form)
                self.answer(200, said)
            except Refused as refused:
                self.answer(refused.status, {"error": refused.code})

    def answer(self, status, said, location=None):
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        fields = {"Location": location} if location else {}
        self.say(status, body, Content_Type="application/json", Cache_Control="no-store", **fields)


def order(words):
    with lock:
        match words:
            case ["life", seconds]:
                state["life"] = int(seconds)
            case ["break", how]:
                state["broken"] = how
            case ["pad", size]:
                state["pad"] = int(size)
            case ["trust", file]:
                with open(file, encoding="utf-8") as pem:
                    state["trusted"] = pem.read()
            case ["hold"]:
                gate.clear()
            case ["release"]:
                gate.set()
            case ["revoke"]:
                refreshes.clear()
            case ["asked", what]:
                return f"asked {asked.get(what, 0)}"
            case ["ended"]:
                return f"ended {state['ended']}"
            case _:
                raise ValueError(words)
        return "done"


server = over_tls.Server(cert, key, Handler)
issuer = f"https://localhost:{server.port}"
server.serve(order)
