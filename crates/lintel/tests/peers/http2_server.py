"""An HTTP/2 server in plaintext, made with h2 for Python: does what the path of a request says.

    http2_server.py

Prints `listening PORT`, and `100 sent` when it has asked for a body.
"""

import socket
import threading

import h2.config
import h2.connection
import h2.events

OK = [(":status", "200")]
HINTS = [(":status", "103"), ("link", "</style.css>; rel=preload")]


def say(text):
    print(text, flush=True)


class Connection:
    def __init__(self, sock):
        self.sock = sock
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        self.received = {}

    def run(self):
        self.h2.initiate_connection()
        self.flush()
        while data := self.sock.recv(65536):
            for event in self.h2.receive_data(data):
                self.on(event)
            self.flush()

    def flush(self):
        if data := self.h2.data_to_send():
            self.sock.sendall(data)

    def on(self, event):
        match event:
            case h2.events.RequestReceived():
                self.begin(event.stream_id, dict(event.headers))
            case h2.events.DataReceived():
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.received[event.stream_id] += len(event.data)
            case h2.events.StreamEnded():
                self.end(event.stream_id)

    def begin(self, stream, head):
        self.received[stream] = 0
        match head[":path"]:
            case "/hints":
                self.h2.send_headers(stream, HINTS)
            case "/continue":
                assert head["expect"] == "100-continue", head
                self.h2.send_headers(stream, [(":status", "100")])
                say("100 sent")
            case "/refuse":
                self.h2.send_headers(stream, [(":status", "401")], end_stream=True)
                del self.received[stream]

    def end(self, stream):
        if stream in self.received:
            self.h2.send_headers(stream, OK)
            length = self.received.pop(stream)
            self.h2.send_data(stream, f"{length} bytes".encode(), end_stream=True)


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    say(f"listening {listener.getsockname()[1]}")
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=Connection(sock).run, daemon=True).start()


main()
