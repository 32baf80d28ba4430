"""A SOAP client made with zeep, which goes by the WSDL of soap_server.py.

    soap_client.py WSDL_PORT CALL_PORT

Fetches the description from one port and calls another. Exits with 0 when everything was as it should be.
"""

import decimal
import sys

import zeep

wsdl, port = sys.argv[1:]
client = zeep.Client(f"http://127.0.0.1:{wsdl}/?wsdl")
binding = next(iter(client.wsdl.bindings))
service = client.create_service(binding, f"http://127.0.0.1:{port}/")


def same(left, right):
    assert left == right, f"{left!r:.400} is not {right!r:.400}"


order = service.GetOrder(id=2)
same((order.id, order.total, order.paid), (2, decimal.Decimal("12.50"), True))
same([(line.count, line.name) for line in order.lines.Line], [(1, "<1> & ü"), (2, "<2> & ü")])
same(order.note, None)
lines = {"Line": [{"count": 3, "name": "a < b"}, {"count": 4, "name": "c"}]}
same(service.PlaceOrder(order={"id": 1, "total": "1.5", "note": None, "lines": lines}), 7)
for wrong, words in [(404, "no order 404"), (500, "out of order")]:
    try:
        service.GetOrder(id=wrong)
        raise AssertionError(f"no fault for {wrong}")
    except zeep.exceptions.Fault as fault:
        same(fault.message, words)
