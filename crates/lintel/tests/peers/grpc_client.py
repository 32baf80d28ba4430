"""A gRPC client: runs one scenario against `grpc_server.py` behind a gateway.

    grpc_client.py SCENARIO PORT [CERT]

Exits with 0 when everything was as it should be; a traceback says what was not.
"""

import os
import queue
import sys

import grpc

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
PATIENCE = 60
MIB = 1 << 20


class Probe:
    """The methods of the server."""

    def __init__(self, channel):
        self.channel = channel

    def __getattr__(self, name):
        kind = {
            "Upload": self.channel.stream_unary,
            "Chat": self.channel.stream_stream,
            "Download": self.channel.unary_stream,
            "FailMidway": self.channel.unary_stream,
            "Wait": self.channel.unary_stream,
        }.get(name, self.channel.unary_unary)
        return kind(f"/probe.Probe/{name}")


def refused(call):
    """The error that a call ends with."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call succeeded")


def same(left, right):
    assert left == right, f"{left!r} is not {right!r}"


def unary(probe):
    for size in (0, 1, 100_000):
        message = os.urandom(size)
        same(probe.Unary(message, timeout=PATIENCE), message)


def metadata(probe):
    binary = bytes(range(256))
    sent = [("text", "a value"), ("data-bin", binary)]
    message, call = probe.Unary.with_call(b"", metadata=sent, timeout=PATIENCE)
    same(message, b"")
    initial, trailing = dict(call.initial_metadata()), dict(call.trailing_metadata())
    same(initial["seen-text"], "a value")
    same(trailing["seen-bin"], binary[::-1])
    assert "seen-bin" not in initial, initial


def server_streaming(probe):
    got = list(probe.Download(b"1000", timeout=PATIENCE))
    same(got, [str(number).encode() for number in range(1000)])


def client_streaming(probe):
    messages = (bytes(1000) for _ in range(1000))
    same(probe.Upload(messages, timeout=PATIENCE), b"1000 1000000")


def bidirectional(probe):
    """Each message is sent when the answer to the one before has come."""
    asked = queue.SimpleQueue()
    asked.put(b"message 0")
    answers = probe.Chat(iter(asked.get, None), timeout=PATIENCE)
    for number, answer in enumerate(answers):
        same(answer[::-1], b"message %d" % number)
        asked.put(b"message %d" % (number + 1) if number < 99 else None)
    same(number, 99)


def deadline(probe):
    left = int(probe.Remaining(b"", timeout=20))
    assert 0 < left <= 20_000, left
    # The server stops waiting by itself: it knows of the deadline.
    error = refused(lambda: list(probe.Wait(b"", timeout=1)))
    same(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)


def cancellation(probe):
    call = probe.Wait(b"", timeout=PATIENCE)
    same(next(call), b"waiting")
    call.cancel()
    same(call.code(), grpc.StatusCode.CANCELLED)


def large(probe):
    message = os.urandom(8 * MIB)
    same(probe.Unary(message, timeout=PATIENCE), message)


def compression(probe):
    message = b"compress me " * 100_000
    answer, call = probe.Compressed.with_call(
        message, compression=grpc.Compression.Gzip, timeout=PATIENCE
    )
    same(answer, message)
    # The gateway tells how the request came (a `headers` policy of the route).
    same(dict(call.initial_metadata())["came-as"], "gzip")


def errors(probe):
    for code in grpc.StatusCode:
        number = code.value[0]
        if number == 0:
            continue
        error = refused(lambda: probe.Fail(str(number).encode(), timeout=PATIENCE))
        same(error.code(), code)
        same(error.details(), "a message with ümlaut, 100%")
        same(dict(error.trailing_metadata())["why"], "told so")
    got = []
    error = refused(lambda: got.extend(iter(probe.FailMidway(b"", timeout=PATIENCE))))
    same((error.code(), error.details()), (grpc.StatusCode.DATA_LOSS, "no more"))


def unknown_method(probe):
    error = refused(lambda: probe.Nothing(b"", timeout=PATIENCE))
    same(error.code(), grpc.StatusCode.UNIMPLEMENTED)


def unavailable(probe):
    """The service is down."""
    error = refused(lambda: probe.Unary(b"", timeout=PATIENCE))
    same(error.code(), grpc.StatusCode.UNAVAILABLE)
    assert "127.0.0.1" not in error.details(), error.details()


def refusals(probe):
    """What the gateway itself refuses: no such route, a route that takes too long, a body too large."""
    elsewhere = probe.channel.unary_unary("/other.Other/Get")
    error = refused(lambda: elsewhere(b"", timeout=PATIENCE))
    same(error.code(), grpc.StatusCode.UNIMPLEMENTED)
    slow = probe.channel.unary_unary("/slow.Slow/Get")
    error = refused(lambda: slow(b"", timeout=PATIENCE))
    same(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    error = refused(lambda: probe.Unary(bytes(11 * MIB), timeout=PATIENCE))
    same(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)


def library(probe):
    """A call of gRPC on a route that puts REST in front of gRPC: an empty message, and a book back."""
    call = probe.channel.unary_unary("/library.v1.Library/GetBook")
    answer = call(b"\x10\x07", timeout=PATIENCE)
    # title = "T", isbn = 7
    assert b"\x12\x01T" in answer and b"\x20\x07" in answer, answer


def main():
    scenario, port, *cert = sys.argv[1:]
    address = f"localhost:{port}"
    if cert:
        credentials = grpc.ssl_channel_credentials(open(cert[0], "rb").read())
        channel = grpc.secure_channel(address, credentials, options=UNLIMITED)
    else:
        channel = grpc.insecure_channel(address, options=UNLIMITED)
    with channel:
        globals()[scenario](Probe(channel))


main()
