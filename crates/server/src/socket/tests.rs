#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{
    fs,
    io::ErrorKind,
    net::{TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt, net::UnixListener},
    },
};

use socket2::SockRef;

use super::{bind, bound::adopt, *};
use crate::{inherited::ListeningFd, spec::Bind};

fn any() -> Bind {
    Bind::Tcp("127.0.0.1:0".parse().unwrap())
}

fn ours(sockets: Vec<OwnedFd>) -> Vec<ListeningFd> {
    sockets
        .into_iter()
        .map(|fd| ListeningFd { fd, kept: false })
        .collect()
}

fn theirs(socket: TcpListener, kept: bool) -> ListeningFd {
    ListeningFd {
        fd: socket.into(),
        kept,
    }
}

#[test]
fn a_queue_can_be_emptied_while_no_new_connection_comes_in() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let _before = TcpStream::connect(address).unwrap();
    refuse_handshakes(&listener).unwrap();
    let soon = std::time::Duration::from_millis(50);
    let error = TcpStream::connect_timeout(&address, soon).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_ok());
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn every_worker_has_a_socket_on_the_one_port() {
    let (sockets, address) = bind::tcp("127.0.0.1:0".parse().unwrap(), 3, false).unwrap();
    assert_eq!(sockets.len(), 3);
    for socket in &sockets {
        assert_eq!(bind::actual(&SockRef::from(socket)).unwrap(), address);
        SockRef::from(socket).listen(16).unwrap();
    }
    let _connection = TcpStream::connect(address).unwrap();
}

#[test]
fn a_port_that_anybody_listens_on_is_taken() {
    let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = bind::tcp(foreign.local_addr().unwrap(), 2, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let (own, address) = bind::tcp("127.0.0.1:0".parse().unwrap(), 2, false).unwrap();
    own.iter()
        .for_each(|socket| SockRef::from(socket).listen(16).unwrap());
    assert_eq!(
        bind::tcp(address, 1, false).unwrap_err().kind(),
        ErrorKind::AddrInUse
    );
    assert!(bind::tcp(address, 1, true).is_ok());
}

#[test]
fn the_socket_of_a_dead_process_is_replaced_and_of_a_live_one_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let live = UnixListener::bind(&path).unwrap();
    assert_eq!(
        bind::unix(&path, None).unwrap_err().kind(),
        ErrorKind::AddrInUse
    );
    drop(live);
    assert!(path.exists());
    let (_socket, file) = bind::unix(&path, Some(0o600)).unwrap();
    assert!(file.is_some());
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let other = folder.path().join("file");
    fs::write(&other, "precious").unwrap();
    assert!(bind::unix(&other, None).is_err());
    assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
}

/// The umask of the tests lets others read at least, which the mode takes away before the name is there.
#[test]
fn a_unix_socket_is_never_more_open_than_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o600, 0o660, 0o666, 0o777] {
        let path = folder.path().join(format!("{mode:o}.sock"));
        let (socket, _) = bind::unix(&path, Some(mode)).unwrap();
        let file = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(file, mode, "{mode:o}");
        let own = fs::File::from(socket).metadata().unwrap().permissions();
        assert_eq!(own.mode() & 0o777, mode, "{mode:o}");
    }
}

#[test]
fn sockets_from_elsewhere_are_shared_if_they_can_not_be_joined() {
    let alone = TcpListener::bind("127.0.0.1:0").unwrap();
    let bound = adopt(&any(), vec![theirs(alone, true)], 3).unwrap();
    assert!(bound.shared && bound.sockets.len() == 1);
    let mut dealt: Vec<Vec<_>> = (0..3).map(|_| Vec::new()).collect();
    bound.deal(&"k".into(), &mut dealt).unwrap();
    assert!(dealt.iter().all(|hand| hand.len() == 1));

    let (group, _) = bind::tcp("127.0.0.1:0".parse().unwrap(), 2, false).unwrap();
    let bound = adopt(&any(), ours(group), 3).unwrap();
    assert!(!bound.shared && bound.sockets.len() == 3);
    let (group, _) = bind::tcp("127.0.0.1:0".parse().unwrap(), 5, false).unwrap();
    let bound = adopt(&any(), ours(group), 2).unwrap();
    let mut dealt: Vec<Vec<_>> = (0..2).map(|_| Vec::new()).collect();
    bound.deal(&"k".into(), &mut dealt).unwrap();
    assert_eq!(dealt.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2]);
}
