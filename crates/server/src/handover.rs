//! Handing the listening sockets over to a new process, so that no connection is refused while one
//! takes the place of the other.
//!
//! The new process inherits the very sockets with everything in their queues. Both accept until the
//! old one drains; if the new one does not come up, the old one has changed nothing.

use std::{
    env, fmt,
    io::{self, Read as _},
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use crate::{inherited, server::Server};

/// The variable that names the descriptor to report readiness on.
const READY: &str = "LINTEL_READY_FD";

/// What a new process writes once it accepts connections.
const IS_READY: u8 = b'1';

/// Why a hand-over failed. The new process is gone, and this one serves on.
#[derive(Debug)]
pub enum HandoverError {
    /// The new process could not be started.
    Start(io::Error),
    /// The new process ended before it was ready. Its reason is in its log.
    Ended(Option<ExitStatus>),
    /// The new process was not ready in time, and was killed.
    Timeout(Duration),
}

/// Starts a new process that takes over the server's sockets, and waits until it says that it is
/// [`ready`]. Files of Unix sockets then stay when the server drains, which is the next thing to do.
///
/// Blocks; call it from a control thread.
///
/// # Errors
///
/// The new process does not come up within `timeout`.
pub fn hand_over(
    server: &Server,
    mut command: Command,
    timeout: Duration,
) -> Result<Child, HandoverError> {
    let sockets = server.passed();
    let (reader, writer) = io::pipe().map_err(HandoverError::Start)?;
    let mut passed: Vec<RawFd> = sockets.iter().map(|socket| socket.fd).collect();
    passed.push(writer.as_raw_fd());
    command
        .env(inherited::SOCKETS, inherited::format(&sockets))
        .env(READY, writer.as_raw_fd().to_string());
    // A service manager's sockets are among those passed on, under our own keys.
    command
        .env_remove("LISTEN_FDS")
        .env_remove("LISTEN_PID")
        .env_remove("LISTEN_FDNAMES");
    // SAFETY: between fork and exec only `fcntl` is called, which is async-signal-safe
    // (signal-safety(7)), on memory that was allocated before.
    unsafe { command.pre_exec(move || passed.iter().try_for_each(|fd| keep_open(*fd))) };
    let mut child = command.spawn().map_err(HandoverError::Start)?;
    drop(writer);
    match await_ready(reader, timeout) {
        Ok(true) => {
            server.handed_over();
            Ok(child)
        }
        Ok(false) => Err(HandoverError::Ended(end(&mut child))),
        Err(error) => {
            end(&mut child);
            Err(if error.kind() == io::ErrorKind::TimedOut {
                HandoverError::Timeout(timeout)
            } else {
                HandoverError::Start(error)
            })
        }
    }
}

/// Tells the process that started this one that it accepts connections. Does nothing in a process
/// that was not started by [`hand_over`].
///
/// # Errors
///
/// The other process can't be told: it is gone.
///
/// # Safety
///
/// Takes a descriptor into possession and closes it: call it once, before anything else could own
/// it.
pub unsafe fn ready() -> io::Result<()> {
    let Some(fd) = env::var(READY).ok().and_then(|fd| fd.parse::<RawFd>().ok()) else {
        return Ok(());
    };
    // SAFETY: `fcntl` on a number that is no descriptor fails without effect.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, as `fcntl` has shown, and nobody else's by the caller's word.
    let mut pipe = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    io::Write::write_all(&mut pipe, &[IS_READY])
}

/// Lets the calling process's next program inherit a descriptor.
fn keep_open(fd: RawFd) -> io::Result<()> {
    // SAFETY: changes a flag of a descriptor and touches no memory.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Whether the other side says that it is ready, and does not just close the pipe.
fn await_ready(mut pipe: io::PipeReader, timeout: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let millis = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
        let mut poll = libc::pollfd {
            fd: pipe.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: `poll` is one valid `pollfd`.
        match unsafe { libc::poll(&raw mut poll, 1, millis) } {
            0 if left.is_zero() => return Err(io::ErrorKind::TimedOut.into()),
            0 => {}
            -1 => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
            _ => {
                let mut answer = [0];
                return Ok(pipe.read(&mut answer)? == 1 && answer == [IS_READY]);
            }
        }
    }
}

fn end(child: &mut Child) -> Option<ExitStatus> {
    // Fails only if the process has ended by itself.
    let _ = child.kill();
    child.wait().ok()
}

impl fmt::Display for HandoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "the new process can't be started: {error}"),
            Self::Ended(Some(status)) => {
                write!(f, "the new process ended before it was ready ({status})")
            }
            Self::Ended(None) => f.write_str("the new process ended before it was ready"),
            Self::Timeout(timeout) => write!(f, "the new process was not ready within {timeout:?}"),
        }
    }
}

impl std::error::Error for HandoverError {}
