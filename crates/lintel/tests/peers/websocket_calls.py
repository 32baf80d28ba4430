"""A WebSocket client of `library_server.py` behind a gateway that makes calls of what it says.

    websocket_calls.py SCENARIO URL

Exits with 0 when everything was as it should be; a traceback says what was not.
"""

import json
import sys

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

PATIENCE = 60
MIB = 1 << 20


def opened(path, **options):
    common = {"open_timeout": PATIENCE, "max_size": 8 * MIB, "ping_interval": None}
    return connect(sys.argv[2] + path, **common, **options)


def same(left, right):
    assert left == right, f"{left!r:.300} is not {right!r:.300}"


def say(text):
    print(text, flush=True)


def tell(connection, **message):
    connection.send(json.dumps(message))


def heard(connection):
    return json.loads(connection.recv(PATIENCE))


def closed(connection, code, reason=None):
    try:
        message = connection.recv(PATIENCE)
    except ConnectionClosed:
        if reason is not None:
            same(connection.close_reason, reason)
        same(connection.close_code, code)
        return
    raise AssertionError(f"the connection is open: {message!r}")


def both_ways():
    """Each message is answered before the next is sent: nothing waits for an end."""
    with opened("/v1/books:check") as connection:
        for title in ("a", "ü", "x" * 100_000):
            tell(connection, title=title)
            same(heard(connection), {"title": title})
        connection.send(iter(['{"title":', '"in pieces"}']))
        same(heard(connection), {"title": "in pieces"})
        assert connection.ping().wait(PATIENCE), "no pong"
        connection.send("")
        closed(connection, 1000, "")


def from_the_service():
    with opened("/v1/shelves/1/books:watch?count=3") as connection:
        same([heard(connection) for _ in range(3)], [{"title": f"book\n{n}"} for n in range(3)])
        closed(connection, 1000)


def to_the_service():
    with opened("/v1/shelves/7/books:import") as connection:
        for title in "abc":
            tell(connection, title=title)
        connection.send("")
        same(heard(connection), {"books": 3, "titles": ["a", "b", "c"], "parent": "shelves/7"})
        closed(connection, 1000)


def failures():
    """The status of a call is the close code, the problem the last message."""
    with opened("/v1/shelves/missing/books:watch") as connection:
        problem = heard(connection)["error"]
        same((problem["status"], problem["code"], problem["grpc_status"]), (404, "not_found", 5))
        same(problem["details"][0]["reason"], "NO_BOOK")
        closed(connection, 4005, "no shelf")
    with opened("/v1/shelves/failing/books:watch?count=1") as connection:
        same(heard(connection), {"title": "book\n0"})
        same(heard(connection)["error"]["detail"], "gone")
        closed(connection, 4014, "gone")
    with opened("/v1/books:check") as connection:
        tell(connection, title="good")
        same(heard(connection), {"title": "good"})
        tell(connection, title="bad")
        same(heard(connection)["error"]["grpc_status"], 3)
        closed(connection, 4003, "a bad book")


def mistakes():
    """What the client must not do is told by the close code."""
    for sent, code, reason in [
        ('{"titel": 1}', 4003, "Body: `/titel`: there is no such field in `library.v1.Book`."),
        ("{", 4003, None),
        (b"{}", 1003, None),
        (json.dumps({"title": "x" * 2 * MIB}), 1009, None),
    ]:
        with opened("/v1/books:check") as connection:
            connection.send(sent)
            closed(connection, code, reason)
    with opened("/v1/shelves/endless/books:watch") as connection:
        tell(connection, title="nobody asked")
        closed(connection, 4003)


def handshakes():
    def refused(path, status, **options):
        try:
            opened(path, **options).close()
        except InvalidStatus as error:
            same(error.response.status_code, status)
            return
        raise AssertionError(f"{path} opened")

    refused("/v1/books:check", 403, origin="https://evil.example")
    refused("/v1/nothing", 404)
    # A method without a stream answers as ever.
    refused("/v1/shelves/1/books/2", 200)
    refused("/v1/shelves/1/books:watch?count=many", 400)
    with opened("/v1/books:check", origin="http://127.0.0.1:1") as connection:
        connection.send("")
        closed(connection, 1000)


def leaves():
    connection = opened("/v1/shelves/endless/books:watch?count=1")
    same(heard(connection), {"title": "book\n0"})
    say("listening 0")
    sys.stdin.readline()
    connection.close()


def vanishes():
    """Without a word."""
    connection = opened("/v1/shelves/endless/books:watch?count=1")
    same(heard(connection), {"title": "book\n0"})
    say("listening 0")
    sys.stdin.readline()
    connection.socket.shutdown(2)


def late():
    """Longer than a call may last."""
    with opened("/v1/shelves/endless/books:watch?count=1") as connection:
        same(heard(connection), {"title": "book\n0"})
        same(heard(connection)["error"]["grpc_status"], 4)
        closed(connection, 4004)


def nobody():
    with opened("/v1/books:check") as connection:
        same(heard(connection)["error"]["grpc_status"], 14)
        closed(connection, 4014)


def slow_reader():
    """A client that does not read holds the service back, and then gets everything."""
    with opened("/v1/shelves/flood/books:watch?count=3000") as connection:
        say("listening 0")
        sys.stdin.readline()
        for number in range(3000):
            message = heard(connection)
            same((message["isbn"], len(message["title"])), (str(number + 1), 10_000))
        closed(connection, 1000)


globals()[sys.argv[1]]()
