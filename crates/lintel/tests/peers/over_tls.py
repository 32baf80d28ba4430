"""A server of HTTP over TLS, as the peers have it that speak for issuers of tokens."""

import http.server
import ssl
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def say(self, status, body, **fields):
        """Answers; in the names of fields `_` stands for `-`."""
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass  # whoever asked had enough

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, cert, key, handler):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        super().__init__(("127.0.0.1", 0), handler)
        self.port = self.server_address[1]

    def finish_request(self, request, address):
        super().finish_request(self.context.wrap_socket(request, server_side=True), address)

    def handle_error(self, request, address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, address)

    def serve(self, order):
        """Serves, prints `listening PORT`, and carries out the orders of the standard input."""
        threading.Thread(target=self.serve_forever, daemon=True).start()
        print("listening", self.port, flush=True)
        for line in sys.stdin:
            print(order(line.split()), flush=True)
