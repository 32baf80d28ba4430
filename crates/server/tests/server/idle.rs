//! What a connection costs while nothing happens on it.

use std::{io::Write, net::TcpStream};

use crate::support::{Gateway, Origin, child, heap, spec, wait_for};

const CHILD: &str = "LINTEL_TEST_IDLE";
const CONNECTIONS: usize = 400;

/// Runs in a process of its own: it counts all that is allocated.
#[test]
fn child_with_idle_connections() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let address = gateway.address("public");
    let open = |count| -> Vec<TcpStream> {
        let mut clients: Vec<_> = (0..count)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        for client in &mut clients {
            client
                .write_all(b"GET /own HTTP/1.1\r\nHost: a.test\r\n\r\n")
                .unwrap();
            let mut first = [0];
            assert_eq!(client.peek(&mut first).unwrap(), 1);
        }
        wait_for("rest", || {
            gateway
                .server
                .status()
                .iter()
                .all(|worker| worker.active == 0)
        });
        clients
    };
    // Tables that grow by doubling have grown by then.
    let warm = open(CONNECTIONS);
    let before = heap::live();
    let clients = open(CONNECTIONS);
    assert_eq!(gateway.connections(), 2 * CONNECTIONS);
    let each = (heap::live() - before) / CONNECTIONS.cast_signed();
    println!("{each} bytes of heap for an idle HTTP/1 connection");
    assert!(each <= 4096, "{each} bytes");
    drop((warm, clients));
}

/// DESIGN §2 gives an idle keep-alive connection 6 KiB in all.
#[test]
fn an_idle_connection_takes_at_most_4_kib_of_heap() {
    let status = child("idle::child_with_idle_connections")
        .env(CHILD, "1")
        .status()
        .unwrap();
    assert!(status.success());
}
