"""Answers calls of examples/protos/library.proto as no server of gRPC should, by the shelf that is asked for.

    hostile_grpc_server.py

Prints `listening PORT`, and `given up` for every answer that the other side did not wait for.
"""

import gzip
import re
import socket
import struct
import threading

import h2.config
import h2.connection
import h2.events

GRPC = [(":status", "200"), ("content-type", "application/grpc")]
FINE = [("grpc-status", "0")]
BOOK = b"\x12\x01T"


def frame(message, flag=0, length=None):
    return struct.pack(">BI", flag, len(message) if length is None else length) + message


# Head, body, and trailers; without trailers the body ends the answer, with `...` nothing does.
ANSWERS = {
    b"fine": (GRPC, frame(BOOK), FINE),
    b"html": ([(":status", "200"), ("content-type", "text/html")], b"<h1>10.0.0.7</h1>", None),
    b"down": ([(":status", "503"), ("content-type", "text/plain")], b"upstream 10.0.0.7", None),
    b"nothing": ([(":status", "404")], b"", None),
    b"garbage": (GRPC, frame(b"\xff\xff\xff"), FINE),
    b"text": (GRPC, frame(b"\x12\x01\xff"), FINE),
    b"flag": (GRPC, frame(BOOK, flag=7), FINE),
    b"huge": (GRPC, frame(BOOK, length=0xFFFFFFFF), FINE),
    b"cut": (GRPC, frame(BOOK, length=10), FINE),
    b"two": (GRPC, frame(BOOK) + frame(BOOK), FINE),
    b"none": (GRPC, b"", FINE),
    b"unending": (GRPC, frame(BOOK), None),
    b"encoding": ([*GRPC, ("grpc-encoding", "zstd")], frame(BOOK, flag=1), FINE),
    b"unnamed": (GRPC, frame(gzip.compress(BOOK), flag=1), FINE),
    b"bomb": ([*GRPC, ("grpc-encoding", "gzip")], frame(gzip.compress(bytes(50 << 20)), flag=1), FINE),
    b"odd": (GRPC, b"", [("grpc-status", "-7"), ("grpc-message", "%zz%"), ("grpc-status-details-bin", "!")]),
    b"waiting": (GRPC, frame(BOOK, length=10), ...),
}


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.received = {}
        self.unsent = {}

    def run(self):
        self.h2.initiate_connection()
        self.sock.sendall(self.h2.data_to_send())
        while data := self.sock.recv(65536):
            events = self.h2.receive_data(data)
            # What was given up before it was answered is not answered.
            gone = {event.stream_id for event in events if isinstance(event, h2.events.StreamReset)}
            for event in events:
                if isinstance(event, h2.events.StreamReset) or getattr(event, "stream_id", None) not in gone:
                    self.on(event)
            for stream in list(self.unsent):
                self.send(stream)
            self.sock.sendall(self.h2.data_to_send())

    def on(self, event):
        match event:
            case h2.events.RequestReceived():
                self.received[event.stream_id] = b""
            case h2.events.DataReceived():
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.received[event.stream_id] += event.data
            case h2.events.StreamEnded():
                self.answer(event.stream_id)
            case h2.events.StreamReset():
                if self.unsent.pop(event.stream_id, None):
                    print("given up", flush=True)

    def answer(self, stream):
        shelf = re.search(rb"shelves/(\w+)/", self.received.pop(stream))[1]
        if shelf == b"reset":
            self.h2.send_headers(stream, GRPC)
            self.h2.reset_stream(stream, 2)
            return
        head, body, trailers = ANSWERS[shelf]
        self.h2.send_headers(stream, head)
        self.unsent[stream] = [body, trailers]

    def send(self, stream):
        body, trailers = self.unsent[stream]
        while body and (room := min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)):
            self.h2.send_data(stream, body[:room])
            body = body[room:]
        self.unsent[stream][0] = body
        if body or trailers is ...:
            return
        del self.unsent[stream]
        if trailers is None:
            self.h2.end_stream(stream)
        else:
            self.h2.send_headers(stream, trailers, end_stream=True)


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listening {listener.getsockname()[1]}", flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=Connection(sock).run, daemon=True).start()


main()
