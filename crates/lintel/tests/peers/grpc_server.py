"""A gRPC server that echoes, counts, fails and waits as it is told. Messages are plain bytes.

    grpc_server.py [CERT KEY]

Prints `listening PORT`, and afterwards one line for whatever the tests wait for.
"""

import sys
from concurrent import futures

import grpc

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def say(text):
    print(text, flush=True)


def unary(request, context):
    """Echoes the message, and the metadata: text as initial, binary as trailing metadata."""
    seen = dict(context.invocation_metadata())
    context.send_initial_metadata([("seen-text", seen.get("text", ""))])
    context.set_trailing_metadata([("seen-bin", seen.get("data-bin", b"")[::-1])])
    return request


def compressed(request, context):
    """Echoes with gzip."""
    context.set_compression(grpc.Compression.Gzip)
    return request


def download(request, _context):
    """As many messages as asked for."""
    for number in range(int(request)):
        yield str(number).encode()


def upload(requests, _context):
    """Counts messages and bytes."""
    sizes = [len(request) for request in requests]
    return f"{len(sizes)} {sum(sizes)}".encode()


def chat(requests, _context):
    """Answers every message when it comes."""
    for request in requests:
        yield request[::-1]


def fail(request, context):
    """Fails with the code asked for, and nothing but trailers."""
    number = int(request)
    code = next(code for code in grpc.StatusCode if code.value[0] == number)
    context.set_trailing_metadata([("why", "told so")])
    context.abort(code, "a message with ümlaut, 100%")


def fail_midway(_request, context):
    """Fails after two messages."""
    yield b"one"
    yield b"two"
    context.abort(grpc.StatusCode.DATA_LOSS, "no more")


def remaining(_request, context):
    """The milliseconds that the deadline leaves; -1 without one."""
    left = context.time_remaining()
    return str(-1 if left is None or left > 1e6 else int(left * 1000)).encode()


def wait(_request, context):
    """Sends one message, and then nothing until the caller has gone."""
    gone = until_gone(context)
    yield b"waiting"
    gone.result()


def hang(_request, context):
    """Sends nothing at all until the caller has gone."""
    until_gone(context).result()
    return b""


def until_gone(context):
    gone = futures.Future()
    context.add_callback(lambda: (say("cancelled"), gone.set_result(None)))
    say("waiting")
    return gone


HANDLERS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Compressed": grpc.unary_unary_rpc_method_handler(compressed),
    "Download": grpc.unary_stream_rpc_method_handler(download),
    "Upload": grpc.stream_unary_rpc_method_handler(upload),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "FailMidway": grpc.unary_stream_rpc_method_handler(fail_midway),
    "Remaining": grpc.unary_unary_rpc_method_handler(remaining),
    "Hang": grpc.unary_unary_rpc_method_handler(hang),
    "Wait": grpc.unary_stream_rpc_method_handler(wait),
}


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=UNLIMITED)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("probe.Probe", HANDLERS)])
    if len(sys.argv) == 3:
        cert, key = (open(path, "rb").read() for path in sys.argv[1:])
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, cert)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    say(f"listening {port}")
    server.wait_for_termination()


main()
