//! The listening sockets of the process.
//!
//! A TCP address has one socket for each worker, which share it by `SO_REUSEPORT`. A socket that
//! can't be shared that way, such as a Unix socket or one made by a service manager, is given to
//! every worker. Connections in the queue of a socket are lost when it is closed, so a socket is
//! kept as long as anything listens in its place, whichever listener that is.

mod bind;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fs, io,
    net::SocketAddr,
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
};

use socket2::SockRef;

use self::bind::Inode;
pub(crate) use self::bind::refuse_handshakes;
use crate::{
    error::{BindError, Conflict},
    inherited::{Inherited, ListeningFd, Passed},
    spec::{Bind, ListenerSpec},
};

/// Names a place over changes of the configuration and over processes.
pub(crate) type Key = Arc<str>;

/// A place where a listener wants to listen.
pub(crate) struct Place {
    pub(crate) key: Key,
    pub(crate) bind: Bind,
    pub(crate) listener: Arc<ListenerSpec>,
}

/// The sockets in use.
pub(crate) struct Table {
    workers: usize,
    bound: HashMap<Key, Bound>,
}

/// The sockets of one place. Workers hold duplicates.
struct Bound {
    bind: Bind,
    address: Option<SocketAddr>,
    sockets: Vec<OwnedFd>,
    /// The service manager holds them as well.
    kept: bool,
    /// Every worker takes connections from every socket; otherwise each socket has its worker.
    shared: bool,
    file: Option<Inode>,
}

/// New sockets, which listen already, and each worker's duplicates of them.
pub(crate) struct Prepared {
    bound: Vec<(Key, Bound)>,
    dealt: Vec<Hand>,
}

/// The sockets dealt to one worker.
pub(crate) type Hand = Vec<(Key, ListeningFd)>;

/// The places of a configuration.
///
/// # Errors
///
/// Two listeners want the same place.
pub(crate) fn places(listeners: &[Arc<ListenerSpec>]) -> Result<Vec<Place>, Conflict> {
    let mut taken: HashMap<Key, Arc<str>> = HashMap::new();
    let mut places = Vec::new();
    for listener in listeners {
        for (index, bind) in listener.binds.iter().enumerate() {
            let key = key(bind, &listener.name, index);
            if let Some(first) = taken.insert(Arc::clone(&key), Arc::clone(&listener.name)) {
                return Err(Conflict {
                    bind: bind.clone(),
                    first,
                    second: Arc::clone(&listener.name),
                });
            }
            places.push(Place {
                key,
                bind: bind.clone(),
                listener: Arc::clone(listener),
            });
        }
    }
    Ok(places)
}

fn key(bind: &Bind, listener: &str, index: usize) -> Key {
    match bind {
        Bind::Tcp(address) if address.port() == 0 => {
            format!("tcp:{address}#{listener}#{index}").into()
        }
        Bind::Tcp(address) => format!("tcp:{address}").into(),
        Bind::Unix { path, .. } => format!("unix:{}", path.display()).into(),
    }
}

impl Table {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers,
            bound: HashMap::new(),
        }
    }

    /// Makes the sockets that are missing for the given places.
    ///
    /// # Errors
    ///
    /// Every place where that failed. None of the others is left listening.
    pub(crate) fn prepare(
        &self,
        places: &[Place],
        inherited: &mut Inherited,
    ) -> Result<Prepared, Vec<BindError>> {
        let mut prepared = Prepared {
            bound: Vec::new(),
            dealt: Vec::new(),
        };
        prepared.dealt.resize_with(self.workers, Vec::new);
        let mut errors = Vec::new();
        let missing = places
            .iter()
            .filter(|place| !self.bound.contains_key(&place.key));
        let mut adopted = Vec::new();
        for place in missing {
            let made = match inherited.take(&place.key, &place.bind, &place.listener.name) {
                sockets if sockets.is_empty() => self.make(place),
                sockets => {
                    adopted.push(Arc::clone(&place.key));
                    adopt(&place.bind, sockets, self.workers)
                }
            };
            match made {
                Ok(bound) => prepared.bound.push((Arc::clone(&place.key), bound)),
                Err(error) => errors.push(BindError::new(&place.listener.name, &place.bind, error)),
            }
        }
        for (key, bound) in &prepared.bound {
            let Some(place) = places.iter().find(|place| place.key == *key) else {
                continue;
            };
            // Nothing listens before everything is bound: a connection that is taken and then
            // dropped would be broken.
            let ready = bound
                .listen(place.listener.backlog)
                .and_then(|()| bound.deal(key, &mut prepared.dealt));
            if let Err(error) = ready {
                errors.push(BindError::new(&place.listener.name, &place.bind, error));
            }
        }
        if errors.is_empty() {
            return Ok(prepared);
        }
        for (_, bound) in prepared
            .bound
            .iter()
            .filter(|(key, _)| !adopted.contains(key))
        {
            bound.remove_file();
        }
        Err(errors)
    }

    fn make(&self, place: &Place) -> io::Result<Bound> {
        let bind = place.bind.clone();
        match &place.bind {
            Bind::Tcp(address) => {
                let made = match bind::tcp(*address, self.workers, false) {
                    Err(error)
                        if error.kind() == io::ErrorKind::AddrInUse
                            && self.has_port(address.port()) =>
                    {
                        bind::tcp(*address, self.workers, true)
                    }
                    made => made,
                };
                let (sockets, address) = made?;
                Ok(Bound {
                    bind,
                    address: Some(address),
                    sockets,
                    kept: false,
                    shared: false,
                    file: None,
                })
            }
            Bind::Unix { path, mode } => {
                let (socket, file) = bind::unix(path, *mode)?;
                Ok(Bound {
                    bind,
                    address: None,
                    sockets: vec![socket],
                    kept: false,
                    shared: true,
                    file,
                })
            }
        }
    }

    fn has_port(&self, port: u16) -> bool {
        let mut addresses = self.bound.values().filter_map(|bound| bound.address);
        port != 0 && addresses.any(|address| address.port() == port)
    }

    /// Takes new sockets in, and lets go of those that no place needs. Gives each worker's new
    /// sockets and the keys of what was let go.
    ///
    /// Where a socket was let go only the workers' duplicates are left: they take what waits in its
    /// queue before they close it.
    pub(crate) fn commit(&mut self, places: &[Place], prepared: Prepared) -> (Vec<Hand>, Vec<Key>) {
        self.bound.extend(prepared.bound);
        let wanted: HashMap<&Key, &Place> =
            places.iter().map(|place| (&place.key, place)).collect();
        let mut gone = Vec::new();
        self.bound.retain(|key, bound| {
            let place = wanted.get(key);
            match place {
                Some(place) => bound.apply_mode(&place.bind),
                None => {
                    bound.remove_file();
                    gone.push(Arc::clone(key));
                }
            }
            place.is_some()
        });
        (prepared.dealt, gone)
    }

    /// Lets go of everything, and removes the files of Unix sockets unless another process goes on
    /// listening there.
    pub(crate) fn clear(&mut self, remove_files: bool) {
        for (_, bound) in self.bound.drain() {
            if remove_files {
                bound.remove_file();
            }
        }
    }

    /// The real address of a place.
    pub(crate) fn address(&self, key: &Key) -> Option<SocketAddr> {
        self.bound.get(key)?.address
    }

    /// All sockets, by key, for handing them over.
    pub(crate) fn sockets(&self) -> Vec<Passed> {
        let passed = |key: &Key, bound: &Bound, socket: &OwnedFd| Passed {
            key: key.to_string(),
            fd: socket.as_raw_fd(),
            kept: bound.kept,
        };
        let mut all: Vec<_> = self
            .bound
            .iter()
            .flat_map(|(key, bound)| {
                bound
                    .sockets
                    .iter()
                    .map(move |socket| passed(key, bound, socket))
            })
            .collect();
        all.sort_by(|a, b| (&a.key, a.fd).cmp(&(&b.key, b.fd)));
        all
    }
}

impl Bound {
    fn listen(&self, backlog: u32) -> io::Result<()> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        // On a socket that listens already, this only sets the backlog.
        self.sockets
            .iter()
            .try_for_each(|socket| SockRef::from(socket).listen(backlog))
    }

    fn deal(&self, key: &Key, dealt: &mut [Hand]) -> io::Result<()> {
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

    fn apply_mode(&mut self, wanted: &Bind) {
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

    fn remove_file(&self) {
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
fn adopt(bind: &Bind, inherited: Vec<ListeningFd>, workers: usize) -> io::Result<Bound> {
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
