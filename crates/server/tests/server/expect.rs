//! `Expect: 100-continue` goes to the upstream, which decides whether it wants the body.

use crate::support::{Client, Gateway, Origin, spec};

fn ask(client: &mut Client, path: &str) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    );
    client.send(head).unwrap();
}

#[test]
fn an_upstream_may_refuse_before_the_body() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut client = gateway.connect("public");
    ask(&mut client, "/refuse");
    let answer = client.answer().unwrap();
    // Without a 100 before it. Whether the body comes is open, so the connection can't go on.
    assert_eq!((answer.status, answer.closes()), (401, true));
}

#[test]
fn an_upstream_asks_for_the_body() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut client = gateway.connect("public");
    ask(&mut client, "/continue");
    assert_eq!(client.answer().unwrap().status, 100);
    client.send("hello").unwrap();
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, &*answer.body), (200, "5"));
    assert_eq!(client.get("/hello").body, "hello");
}

#[test]
fn an_upstream_that_knows_nothing_of_it_gets_the_body_all_the_same() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut client = gateway.connect("public");
    ask(&mut client, "/length");
    assert_eq!(client.answer().unwrap().status, 100);
    client.send("hello").unwrap();
    assert_eq!(client.answer().unwrap().body, "5");
}
