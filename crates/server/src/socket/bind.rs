//! Making listening sockets.

use std::{
    fs, io,
    net::SocketAddr,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    },
    path::Path,
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Identifies a file, whatever becomes of its name.
pub(super) type Inode = (u64, u64);

/// One socket for each worker on the same address, not listening yet, and the address with its
/// real port.
///
/// The first is bound without `SO_REUSEPORT`, so that a foreign process that listens there is
/// noticed even if it would share the port. `beside_own` binds next to sockets of this process, as
/// for `127.0.0.1:80` while `0.0.0.0:80` is still open.
pub(super) fn tcp(
    address: SocketAddr,
    count: usize,
    beside_own: bool,
) -> io::Result<(Vec<OwnedFd>, SocketAddr)> {
    let first = tcp_socket(address)?;
    first.set_reuse_port(beside_own)?;
    first.bind(&address.into())?;
    first.set_reuse_port(true)?;
    let bound = actual(&first)?;
    let mut sockets = vec![first.into()];
    sockets.extend(more_tcp(bound, count.saturating_sub(1))?);
    Ok((sockets, bound))
}

/// Further sockets beside one that has `SO_REUSEPORT`.
pub(super) fn more_tcp(address: SocketAddr, count: usize) -> io::Result<Vec<OwnedFd>> {
    let one = || {
        let socket = tcp_socket(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        Ok(socket.into())
    };
    (0..count).map(|_| one()).collect()
}

fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    // Connections of an earlier process in TIME_WAIT don't keep the port from being bound.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

pub(super) fn actual(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?.as_socket();
    address.ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
}

/// A Unix socket, not listening yet. A socket file that nobody listens on any more is replaced.
pub(super) fn unix(path: &Path, mode: Option<u32>) -> io::Result<(OwnedFd, Option<Inode>)> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if let Some(mode) = mode {
        // Linux gives the file the mode of the socket, less the umask: it is never more open than
        // it is to be, and nobody can connect before it listens.
        fs::File::from(OwnedFd::from(socket.try_clone()?))
            .set_permissions(fs::Permissions::from_mode(mode))?;
    }
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path, &address)?;
            socket.bind(&address)?;
        }
        bound => bound?,
    }
    if let Some(mode) = mode {
        set_mode(path, mode)?;
    }
    Ok((socket.into(), inode(path)))
}

fn remove_stale(path: &Path, address: &SockAddr) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(io::Error::from_raw_os_error(libc::EADDRINUSE)),
    }
}

pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

pub(super) fn inode(path: &Path) -> Option<Inode> {
    let file = fs::symlink_metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

/// Makes the kernel ignore requests for new connections on a listening socket, while handshakes that
/// have begun go on: so that the queue can be emptied before the socket is closed, and no client
/// whose connection stands is reset. Whoever asks anew meanwhile is refused after the close.
///
/// # Errors
///
/// The kernel takes no filter.
pub(crate) fn refuse_handshakes(socket: &impl AsFd) -> io::Result<()> {
    /// Where the flags are in a TCP header (RFC 9293 §3.1).
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ALL: u32 = u32::MAX;
    let step = |code: u32, k, jt, jf| libc::sock_filter {
        // All of these codes are below 2^16.
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    let mut program = [
        step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, FLAGS, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, SYN, 1, 0),
        step(libc::BPF_RET | libc::BPF_K, ALL, 0, 0),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ];
    let program = libc::sock_fprog {
        len: 4,
        filter: program.as_mut_ptr(),
    };
    let size = libc::socklen_t::try_from(size_of_val(&program)).unwrap_or_default();
    // SAFETY: the option reads a `sock_fprog` whose filter has as many steps as it says.
    let set = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size,
        )
    };
    if set == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
