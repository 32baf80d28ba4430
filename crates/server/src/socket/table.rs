use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
};

use super::{
    bind,
    bound::{Bound, adopt},
    place::{Key, Place},
};
use crate::{
    error::BindError,
    inherited::{Inherited, ListeningFd, Passed},
    spec::Bind,
};

/// The sockets in use.
pub(crate) struct Table {
    workers: usize,
    bound: HashMap<Key, Bound>,
}

/// New sockets, which listen already, and each worker's duplicates of them.
pub(crate) struct Prepared {
    bound: Vec<(Key, Bound)>,
    dealt: Vec<Hand>,
}

/// The sockets dealt to one worker.
pub(crate) type Hand = Vec<(Key, ListeningFd)>;

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
