//! One process takes the place of another.

use std::{
    io::Read,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use lintel_server::{
    Bind, Inherited, ListenerSpec, Settings,
    handover::{self, HandoverError},
};

use crate::support::{
    Client, Gateway, Load, Origin, PATIENCE, child, generation, rules, spec, wait_for,
};

const ORIGIN: &str = "LINTEL_TEST_ORIGIN";
const SOCKET: &str = "LINTEL_TEST_SOCKET";

fn listeners(socket: PathBuf) -> [Arc<ListenerSpec>; 2] {
    let bind = Bind::Unix {
        path: socket,
        mode: None,
    };
    [
        Arc::new(spec("public")),
        Arc::new(ListenerSpec::new(vec![bind], rules("local"))),
    ]
}

/// The new process: a gateway on inherited sockets that ends with its standard input.
#[test]
fn child_takes_over() {
    let Ok(origin) = std::env::var(ORIGIN) else {
        return;
    };
    let origin: SocketAddr = origin.parse().unwrap();
    let socket = PathBuf::from(std::env::var_os(SOCKET).unwrap());
    // SAFETY: nothing else in this process knows of the descriptors.
    let inherited = unsafe { Inherited::from_env() }.unwrap();
    assert!(!inherited.is_empty());
    let settings = Settings {
        inherited,
        ..Settings::default()
    };
    let gateway = Gateway::with(settings, generation(1, "new", origin, &listeners(socket)));
    // SAFETY: likewise.
    unsafe { handover::ready() }.unwrap();
    let _end = std::io::stdin().read_to_end(&mut Vec::new());
    drop(gateway);
}

#[test]
fn no_request_fails_while_a_new_process_takes_over() {
    let origin = Origin::start();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("local.sock");
    let first = generation(1, "old", origin.address, &listeners(socket.clone()));
    let gateway = Gateway::with(Settings::default(), first);
    let address = gateway.address("public");
    let mut idle = gateway.connect("public");
    assert_eq!(idle.get("/own").body, "old");
    let load = Load::start(address, 4);
    load.await_more(100);

    let mut command = child("handover::child_takes_over");
    command
        .env(ORIGIN, origin.address.to_string())
        .env(SOCKET, &socket)
        .stdin(Stdio::piped());
    let mut new = handover::hand_over(&gateway.server, command, PATIENCE).unwrap();
    let report = gateway.server.drain(Some(PATIENCE));
    assert!(report.is_clean(), "{report:?}");
    drop(gateway);
    load.await_more(100);
    assert_eq!(load.finish(), Vec::<String>::new());
    assert_eq!(Client::connect(address).get("/own").body, "new");
    assert_eq!(Client::connect_unix(&socket).get("/own").body, "new");
    assert!(idle.is_closed());

    drop(new.stdin.take());
    assert!(new.wait().unwrap().success());
    wait_for("the end of the sockets", || {
        Client::try_connect(address).is_err()
    });
    assert!(!socket.exists());
}

#[test]
fn a_new_process_that_fails_changes_nothing() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let ended = handover::hand_over(&gateway.server, Command::new("false"), PATIENCE);
    assert!(matches!(ended, Err(HandoverError::Ended(Some(status))) if !status.success()));
    let missing = handover::hand_over(&gateway.server, Command::new("/nowhere/lintel"), PATIENCE);
    assert!(matches!(missing, Err(HandoverError::Start(_))));
    let mut slow = Command::new("sleep");
    slow.arg("600");
    let late = handover::hand_over(&gateway.server, slow, Duration::from_millis(20));
    assert!(matches!(late, Err(HandoverError::Timeout(_))));
    assert_eq!(gateway.connect("public").get("/own").body, "one");
}

#[test]
fn a_socket_of_the_service_manager_goes_to_the_listener_at_its_address() {
    let origin = Origin::start();
    let theirs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = theirs.local_addr().unwrap();
    let mut command = child("handover::child_of_a_service_manager");
    command
        .env(ORIGIN, origin.address.to_string())
        .env(SOCKET, address.to_string());
    let status = run_activated(&mut command, &theirs);
    assert!(status.success());
    // The child is gone, and its socket is still the manager's: what comes waits for the next.
    let _waiting = std::net::TcpStream::connect(address).unwrap();
}

/// Gives a process the socket as systemd does (sd_listen_fds(3)).
fn run_activated(
    command: &mut Command,
    socket: &std::net::TcpListener,
) -> std::process::ExitStatus {
    use std::os::{fd::AsRawFd, unix::process::CommandExt};
    let fd = socket.as_raw_fd();
    command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "web");
    // `LISTEN_PID` can only be known in the new process, so a shell sets it.
    let program = command.get_program().to_owned();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""])
        .arg(program)
        .args(arguments);
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap());
    }
    // SAFETY: `dup2` is async-signal-safe.
    unsafe {
        shell.pre_exec(move || match libc::dup2(fd, 3) {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
    shell.status().unwrap()
}

#[test]
fn child_of_a_service_manager() {
    let (Ok(origin), Ok(address)) = (std::env::var(ORIGIN), std::env::var(SOCKET)) else {
        return;
    };
    let address: SocketAddr = address.parse().unwrap();
    // SAFETY: nothing else in this process knows of the descriptors.
    let inherited = unsafe { Inherited::from_env() }.unwrap();
    let listener = Arc::new(ListenerSpec::new(vec![Bind::Tcp(address)], rules("public")));
    let settings = Settings {
        inherited,
        ..Settings::default()
    };
    let gateway = Gateway::with(
        settings,
        generation(1, "activated", origin.parse().unwrap(), &[listener]),
    );
    let mut clients: Vec<_> = (0..8).map(|_| Client::connect(address)).collect();
    clients
        .iter_mut()
        .for_each(|client| assert_eq!(client.get("/own").body, "activated"));
    drop(clients);
    gateway.server.drain(Some(PATIENCE));
}
