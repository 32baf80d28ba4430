//! Clients that leave while their request's body waits to be read.

use std::{
    io::{ErrorKind, Write},
    net::TcpStream,
};

use socket2::SockRef;

use crate::support::{Gateway, Origin, spec, wait_for};

/// More than all the buffers on the way to an upstream that reads nothing will take.
const LENGTH: u64 = 1 << 30;

fn is_quiet(gateway: &Gateway) -> bool {
    let status = gateway.server.status();
    status.iter().all(|worker| worker.active == 0)
}

#[test]
fn a_client_that_resets_cancels_the_request_that_is_not_read() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut client = TcpStream::connect(gateway.address("public")).unwrap();
    let head = format!("POST /unread HTTP/1.1\r\nHost: a.test\r\nContent-Length: {LENGTH}\r\n\r\n");
    client.write_all(head.as_bytes()).unwrap();
    wait_for("the request", || origin.held() == 1);
    client.set_nonblocking(true).unwrap();
    let mut sent = 0;
    let mut stuck = 0;
    wait_for("the way to be full", || {
        match client.write(&[b'x'; 64 * 1024]) {
            Ok(more) => {
                sent += more;
                stuck = 0;
                false
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                stuck += 1;
                stuck > 100
            }
            Err(error) => panic!("{error}"),
        }
    });
    assert!((sent as u64) < LENGTH);
    assert!(!is_quiet(&gateway));
    SockRef::from(&client)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(client);
    // The origin's end comes behind all that waits for it to read.
    wait_for("the request to be cancelled", || is_quiet(&gateway));
}
