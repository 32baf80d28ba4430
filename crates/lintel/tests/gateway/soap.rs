//! A SOAP service of spyne, which validates by its schema, and zeep, a client that goes by its WSDL.

use serde_json::{Value, json};

use crate::support::{Gateway, Peer, curl, with_routes};

/// JSON in front of the service.
fn in_front_of(soap: &Peer, version: &str) -> Gateway {
    let port = soap.port();
    Gateway::start(&with_routes(&format!(
        "services: {{ orders: {{ endpoints: [\"http://127.0.0.1:{port}\"] }} }}\n\
         defaults: {{ policies: {{ xml_json: {{ service: xml,\n\
           soap: {{ version: \"{version}\", faults: {{ NotFound: 404 }} }},\n\
           namespaces: {{ \"\": \"urn:orders\" }}, arrays: [//Line],\n\
           types: {{ //total: number, //id: integer, //paid: boolean, //Line/@count: integer, /*/PlaceOrderResult: integer }} }} }} }}\n\
         routes:\n\
         \x20 order:\n\
         \x20   match: {{ path: \"/orders/{{id}}\" }}\n\
         \x20   policies:\n\
         \x20     rewrite: {{ path: / }}\n\
         \x20     xml_json: {{ service: xml, soap: {{ version: \"{version}\", action: GetOrder, faults: {{ NotFound: 404 }} }},\n\
         \x20       namespaces: {{ \"\": \"urn:orders\" }}, arrays: [//Line],\n\
         \x20       types: {{ //total: number, //id: integer, //paid: boolean, //Line/@count: integer }},\n\
         \x20       request: {{ root: GetOrder, fields: {{ id: \"${{path.id}}\" }} }}, response: {{ root: GetOrderResponse }} }}\n\
         \x20   to: orders\n\
         \x20 calls: {{ match: {{ path: / }}, to: orders }}\n"
    )))
}

fn ask(gateway: &Gateway, path: &str, more: &[&str]) -> (String, Value) {
    let url = format!("http://{}{path}", gateway.public());
    let end = "\n%{http_code} %{content_type}";
    let answer = curl(&[more, &["-s", "-w", end, &url]].concat());
    let (body, end) = answer.rsplit_once('\n').unwrap();
    (end.to_owned(), serde_json::from_str(body).unwrap())
}

#[test]
fn clients_of_json_use_a_service_of_soap() {
    for version in ["1.1", "1.2"] {
        let soap = Peer::start("soap_server.py", &[version]);
        let gateway = in_front_of(&soap, version);
        let lines = [
            json!({ "@count": 1, "name": "<1> & ü" }),
            json!({ "@count": 2, "name": "<2> & ü" }),
        ];
        for count in [1, 2] {
            let (end, order) = ask(&gateway, &format!("/orders/{count}"), &[]);
            assert_eq!(end, "200 application/json", "{order}");
            let result = json!({ "id": count, "total": 12.5, "paid": true, "note": null,
                "lines": { "Line": lines[..count] } });
            assert_eq!(order, json!({ "GetOrderResult": result }), "{version}");
        }
        let (end, fault) = ask(&gateway, "/orders/404", &[]);
        assert_eq!(end, "404 application/problem+json");
        assert_eq!(
            (&fault["detail"], &fault["code"]),
            (&json!("no order 404"), &json!("soap_fault"))
        );
        // What breaks its schema breaks this service where it speaks 1.2.
        if version == "1.1" {
            let (end, fault) = ask(&gateway, "/orders/many", &[]);
            assert_eq!(end, "400 application/problem+json", "{fault}");
        }

        let order = json!({ "PlaceOrder": { "order": { "id": 1, "note": null,
            "lines": { "Line": [{ "@count": 3, "name": "a<b" }, { "@count": 4, "name": "c" }] } } } });
        let order = order.to_string();
        let json = ["-H", "Content-Type: application/json", "-d", &order];
        let (end, placed) = ask(&gateway, "/", &json);
        assert_eq!(end, "200 application/json", "{placed}");
        assert_eq!(
            placed,
            json!({ "PlaceOrderResponse": { "PlaceOrderResult": 7 } })
        );
    }
}

#[test]
fn a_client_of_soap_uses_a_service_of_json() {
    for version in ["1.1", "1.2"] {
        // What the services of JSON say, and expect, is what the one of SOAP does.
        let soap = Peer::start("soap_server.py", &[version]);
        let service = in_front_of(&soap, version);
        let gateway = Gateway::start(&with_routes(&format!(
            "services: {{ orders: {{ endpoints: [\"http://{}\"] }} }}\n\
             routes: {{ orders: {{ match: {{ path: / }}, to: orders, policies: {{ xml_json: {{ service: json, soap: {{}},\n\
               namespaces: {{ \"\": \"urn:orders\" }}, arrays: [//Line], types: {{ //Line/@count: integer }} }} }} }} }}",
            service.public()
        )));
        let wsdl = soap.port().to_string();
        let ports = [
            soap.port(),
            service.public().port(),
            gateway.public().port(),
        ];
        for port in ports.map(|port| port.to_string()) {
            // To the service itself, past a gateway that knows JSON alone, and through both.
            Peer::run("soap_client.py", &[&wsdl, &port]);
        }
    }
}

#[test]
fn a_document_that_grows_is_refused_before_it_does() {
    let gateway = Gateway::start(&with_routes(
        "routes: { all: { match: { path: / }, to: { respond: { status: 200 } }, policies: { xml_json: { service: json } } } }",
    ));
    let entities: String = (1..10)
        .map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)))
        .collect();
    let laughs = format!("<!DOCTYPE a [<!ENTITY l0 \"lol\">{entities}]><a>&l9;</a>");
    let nested = "<a>".repeat(200_000);
    for body in [laughs, nested] {
        let length = body.len();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nAccept: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        let reply = gateway.client().send(request.as_bytes()).reply();
        let problem: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(
            (reply.status, &problem["code"]),
            (400, &json!("body_unfit"))
        );
    }
}
