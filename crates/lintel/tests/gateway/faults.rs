//! Peers that are broken, slow or hostile.

use std::{io, sync::mpsc};

use lintel_testkit::{Answer, Origin, PATIENCE};

use crate::support::{Gateway, on_listener, to_origin};

#[test]
fn an_upstream_that_dies_in_a_body_never_looks_like_its_end() {
    for broken in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
    ] {
        let origin = Origin::start(move |_| Answer::bytes_then_close(broken));
        let gateway = Gateway::start(&to_origin(&origin, ""));
        let reply = gateway.get("/x");
        assert_eq!((reply.status, reply.complete), (200, false), "{broken:?}");
    }
}

#[test]
fn answers_that_break_the_rules_are_502() {
    for broken in [
        "no HTTP at all\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
    ] {
        let origin = Origin::start(move |_| Answer::bytes_then_close(broken));
        let gateway = Gateway::start(&to_origin(&origin, ""));
        assert_eq!(gateway.get("/x").status, 502, "{broken:?}");
    }
}

#[test]
fn a_kept_connection_that_has_died_costs_no_request() {
    let origin = Origin::start(|_| {
        Answer::bytes_then_close("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    });
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let mut client = gateway.client();
    (0..20).for_each(|_| assert_eq!(client.get("/x").text(), "ok"));
}

#[test]
fn requests_of_two_meanings_are_refused_and_the_connection_closed() {
    let origin = Origin::saying("");
    let gateway = Gateway::start(&to_origin(&origin, ""));
    for fields in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: 4, 5\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length : 4\r\n",
        "X-Folded: a\r\n b\r\n",
        "X-Bare: a\nContent-Length: 4\r\n",
        "X-Null: a\0b\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Host: other\r\n",
    ] {
        let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n";
        let mut client = gateway.client();
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: test\r\n{fields}\r\n{smuggled}"
        ));
        let reply = client.reply();
        assert_eq!(reply.status, 400, "{fields:?}");
        assert_eq!(reply.header("connection"), Some("close"), "{fields:?}");
        assert!(client.is_closed(), "{fields:?}");
    }
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());
}

#[test]
fn broken_chunks_end_the_connection() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&to_origin(&origin, ""));
    for chunks in [
        "4x\r\nabcd\r\n0\r\n\r\n",
        "-1\r\n",
        "fffffffffffffffff\r\n",
        "2\r\nabc\r\n0\r\n\r\n",
    ] {
        let mut client = gateway.client();
        client.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.send(chunks).request("GET", "/smuggled");
        assert_eq!(client.reply().status, 400, "{chunks:?}");
        assert!(client.is_closed(), "{chunks:?}");
    }
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());
}

#[test]
fn a_head_that_never_ends_is_408() {
    let origin = Origin::saying("");
    let yaml = on_listener(&to_origin(&origin, ""), "limits: { header_timeout: 200ms }");
    let gateway = Gateway::start(&yaml);
    let mut client = gateway.client();
    let reply = client.send("GET / HTTP/1.1\r\nHost: te").reply();
    assert_eq!((reply.status, client.is_closed()), (408, true));
}

#[test]
fn a_client_that_has_said_everything_is_answered() {
    let origin = Origin::saying("still here");
    let yaml = on_listener(&to_origin(&origin, ""), "half_close: finish");
    let gateway = Gateway::start(&yaml);
    let mut client = gateway.client();
    assert_eq!(
        client.request("GET", "/").finish().reply().text(),
        "still here"
    );
    assert!(client.is_closed());
}

#[test]
fn a_client_that_leaves_does_not_hold_its_upstream() {
    let (let_go, noticed) = mpsc::channel();
    let origin = Origin::start(move |_| {
        let let_go = let_go.clone();
        Answer::script(move |stream| {
            let _ = io::copy(stream, &mut io::sink());
            let_go.send(()).unwrap();
        })
    });
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let mut client = gateway.client();
    client.request("GET", "/");
    origin.until_seen(1);
    drop(client);
    noticed.recv_timeout(PATIENCE).unwrap();
}
