"""An HTTP/2 client in plaintext, made with h2 for Python: runs one scenario against a gateway.

    http2_client.py SCENARIO PORT

Exits with 0 when everything was as it should be; a traceback says what was not.
"""

import socket
import sys

import h2.config
import h2.connection
import h2.errors
import h2.events
import hyperframe.frame

PATIENCE = 60


class Client:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        config = h2.config.H2Configuration(
            header_encoding="utf-8",
            normalize_outbound_headers=False,
            validate_outbound_headers=False,
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.flush()
        self.events = []

    def flush(self, more=b""):
        self.sock.sendall(self.h2.data_to_send() + more)

    def raw(self, frame):
        """Sends a frame past h2, which would refuse to."""
        self.sock.sendall(frame.serialize())

    def request(self, method, path, fields=(), end_stream=True, more=lambda _: b""):
        """Asks for a path; `more` is what comes right behind the head."""
        head = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a.test")]
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [*head, *fields], end_stream=end_stream)
        self.flush(more(stream))
        return stream

    def next(self):
        """The next event; none at the end of the connection."""
        while not self.events:
            try:
                data = self.sock.recv(65536)
            except ConnectionError:
                return None
            if not data:
                return None
            self.events = self.h2.receive_data(data)
            for event in self.events:
                if isinstance(event, h2.events.DataReceived):
                    length = event.flow_controlled_length
                    self.h2.acknowledge_received_data(length, event.stream_id)
            if not any(isinstance(event, h2.events.ConnectionTerminated) for event in self.events):
                self.flush()
        return self.events.pop(0)

    def until(self, kind):
        while (event := self.next()) and not isinstance(event, kind):
            pass
        return event

    def answer(self, stream):
        """Status, interim statuses with their fields, and body."""
        interim, status, body = [], None, b""
        while event := self.next():
            if getattr(event, "stream_id", None) != stream:
                continue
            match event:
                case h2.events.InformationalResponseReceived():
                    interim.append(dict(event.headers))
                case h2.events.ResponseReceived():
                    status = dict(event.headers)[":status"]
                case h2.events.DataReceived():
                    body += event.data
                case h2.events.StreamReset():
                    return f"reset {event.error_code}", interim, body
                case h2.events.StreamEnded():
                    return status, interim, body
        return "closed", interim, body


def same(left, right):
    assert left == right, f"{left!r} is not {right!r}"


def hints(client):
    status, interim, _ = client.answer(client.request("GET", "/hints"))
    same(status, "200")
    same(interim, [{":status": "103", "link": "</style.css>; rel=preload"}])


def asked_to_continue(client):
    fields = [("expect", "100-continue"), ("content-length", "5")]
    stream = client.request("POST", "/continue", fields, end_stream=False)
    event = client.until(h2.events.InformationalResponseReceived)
    same(dict(event.headers), {":status": "100"})
    client.h2.send_data(stream, b"hello", end_stream=True)
    client.flush()
    status, interim, body = client.answer(stream)
    same((status, interim, body), ("200", [], b"5 bytes"))


def refused(client):
    fields = [("expect", "100-continue"), ("content-length", "5")]
    stream = client.request("POST", "/refuse", fields, end_stream=False)
    status, interim, _ = client.answer(stream)
    same((status, interim), ("401", []))


def huge_head(client):
    fields = [(f"x-{number}", "y" * 10_000) for number in range(8)]
    status, _, _ = client.answer(client.request("GET", "/", fields))
    same(status, "431")
    same(client.answer(client.request("GET", "/"))[0], "200")


def malformed_head(client):
    status, _, _ = client.answer(client.request("GET", "/", [("connection", "close")]))
    same(status, f"reset {h2.errors.ErrorCodes.PROTOCOL_ERROR}")
    same(client.answer(client.request("GET", "/"))[0], "200")


def wrong_length(client):
    def more(stream):
        return hyperframe.frame.DataFrame(stream, b"too long", flags=["END_STREAM"]).serialize()

    fields = [("content-length", "5")]
    stream = client.request("POST", "/", fields, end_stream=False, more=more)
    same(client.answer(stream)[0], f"reset {h2.errors.ErrorCodes.PROTOCOL_ERROR}")


def flooded(client, frame):
    """The gateway ends the connection long before all has been sent."""
    batch = frame.serialize() * 100
    try:
        for _ in range(10_000):
            client.sock.sendall(batch)
    except ConnectionError:
        return
    raise AssertionError("the flood was never stopped")


def pings(client):
    flooded(client, hyperframe.frame.PingFrame(0, b"12345678"))


def settings(client):
    flooded(client, hyperframe.frame.SettingsFrame(0, {}))


def cancels(client):
    """Takes all places there are, gives the requests up, and gets one of their places."""
    held = [client.request("GET", "/hold") for _ in range(2)]
    while client.answer(client.request("GET", "/next"))[0] != "503":
        pass
    for stream in held:
        client.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
    client.flush()
    while client.answer(client.request("GET", "/next"))[0] != "200":
        pass


def rapid_resets(client):
    try:
        for _ in range(100_000):
            stream = client.request("GET", "/")
            client.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
            client.flush()
    except ConnectionError:
        return
    raise AssertionError("the resets were never stopped")


def frames(sock):
    """The frames of a connection to its end: h2 looks at nothing that comes after a GOAWAY."""
    data = b""
    while more := sock.recv(65536):
        data += more
        while len(data) >= 9:
            frame, length = hyperframe.frame.Frame.parse_frame_header(memoryview(data[:9]))
            if len(data) < 9 + length:
                break
            frame.parse_body(memoryview(data[9 : 9 + length]))
            data = data[9 + length :]
            yield frame


def goaway(client):
    """Of many requests at a time, those that the gateway takes are answered; of the others it says so."""
    streams = [client.request("GET", "/") for _ in range(60)]
    answered, last = set(), None
    for frame in frames(client.sock):
        match frame:
            case hyperframe.frame.GoAwayFrame():
                same(frame.error_code, h2.errors.ErrorCodes.NO_ERROR)
                last = frame.last_stream_id
            case hyperframe.frame.PingFrame() if "ACK" not in frame.flags:
                client.raw(hyperframe.frame.PingFrame(0, frame.opaque_data, flags=["ACK"]))
            case hyperframe.frame.RstStreamFrame():
                raise AssertionError(f"stream {frame.stream_id} was reset: {frame.error_code}")
            case hyperframe.frame.DataFrame() | hyperframe.frame.HeadersFrame():
                if "END_STREAM" in frame.flags:
                    answered.add(frame.stream_id)
    assert last is not None, "there was no GOAWAY"
    same(answered, {stream for stream in streams if stream <= last})


SCENARIOS = [
    hints,
    asked_to_continue,
    refused,
    huge_head,
    malformed_head,
    wrong_length,
    pings,
    settings,
    cancels,
    rapid_resets,
    goaway,
]


def main():
    scenario, port = sys.argv[1:]
    client = Client(int(port))
    {known.__name__: known for known in SCENARIOS}[scenario](client)


main()
