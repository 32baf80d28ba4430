"""A grpcio client of library_server.py that speaks and listens in turn.

    library_streams.py PROTO_FOLDER PORT

Exits with 0 when everything was as it should be; a traceback says what was not.
"""

import queue
import sys

import grpc

from protos import compiled

PATIENCE = 60
messages, services = compiled([sys.argv[1]], ["library.proto"])


def same(left, right):
    assert left == right, f"{left!r:.400} is not {right!r:.400}"


with grpc.insecure_channel(f"127.0.0.1:{sys.argv[2]}") as channel:
    library = services.LibraryStub(channel)
    books = [messages.CreateBookRequest(parent="shelves/1", book=messages.Book(title=f"{n}")) for n in range(100)]
    same(library.ImportBooks(iter(books), timeout=PATIENCE).books, 100)

    said = queue.SimpleQueue()
    heard = library.CheckBooks(iter(said.get, None), timeout=PATIENCE)
    for n in range(5):
        # Each is answered before the next is sent.
        said.put(messages.Book(title=f"book {n}"))
        same(next(heard).title, f"book {n}")
    said.put(None)
    same(list(heard), [])
    same(heard.code(), grpc.StatusCode.OK)
