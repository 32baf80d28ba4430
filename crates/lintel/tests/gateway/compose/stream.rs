//! Legs that are passed on as they stream in.

use std::{
    io::{Read as _, Write as _},
    sync::mpsc,
};

use lintel_testkit::{Answer, Origin, PATIENCE, until};

use crate::{
    compose::legs::yaml,
    support::{Gateway, lintel},
};

fn composed(file: &Origin, other: &Origin, compose: &str) -> String {
    yaml(
        &[("files", &file.url(), ""), ("other", &other.url(), "")],
        compose,
    )
}

const LEGS: &str = "        legs:\n          \
    allowed: { service: other, get: /allowed }\n          \
    extra: { service: other, get: /extra, optional: true }\n          \
    file: { service: files, get: /file, forward: [Range], FILE }\n        \
    body: .file\n";

fn legs(file: &str) -> String {
    LEGS.replace(", FILE", file)
}

fn allowing() -> Origin {
    Origin::start(|seen| match seen.target.as_str() {
        "/allowed" => Answer::ok("true"),
        _ => Answer::new(500, &[], ""),
    })
}

#[test]
fn it_is_passed_on_as_it_is() {
    let file = Origin::start(|seen| {
        assert_eq!(seen.header("range"), Some("bytes=2-4"));
        let fields = [
            ("Content-Type", "text/csv"),
            ("Content-Range", "bytes 2-4/9"),
            ("Content-Disposition", "attachment; filename=a.csv"),
            ("ETag", "\"7\""),
            ("X-Internal", "secret"),
            ("Set-Cookie", "a=b"),
        ];
        Answer::new(206, &fields, "a,b")
    });
    let other = allowing();
    let more = "        headers: { X-Of: \"${legs.file.headers[\\\"x-internal\\\"]}\" }\n";
    let gateway = Gateway::start(&composed(&file, &other, &(legs("") + more)));
    let request = "GET /home HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\n\r\n";
    let reply = gateway.client().send(request).reply();
    assert_eq!((reply.status, &*reply.text()), (206, "a,b"));
    assert_eq!(reply.header("content-type"), Some("text/csv"));
    assert_eq!(reply.header("content-range"), Some("bytes 2-4/9"));
    assert_eq!(
        reply.header("content-disposition"),
        Some("attachment; filename=a.csv")
    );
    assert_eq!(reply.header("etag"), Some("\"7\""));
    assert_eq!(reply.header("content-length"), Some("3"));
    assert_eq!(reply.header("set-cookie"), None);
    assert_eq!(reply.header("x-internal"), None);
    assert_eq!(reply.header("x-of"), Some("secret"));
    assert_eq!(reply.header("x-partial"), Some("extra=status"));
    until("it is logged", || {
        gateway.stdout().contains("\"leg\":\"file\"").then_some(())
    });
    assert_eq!(other.seen().len(), 2);
}

#[test]
fn others_run_before_it_and_it_is_not_asked_where_they_fail() {
    let file = Origin::saying("file");
    let other = Origin::start(|_| Answer::new(403, &[], ""));
    let compose = legs("") + "        error: { status: 500, json: { error: gone } }\n";
    let gateway = Gateway::start(&composed(&file, &other, &compose));
    let reply = gateway.get("/home");
    assert_eq!(
        (reply.status, &*reply.text()),
        (500, "{\"error\":\"gone\"}")
    );
    assert!(file.seen().is_empty());
}

#[test]
fn its_status_decides_what_is_passed_on() {
    for (status, leg, more, expected, body) in [
        (200, "", "", 200, "<html>"),
        (201, "", "", 201, "<html>"),
        (200, "", "        status: '203'\n", 203, "<html>"),
        (404, ", expect: { 404: body }", "", 404, "<html>"),
        (
            404,
            ", expect: { 404: body }",
            "        status: 'legs.file.status == 404 ? 410 : 200'\n",
            410,
            "<html>",
        ),
        (
            404,
            ", expect: { 404: { none: 1 } }",
            "",
            200,
            "{\"none\":1}",
        ),
        (500, ", fallback: []", "", 200, "[]"),
        (200, ", when: 'false'", "", 200, "null"),
        (200, ", max_body: 1KiB, optional: true", "", 200, "null"),
    ] {
        let file = Origin::start(move |_| Answer::new(status, &[], "<html>"));
        let other = allowing();
        let gateway = Gateway::start(&composed(&file, &other, &(legs(leg) + more)));
        let reply = gateway.get("/home");
        assert_eq!(
            (reply.status, &*reply.text()),
            (expected, body),
            "{status}{leg}{more}"
        );
    }
    let file = Origin::start(|_| Answer::new(500, &[], "secret"));
    let other = allowing();
    let gateway = Gateway::start(&composed(&file, &other, &legs("")));
    let reply = gateway.get("/home");
    assert_eq!(reply.status, 502);
    assert!(!reply.text().contains("secret"));
}

#[test]
fn an_upstream_that_dies_in_the_middle_never_looks_like_its_end() {
    for broken in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
    ] {
        let file = Origin::start(move |_| Answer::bytes_then_close(broken));
        let other = allowing();
        let gateway = Gateway::start(&composed(&file, &other, &legs("")));
        let reply = gateway.get("/home");
        assert_eq!((reply.status, reply.complete), (200, false), "{broken:?}");
        assert_eq!(reply.text(), "only this");
    }
}

#[test]
fn a_client_that_leaves_does_not_hold_the_service() {
    let (tell, told) = mpsc::channel();
    let file = Origin::start(move |_| {
        let tell = tell.clone();
        Answer::script(move |stream| {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegin";
            stream.write_all(head.as_bytes()).unwrap();
            // Until the gateway closes the connection.
            while let Ok(1..) = stream.read(&mut [0; 64]) {}
            let _ = tell.send(());
        })
    });
    let other = allowing();
    let gateway = Gateway::start(&composed(&file, &other, &legs("")));
    let mut client = gateway.client();
    client.request("GET", "/home");
    assert_eq!(client.head().unwrap().0, 200);
    assert_eq!(client.bytes(5), b"begin");
    drop(client);
    told.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_leg_that_somebody_reads_is_had_whole_first() {
    let (file, other) = (Origin::saying("<html>"), allowing());
    let streams = |compose: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.yaml");
        std::fs::write(&path, composed(&file, &other, compose)).unwrap();
        let out = lintel(&["explain", path.to_str().unwrap(), "GET", "/home"]);
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(out.status.success(), "{text}");
        text.contains(".file (as it streams in)")
    };
    assert!(streams(&legs("")));
    assert!(streams(&(legs("") + "        status: legs.file.status\n")));
    for (leg, more) in [
        (", max_body: 1MiB", ""),
        (", for_each: '[1]'", ""),
        ("", "        errors: _errors\n"),
        ("", "        headers: { X-A: \"${legs.file.body.a}\" }\n"),
        ("", "        status: 'legs.file.body.a == 1 ? 200 : 201'\n"),
    ] {
        assert!(!streams(&(legs(leg) + more)), "{leg}{more}");
    }
    for awaited in [
        legs("").replace("/extra,", "/extra, after: [file],"),
        legs("").replace("/extra,", "\"/extra/${legs.file.status}\","),
        legs("").replace("body: .file", "body: '{ file }'"),
    ] {
        assert!(!streams(&awaited), "{awaited}");
    }
}
