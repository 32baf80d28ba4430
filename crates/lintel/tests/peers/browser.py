"""A browser without a window: urllib keeps cookies by the rules, and follows redirects.

browser.py CA PORT JAR METHOD FOLLOW URL [FIELD...]: asks for a URL, with cookies in a file. What is at
shop.example.com is asked at PORT of 127.0.0.1. Prints the body and, in a last line, the status, the URL where
it is, and where it is sent.
"""

import http.client
import http.cookiejar
import os
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

ca, port, jar, method, follow, url, *fields = sys.argv[1:]


class Connection(http.client.HTTPSConnection):
    def connect(self):
        there = ("127.0.0.1", int(port)) if self.host == "shop.example.com" else (self.host, self.port)
        plain = self._create_connection(there, self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


class Handler(urllib.request.HTTPSHandler):
    def https_open(self, request):
        return self.do_open(Connection, request, context=ssl.create_default_context(cafile=ca))


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


cookies = http.cookiejar.MozillaCookieJar(jar)
if os.path.exists(jar):
    cookies.load(ignore_discard=True)
keeper = urllib.request.HTTPCookieProcessor(cookies)
opener = urllib.request.build_opener(Handler(), keeper, Stay())
for step in range(20):
    request = urllib.request.Request(url, method=method)
    for field in fields:
        request.add_header(*field.split(": ", 1))
    try:
        answer = opener.open(request, timeout=60)
    except urllib.error.HTTPError as refused:
        answer = refused
    body, to = answer.read().decode(), answer.headers.get("Location", "")
    to = to and urllib.parse.urljoin(url, to)
    if not (follow == "follow" and to):
        break
    url = to
else:
    raise SystemExit(f"redirected for ever: {url}")
cookies.save(ignore_discard=True)
print(f"{body}\n{answer.status} {url} {to}", end="")
