//! Running out of file descriptors.

use std::fs::File;

use crate::support::{Gateway, Origin, child, spec, wait_for};

const CHILD: &str = "LINTEL_TEST_FILES";

/// Runs in a process of its own: it takes all descriptors there are.
#[test]
fn child_without_files() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut open = gateway.connect("public");
    assert_eq!(open.get("/hello").status, 200);

    // Room for one more connection: this end of it takes the last descriptor.
    let limit = libc::rlimit {
        rlim_cur: 256,
        rlim_max: 256,
    };
    // SAFETY: reads a valid `rlimit`.
    assert_eq!(
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) },
        0
    );
    let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    files.pop();
    let mut waiting = gateway.connect("public");
    waiting
        .send("GET /own HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .unwrap();
    let refused = || gateway.metric("lintel_connections_refused_total", "out_of_resources");
    wait_for("the shortage", || refused() >= 1.0);

    // What is open is served on.
    assert_eq!(open.get("/hello").body, "hello");
    assert_eq!(open.get("/own").body, "one");

    // And once there is room again, so is what waited.
    drop(files);
    assert_eq!(waiting.answer().unwrap().body, "one");
    assert_eq!(gateway.connect("public").get("/hello").status, 200);
}

#[test]
fn without_file_descriptors_open_connections_are_served_on() {
    let status = child("resources::child_without_files")
        .env(CHILD, "1")
        .status()
        .unwrap();
    assert!(status.success());
}
