"""A caller that signs its requests with libraries of others: http-message-signatures and botocore.

signer.py URL. Every line of the standard input is a request, answered by one line, `status STATUS`; with
`only` before it nothing is sent, and the answer is `fields` and the header fields with tabs between them:

  rfc9421 ALGORITHM KEYID KEY METHOD TARGET BODY    KEY is a secret, or the path of a private key
  sigv4 KEYID SECRET REGION SERVICE METHOD TARGET BODY
  presigned KEYID SECRET REGION SERVICE TARGET

BODY is - for none, chunked:TEXT for a body without a length, and late:TEXT for one that is not the one
that was signed.
"""

import datetime
import http.client
import sys
import urllib.parse

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms

url = sys.argv[1]
COVERED = ("@method", "@target-uri", "@query", "date")


class Request:
    def __init__(self, method, target, body):
        self.method, self.url, self.body = method, url + target, body
        self.headers = {"Date": datetime.datetime.now(datetime.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")}


class Keys(HTTPSignatureKeyResolver):
    def __init__(self, key):
        self.key = key

    def resolve_private_key(self, key_id):
        return self.key

    def resolve_public_key(self, key_id):
        raise NotImplementedError


def signed(words):
    kind, rest = words[0], words[1:]
    body = b"" if kind == "presigned" else rest[-1].removeprefix("chunked:").removeprefix("late:").encode()
    body = b"" if body == b"-" else body
    if kind == "rfc9421":
        algorithm, key_id, key, method, target = rest[:5]
        algorithm = getattr(algorithms, algorithm)
        if algorithm is algorithms.HMAC_SHA256:
            key = key.encode()
        else:
            with open(key, "rb") as file:
                key = load_pem_private_key(file.read(), None)
        request = Request(method, target, body)
        signer = HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=Keys(key))
        signer.sign(request, key_id=key_id, covered_component_ids=COVERED, body=body or None)
        return method, target, request.headers, body
    key_id, secret, region, service = rest[:4]
    credentials = Credentials(key_id, secret)
    if kind == "presigned":
        request = AWSRequest(method="GET", url=url + rest[4])
        SigV4QueryAuth(credentials, service, region, expires=60).add_auth(request)
        parts = urllib.parse.urlsplit(request.url)
        return "GET", f"{parts.path}?{parts.query}", {}, b""
    method, target = rest[4:6]
    request = AWSRequest(method=method, url=url + target, data=body)
    SigV4Auth(credentials, service, region).add_auth(request)
    return method, target, dict(request.headers.items()), body


def ask(words):
    method, target, headers, body = signed(words)
    host = urllib.parse.urlsplit(url).netloc
    connection = http.client.HTTPConnection(host)
    if words[-1].startswith("late:"):
        body = body[::-1]
    content = iter([body[:2], body[2:]]) if words[-1].startswith("chunked:") else body or None
    connection.request(method, target, content, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def answer(words):
    if words[0] == "only":
        headers = signed(words[1:])[2]
        return "fields " + "\t".join(f"{name}: {value}" for name, value in headers.items())
    return f"status {ask(words)}"


print("listening 0", flush=True)
for line in sys.stdin:
    print(answer(line.split()), flush=True)
