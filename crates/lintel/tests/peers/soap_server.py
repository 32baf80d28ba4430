"""A SOAP service made with spyne, which validates what it gets by the schema of its WSDL.

    soap_server.py 1.1|1.2

Prints `listening PORT`. `/?wsdl` is its description; anything sent there is a call.
"""

import decimal
import logging
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

from spyne import (
    Application,
    Array,
    Boolean,
    ComplexModel,
    Decimal,
    Fault,
    Integer,
    ServiceBase,
    Unicode,
    XmlAttribute,
    rpc,
)
from spyne.protocol.soap import Soap11, Soap12
from spyne.server.wsgi import WsgiApplication

logging.getLogger("spyne").setLevel(logging.CRITICAL)
PROTOCOLS = {"1.1": Soap11, "1.2": Soap12}


class Line(ComplexModel):
    __namespace__ = "urn:orders"
    count = XmlAttribute(Integer)
    name = Unicode


class Order(ComplexModel):
    __namespace__ = "urn:orders"
    id = Integer
    total = Decimal
    paid = Boolean
    note = Unicode(nillable=True, min_occurs=1)
    lines = Array(Line)


class Orders(ServiceBase):
    @rpc(Integer(min_occurs=1, nillable=False), _returns=Order)
    def GetOrder(ctx, id):
        if id == 404:
            raise Fault("Client.NotFound", "no order 404")
        if id == 500:
            raise Fault("Server", "out of order")
        lines = [Line(count=n, name=f"<{n}> & ü") for n in range(1, id + 1)]
        return Order(id=id, total=decimal.Decimal("12.50"), paid=True, lines=lines)

    @rpc(Order, _returns=Integer)
    def PlaceOrder(ctx, order):
        return sum(line.count for line in order.lines)


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


protocol = PROTOCOLS[sys.argv[1]]
application = Application(
    [Orders], "urn:orders", in_protocol=protocol(validator="lxml"), out_protocol=protocol()
)
server = make_server("127.0.0.1", 0, WsgiApplication(application), handler_class=Quiet)
print(f"listening {server.server_port}", flush=True)
server.serve_forever()
