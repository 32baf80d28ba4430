//! Making listening sockets.

use std::{
    fs, io,
    net::SocketAddr,
    os::{
        fd::OwnedFd,
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
