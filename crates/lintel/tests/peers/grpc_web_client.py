"""A gRPC-Web client, by its framing alone: runs all its scenarios against `grpc_server.py` behind a gateway.

    grpc_web_client.py PORT

Exits with 0 when everything was as it should be; a traceback says what was not.
"""

import base64
import http.client
import struct
import sys


def same(left, right):
    assert left == right, f"{left!r} is not {right!r}"


def frame(message):
    return struct.pack(">BI", 0, len(message)) + message


def frames(body):
    """Messages, and the trailers that end them."""
    messages, trailers = [], None
    while body:
        flag, length = struct.unpack(">BI", body[:5])
        content, body = body[5 : 5 + length], body[5 + length :]
        same(len(content), length)
        if flag & 0x80:
            assert trailers is None
            lines = content.decode().split("\r\n")
            same(lines.pop(), "")
            trailers = dict(line.split(": ", 1) for line in lines)
        else:
            assert trailers is None, "a message after the trailers"
            messages.append(content)
    return messages, trailers


def decoded(text):
    """Base64 in parts, each of which may end with padding."""
    out, part = b"", b""
    for at in range(0, len(text), 4):
        part += text[at : at + 4]
        if part.endswith(b"="):
            out, part = out + base64.b64decode(part), b""
    return out + base64.b64decode(part)


def call(port, method, message, text=False, headers=(), chunks=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    media = "application/grpc-web-text+proto" if text else "application/grpc-web+proto"
    body = frame(message)
    if text:
        # In two parts, as a stream would be.
        body = base64.b64encode(body[:4]) + base64.b64encode(body[4:])
    fields = {"Content-Type": media, "X-Grpc-Web": "1", "Accept": media, **dict(headers)}
    connection.request("POST", f"/probe.Probe/{method}", body, fields)
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        return response, [], None
    same(response.headers["content-type"], media)
    return (response, *frames(decoded(answer) if text else answer))


def main():
    port = int(sys.argv[1])
    for text in (False, True):
        for message in (b"", b"hello", bytes(range(256)) * 1000):
            _, messages, trailers = call(port, "Unary", message, text)
            same(messages, [message])
            same(trailers["grpc-status"], "0")
        response, _, trailers = call(port, "Unary", b"", text, {"text": "a value", "data-bin": "AP8"})
        same(response.headers["seen-text"], "a value")
        same(decoded(trailers["seen-bin"].encode() + b"=" * (-len(trailers["seen-bin"]) % 4)), b"\xff\x00")
        _, messages, trailers = call(port, "Download", b"3", text)
        same(messages, [b"0", b"1", b"2"])
        same(trailers["grpc-status"], "0")
        _, messages, trailers = call(port, "FailMidway", b"", text)
        same(messages, [b"one", b"two"])
        same((trailers["grpc-status"], trailers["grpc-message"]), ("15", "no more"))
        # Nothing but a status: it may come as fields of the head.
        response, messages, trailers = call(port, "Fail", b"5", text)
        same(messages, [])
        same((trailers or response.headers)["grpc-status"], "5")
        _, messages, _ = call(port, "Remaining", b"", text)
        left = int(messages[0])
        assert 0 < left <= 5000, left
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/probe.Probe/Unary", b"!!!!", {"Content-Type": "application/grpc-web-text"})
    same(connection.getresponse().status, 400)


main()
