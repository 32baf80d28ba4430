"""The service of examples/protos/library.proto, with shelves that fail, wait and grow as the tests need it.

    library_server.py PROTO_FOLDER [PORT] [v1|v1alpha]

Prints `listening PORT`, and afterwards one line for whatever the tests wait for. With the last
argument it has the reflection of that version, of grpcio-reflection.
"""

import sys
from concurrent import futures

import grpc
from google.api import httpbody_pb2
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_status import rpc_status

from protos import compiled

messages, services = compiled([sys.argv[1]], ["library.proto"])


def say(text):
    print(text, flush=True)


def until_gone(context):
    gone = futures.Future()
    context.add_callback(lambda: (say("cancelled"), gone.set_result(None)))
    say("waiting")
    return gone


def failure(code, text):
    """A status with details: one of a type that everybody knows, and one that nobody does."""
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason="NO_BOOK", domain="library", metadata={"shelf": "missing"}))
    odd = any_pb2.Any(type_url="type.googleapis.com/nobody.Knows", value=b"\x01\x02")
    return rpc_status.to_status(status_pb2.Status(code=code, message=text, details=[info, odd]))


class Library(services.LibraryServicer):
    def GetBook(self, request, context):
        shelf = request.name.split("/")[1] if request.name else ""
        if shelf == "missing":
            context.abort_with_status(failure(5, "no bücher, 100%"))
        if shelf == "broken":
            context.abort(grpc.StatusCode.INTERNAL, "")
        if shelf == "slow":
            until_gone(context).result()
        if shelf == "large":
            return messages.Book(title="x" * int(request.name.split("/")[3]))
        if shelf == "deadline":
            left = context.time_remaining()
            return messages.Book(isbn=-1 if left is None or left > 1e6 else int(left * 1000))
        if shelf == "gzip":
            context.set_compression(grpc.Compression.Gzip)
        if shelf == "metadata":
            seen = sorted(f"{name}={value}" for name, value in context.invocation_metadata())
            context.send_initial_metadata([("x-first", "one"), ("x-bin", b"\x00\xff")])
            context.set_trailing_metadata([("x-last", "two"), ("content-length", "7")])
            return messages.Book(authors=seen)
        book = messages.Book(name=request.name, title="T", isbn=request.isbn, kind=messages.NOVEL, labels={"a": "b"})
        book.published.seconds = 1
        return book

    def ListBooks(self, request, context):
        kinds = [messages.Kind.Name(kind) for kind in request.kinds]
        books = [messages.Book(title=f"{request.parent}/{number}") for number in range(request.page_size)]
        return messages.ListBooksResponse(books=books, next_page_token=",".join(kinds))

    def CreateBook(self, request, context):
        request.book.name = f"{request.parent}/books/1"
        return request.book

    def UpdateBook(self, request, context):
        request.book.title = ",".join(request.update_mask.paths)
        return request.book

    def GetCover(self, request, context):
        return httpbody_pb2.HttpBody(content_type="image/svg+xml", data=b"<svg/>")

    def WatchBooks(self, request, context):
        shelf = request.parent.split("/")[1]
        if shelf == "missing":
            context.abort_with_status(failure(5, "no shelf"))
        for number in range(request.count):
            if shelf == "flood":
                say(f"sent {number + 1}")
                yield messages.Book(title="x" * 10_000, isbn=number + 1)
            else:
                yield messages.Book(title=f"book\n{number}")
        if shelf == "failing":
            context.abort_with_status(failure(14, "gone"))
        if shelf == "endless":
            until_gone(context).result()

    def ImportBooks(self, requests, context):
        summary = messages.ImportSummary()
        try:
            for request in requests:
                summary.books += 1
                summary.parent = summary.parent or request.parent
                summary.titles.append(request.book.title)
        except Exception:
            say("broken off")
            raise
        return summary

    def CheckBooks(self, requests, context):
        for request in requests:
            if request.title == "bad":
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a bad book")
            yield request


def reflect(server, version):
    """The package has `v1alpha` alone; `v1` is the same under another name."""
    names = ["library.v1.Library", reflection.SERVICE_NAME]
    if version == "v1alpha":
        reflection.enable_server_reflection(names, server)
        return
    handler = grpc.stream_stream_rpc_method_handler(
        reflection.ReflectionServicer(names).ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    service = "grpc.reflection.v1.ServerReflection"
    handlers = {"ServerReflectionInfo": handler}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])


def main():
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=options)
    services.add_LibraryServicer_to_server(Library(), server)
    if len(sys.argv) > 3:
        reflect(server, sys.argv[3])
    port = server.add_insecure_port(f"127.0.0.1:{sys.argv[2] if len(sys.argv) > 2 else 0}")
    server.start()
    say(f"listening {port}")
    server.wait_for_termination()


main()
