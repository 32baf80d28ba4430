use std::{fs, io, net::SocketAddr, os::fd::OwnedFd, sync::Arc};

use socket2::SockRef;

use super::{
    bind::{self, Inode},
    place::Key,
    table::Hand,
};
use crate::{inherited::ListeningFd, spec::Bind};

/// The sockets of one place. Workers hold duplicates.
pub(super) struct Bound {
    pub(super) bind: Bind,
    pub(super) address: Option<SocketAddr>,
    pub(super) sockets: Vec<OwnedFd>,
    /// The service manager holds them as well.
    pub(super) kept: bool,
    /// Every worker takes connections from every socket; otherwise each socket has its worker.
    pub(super) shared: bool,
    pub(super) file: Option<Inode>,
}

impl Bound {
    pub(super) fn listen(&self, backlog: u32) -> io::Result<()> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        // On a socket that listens already, this only sets the backlog.
        self.sockets
            .iter()
            .try_for_each(|socket| SockRef::from(socket).listen(backlog))
    }

    pub(super) fn deal(&self, key: &Key, dealt: &mut [Hand]) -> io::Result<()> {
        let workers = dealt.len();
        for (index, socket) in self.sockets.iter().enumerate() {
            for (worker, hand) in dealt.iter_mut().enumerate() {
                if self.shared || index % workers == worker {
                    let fd = socket.try_clone()?;
                    let kept = self.kept;
                    hand.push((Arc::clone(key), ListeningFd { fd, kept }));
                }
            }
        }
        Ok(())
    }

    pub(super) fn apply_mode(&mut self, wanted: &Bind) {
        if self.bind == *wanted {
            return;
        }
        if let Bind::Unix {
            path,
            mode: Some(mode),
        } = wanted
            && let Err(error) = bind::set_mode(path, *mode)
        {
            tracing::warn!(path = %path.display(), %error, "the permissions of a socket can't be changed");
        }
        self.bind = wanted.clone();
    }

    pub(super) fn remove_file(&self) {
        if let Bind::Unix { path, .. } = &self.bind
            && self.file.is_some()
            && bind::inode(path) == self.file
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!(path = %path.display(), %error, "the file of a socket can't be removed");
        }
    }
}

/// Makes sockets from elsewhere fit for this number of workers.
pub(super) fn adopt(bind: &Bind, inherited: Vec<ListeningFd>, workers: usize) -> io::Result<Bound> {
    let kept = inherited.iter().any(|socket| socket.kept);
    let mut sockets: Vec<OwnedFd> = inherited.into_iter().map(|socket| socket.fd).collect();
    let mut address = None;
    let mut shared = true;
    for socket in &sockets {
        SockRef::from(socket).set_nonblocking(true)?;
    }
    if let (Bind::Tcp(_), Some(first)) = (bind, sockets.first()) {
        let first = SockRef::from(first);
        let bound = bind::actual(&first)?;
        // Further sockets beside one of the service manager would take connections with them when
        // they are closed.
        shared = kept || !first.reuse_port()?;
        if !shared {
            let missing = workers.saturating_sub(sockets.len());
            sockets.extend(bind::more_tcp(bound, missing)?);
        }
        address = Some(bound);
    }
    let file = match bind {
        Bind::Unix { path, .. } if !kept => bind::inode(path),
        _ => None,
    };
    Ok(Bound {
        bind: bind.clone(),
        address,
        sockets,
        kept,
        shared,
        file,
    })
}
