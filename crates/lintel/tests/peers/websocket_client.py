"""A WebSocket client: runs one scenario against `websocket_server.py` behind a gateway.

    websocket_client.py SCENARIO URL [CERT]

Exits with 0 when everything was as it should be; a traceback says what was not.
"""

import os
import ssl
import sys

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

PATIENCE = 60
MIB = 1 << 20


def opened(url, path="/", **options):
    if len(sys.argv) == 4:
        context = ssl.create_default_context(cafile=sys.argv[3])
        # This client reads and writes in two threads. With TLS 1.3, what the one reads after the
        # handshake (session tickets) changes what the other writes with, and neither waits.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        options["ssl"] = context
    common = {"open_timeout": PATIENCE, "max_size": 4 * MIB, "subprotocols": ["chat.v1"]}
    return connect(url + path, **common, **options)


def same(left, right):
    assert left == right, f"{left!r:.200} is not {right!r:.200}"


def echoed(connection, message):
    connection.send(message)
    same(connection.recv(PATIENCE), message)


def closed_with(connection):
    """What a connection is closed with: the code, and whether the server sent one at all."""
    try:
        connection.recv(PATIENCE)
    except ConnectionClosed:
        return connection.close_code, connection.close_reason
    raise AssertionError("the connection is open")


def messages(url):
    with opened(url) as connection:
        same(connection.subprotocol, "chat.v1")
        echoed(connection, "text with ümlaut")
        echoed(connection, b"\x00\x01\xff")
        echoed(connection, "")
        for fragments in (["a", "b", "c"], [b"1", b"2"]):
            connection.send(iter(fragments))
            same(connection.recv(PATIENCE), type(fragments[0])().join(fragments))


def pings(url):
    with opened(url, ping_interval=None) as connection:
        for payload in (b"", b"are you there", b"x" * 125):
            assert connection.ping(payload).wait(PATIENCE), "no pong"
        echoed(connection, "after the pings")


def large(url):
    with opened(url, compression=None) as connection:
        for _ in range(4):
            echoed(connection, os.urandom(MIB))
    with opened(url) as connection:
        echoed(connection, "compressible " * (MIB // 13))


def close_codes(url):
    for code in (1000, 1001, 1011, 3000, 4999):
        with opened(url, f"/close/{code}") as connection:
            same(closed_with(connection), (code, "told so"))
    with opened(url) as connection:
        connection.close(4321, "enough")
        same(connection.close_code, 4321)


def waiting(url):
    """Sends a message for every line that is read, and prints when each is back."""
    with opened(url) as connection:
        print("listening 0", flush=True)
        for line in sys.stdin:
            echoed(connection, line)
            print("echoed", line, end="", flush=True)


def dies(url):
    """The server's process ends: 1006, and no close frame."""
    with opened(url) as connection:
        echoed(connection, "alive")
        connection.send("die")
        same(closed_with(connection), (1006, ""))


def refused(url):
    """Nobody to switch protocols with: an answer, and no switch."""
    try:
        opened(url)
    except InvalidStatus as error:
        same(error.response.status_code, 502)
        return
    raise AssertionError("the connection was opened")


globals()[sys.argv[1]](sys.argv[2])
