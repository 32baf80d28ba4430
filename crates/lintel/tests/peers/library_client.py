"""A grpcio client of the service of examples/protos/library.proto, where a REST service stands behind
the gateway. What that answers is in `grpc_to_rest.rs`.

    library_client.py PROTO_FOLDER PORT

Exits with 0 when everything was as it should be; a traceback says what was not.
"""

import sys

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from protos import compiled

PATIENCE = 60
messages, services = compiled([sys.argv[1]], ["library.proto"])


def same(left, right):
    assert left == right, f"{left!r:.400} is not {right!r:.400}"


def refused(code, words, call):
    """The error that a call ends with."""
    try:
        call()
    except grpc.RpcError as error:
        same((error.code(), error.details()), (code, words))
        return error
    raise AssertionError(f"no {code}")


def unary(library):
    metadata = (("x-tenant", "acme"), ("x-data-bin", b"\x00\xff"))
    book, call = library.GetBook.with_call(
        messages.GetBookRequest(name="shelves/1/books/2 ü"), timeout=PATIENCE, metadata=metadata
    )
    same((book.title, book.isbn, book.kind, book.published.seconds), ("T", 7, messages.NOVEL, 1))
    same(dict(call.initial_metadata())["x-version"], "3")
    request = messages.ListBooksRequest(parent="shelves/1", page_size=2, kinds=[messages.NOVEL, messages.ATLAS])
    same([book.title for book in library.ListBooks(request, timeout=PATIENCE).books], ["a", "b"])
    request = messages.CreateBookRequest(parent="shelves/1", book=messages.Book(title="Emma", authors=["J. A."]))
    same(library.CreateBook(request, timeout=PATIENCE).name, "made")
    request = messages.UpdateBookRequest(book=messages.Book(name="shelves/1/books/2", isbn=5))
    request.update_mask.paths.append("isbn")
    # 204: nothing is said.
    same(library.UpdateBook(request, timeout=PATIENCE), messages.Book())
    cover = library.GetCover(messages.GetBookRequest(name="shelves/1/books/2"), timeout=PATIENCE)
    same((cover.content_type, cover.data), ("image/svg+xml", b"<svg/>"))
    compressed = library.GetBook(
        messages.GetBookRequest(name="shelves/1/books/2 ü"), timeout=PATIENCE, compression=grpc.Compression.Gzip
    )
    same(compressed.title, "T")


def streams(library):
    def watch(shelf):
        return library.WatchBooks(messages.WatchBooksRequest(parent=f"shelves/{shelf}", count=2), timeout=PATIENCE)

    same([book.title for book in watch("lines")], ["a", "b"])
    same([book.title for book in watch("array")], ["a", "b"])
    same([book.title for book in watch("nothing")], [])
    for shelf, code, words in [
        ("failing", grpc.StatusCode.UNAVAILABLE, "gone"),
        ("wrong", grpc.StatusCode.INTERNAL, "The service gave an invalid answer."),
    ]:
        books = watch(shelf)
        same(next(books).title, "a")
        refused(code, words, lambda: next(books))
    refused(grpc.StatusCode.NOT_FOUND, "no shelf", lambda: next(watch("missing")))
    same(imported(library, ["a", "b", ""]).books, 3)


def failures(library):
    def get(book):
        return lambda: library.GetBook(messages.GetBookRequest(name=f"shelves/1/books/{book}"), timeout=PATIENCE)

    code = grpc.StatusCode
    error = refused(code.NOT_FOUND, "no bücher, 100%", get("missing"))
    info = error_details_pb2.ErrorInfo()
    assert rpc_status.from_call(error).details[0].Unpack(info)
    same(info.reason, "NO_BOOK")
    refused(code.ALREADY_EXISTS, "there already", get("own_code"))
    refused(code.PERMISSION_DENIED, "not you", get("nested"))
    refused(code.UNAVAILABLE, "", get("html"))
    refused(code.RESOURCE_EXHAUSTED, "slower", get("often"))
    refused(code.UNAVAILABLE, "The service gave an invalid answer.", get("garbage"))
    refused(code.INVALID_ARGUMENT, "`name` does not fit the path.", get(".."))
    refused(code.INVALID_ARGUMENT, "`name` does not fit the path.", get("a/b"))
    refused(code.INVALID_ARGUMENT, "`parent` does not fit the path.", lambda: imported(library, []))


def imported(library, books, parent="shelves/1"):
    """Sends books, of which the first says where they go."""
    requests = [messages.CreateBookRequest(book=messages.Book(title=title)) for title in books]
    if requests:
        requests[0].parent = parent
    return library.ImportBooks(iter(requests), timeout=PATIENCE)


def main():
    with grpc.insecure_channel(f"127.0.0.1:{sys.argv[2]}") as channel:
        library = services.LibraryStub(channel)
        unary(library)
        streams(library)
        failures(library)
        nothing = channel.unary_unary("/library.v1.Library/Nothing", lambda _: b"", lambda data: data)
        refused(grpc.StatusCode.UNIMPLEMENTED, "There is no such method here.", lambda: nothing(None, timeout=PATIENCE))


main()
