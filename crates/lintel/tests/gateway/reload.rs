//! Another configuration while the gateway runs.

use std::{fs, net::TcpListener, thread};

use lintel_testkit::{Answer, Client, Origin, until};
use serde_json::Value;

use crate::support::{Gateway, Load, lintel, to_origin, with_routes};

#[test]
fn a_changed_file_serves_without_being_asked_for() {
    let gateway = Gateway::start(&saying("one"));
    assert_eq!(gateway.get("/").text(), "one");
    gateway.write(&saying("two"));
    until("the new answer is given", || {
        (gateway.get("/").text() == "two").then_some(())
    });
}

#[test]
fn a_file_that_changes_before_it_is_watched_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    fs::write(&said, "one").unwrap();
    // A store that is asked before anything is watched, and answers nothing until the file has changed.
    let store = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = store.local_addr().unwrap().port();
    let changed = said.clone();
    let storing = thread::spawn(move || {
        let asked = store.accept().unwrap();
        fs::write(changed, "two").unwrap();
        drop(asked);
    });
    let gateway = Gateway::start(&with_routes(&format!(
        "stores: {{ shared: {{ redis: {{ url: \"redis://127.0.0.1:{port}\", timeout: 10s }} }} }}\n\
         revocations: {{ store: shared, poll: 1h }}\n\
         routes: {{ all: {{ match: {{ path: /* }}, to: {{ respond: {{ status: 200, body: \"${{file.{}}}\" }} }} }} }}",
        said.display()
    )));
    storing.join().unwrap();
    until("the new answer is given", || {
        (gateway.get("/").text() == "two").then_some(())
    });
}

#[test]
fn a_broken_file_is_refused_and_the_last_good_one_serves_on() {
    let gateway = Gateway::start(&saying("one"));
    gateway.write(&saying("two").replace("routes:", "rotues:"));
    gateway.until_logged("the new configuration is refused");
    assert_eq!(gateway.get("/").text(), "one");
    let shown = status(&gateway);
    assert_eq!(shown["serving"]["generation"], 1);
    let report = shown["refused"]["report"].as_str().unwrap();
    assert!(
        report.contains("rotues") && report.contains("routes"),
        "{report}"
    );
    assert!(report.contains("gateway.yaml:5"), "{report}");
    gateway.write(&saying("three"));
    assert_eq!(gateway.reload().status.code(), Some(0));
    assert_eq!(gateway.get("/").text(), "three");
    assert!(status(&gateway)["refused"].is_null());
}

#[test]
fn the_reload_command_says_what_came_of_it() {
    let gateway = Gateway::start_unwatched(&saying("one"));
    let outcome = gateway.reload();
    assert_eq!(outcome.status.code(), Some(0));
    assert!(text(&outcome.stdout).starts_with("unchanged"));

    gateway.write(&saying("two"));
    let outcome = gateway.reload();
    assert_eq!(outcome.status.code(), Some(0), "{}", text(&outcome.stderr));
    assert_eq!(text(&outcome.stdout), "applied: generation 2 serves\n");
    assert_eq!(gateway.get("/").text(), "two");

    gateway.write("version: 1\nlisteners: {}\n");
    let outcome = gateway.reload();
    assert_eq!(outcome.status.code(), Some(1));
    assert!(text(&outcome.stderr).contains("listeners"));
    let told = lintel(&["status", "--admin", &gateway.admin().to_string()]);
    assert_eq!(told.status.code(), Some(0));
    assert!(text(&told.stdout).contains("a newer configuration is refused"));
}

#[test]
fn a_reload_of_nobody_fails() {
    let nobody = Origin::nobody();
    let outcome = lintel(&["reload", "--admin", &nobody]);
    assert_eq!(outcome.status.code(), Some(1));
    assert!(text(&outcome.stderr).contains("no gateway answers"));
}

#[test]
fn sighup_reloads() {
    let gateway = Gateway::start_unwatched(&saying("one"));
    gateway.write(&saying("two"));
    gateway.signal(libc::SIGHUP);
    until("the new answer is given", || {
        (gateway.get("/").text() == "two").then_some(())
    });
    gateway.until_logged("by=signal");
}

#[test]
fn fifty_reloads_under_load_fail_no_request() {
    let origin = Origin::saying("ok");
    let gateway = Gateway::start_unwatched(&to_origin(&origin, ""));
    let load = Load::start(gateway.public());
    for round in 0..50 {
        gateway.write(&to_origin(&origin, &format!("timeout: {}s", round + 1)));
        let reply = Client::connect(gateway.admin())
            .request("POST", "/config/reload")
            .reply();
        let outcome: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(outcome["generation"], round + 2, "{outcome}");
        load.until_answered(4);
    }
    assert_eq!(load.stop(), [""; 0]);
    until("no old generation is held any more", || {
        let alive = status(&gateway)["generations_alive"]
            .as_array()
            .unwrap()
            .len();
        (alive == 1).then_some(())
    });
}

#[test]
fn connections_to_an_unchanged_service_are_carried_over() {
    let origin = Origin::saying("ok");
    let gateway = Gateway::start_unwatched(&to_origin(&origin, ""));
    let mut client = gateway.client();
    client.get("/");
    gateway.write(&to_origin(&origin, "timeout: 7s"));
    assert_eq!(gateway.reload().status.code(), Some(0));
    client.get("/");
    assert_eq!((origin.seen().len(), origin.connections()), (2, 1));
}

#[test]
fn a_tunnel_outlives_the_configuration_it_began_with() {
    let origin = Origin::start(|_| Answer::echo_tunnel("websocket"));
    let gateway = Gateway::start_unwatched(&to_origin(&origin, ""));
    let mut client = gateway.client();
    client.send(
        "GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    let switched = client.reply();
    assert_eq!(
        (switched.status, switched.header("upgrade")),
        (101, Some("websocket"))
    );
    assert_eq!(
        client.send([0x81, 0x02, 0, b'\n']).bytes(4),
        [0x81, 0x02, 0, b'\n']
    );
    gateway.write(&saying("all is different now"));
    assert_eq!(gateway.reload().status.code(), Some(0));
    assert_eq!(gateway.get("/").text(), "all is different now");
    assert_eq!(client.send("still here").bytes(10), b"still here");
}

fn saying(body: &str) -> String {
    with_routes(&format!(
        "routes: {{ all: {{ match: {{ path: / }}, to: {{ respond: {{ body: {body} }} }} }} }}"
    ))
}

fn status(gateway: &Gateway) -> Value {
    serde_json::from_slice(&gateway.ask("/config/status").body).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
