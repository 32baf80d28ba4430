use std::{
    io::BufReader,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    answer::{Answer, Then},
    message::{self, Seen},
    wait::until,
};

/// A scripted upstream on loopback. It stops accepting when dropped.
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Box<dyn Fn(&Seen) -> Answer + Send + Sync>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    ended: AtomicBool,
}

impl Origin {
    /// Answers every request by the closure.
    pub fn start(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        // The standard library's 128 are few for a load that connects at once: a connection that
        // finds no room waits a second for the next try of its system.
        rustix::net::listen(&listener, 4_096).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    /// Answers every request with 200 and this body.
    pub fn saying(body: &'static str) -> Self {
        Self::start(move |_| Answer::ok(body))
    }

    /// Answers with the request's own body.
    pub fn echo() -> Self {
        Self::start(|seen| Answer::ok(&seen.body))
    }

    /// A URL that refuses connections: its listener has just gone.
    pub fn nobody() -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    }

    /// The URL to configure as an endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        let seen = self.shared.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The only request so far.
    ///
    /// # Panics
    /// When there was none or more than one.
    pub fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "the origin saw {seen:#?}");
        seen[0].clone()
    }

    /// Waits until this many requests have arrived.
    pub fn until_seen(&self, count: usize) {
        until(&format!("the origin has seen {count} requests"), || {
            (self.seen().len() >= count).then_some(())
        });
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts, so that it sees the end.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let connection = shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(shared);
        thread::spawn(move || converse(stream, connection, &shared));
    }
}

fn converse(mut stream: TcpStream, connection: usize, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let Ok(reading) = stream.try_clone() else {
        return;
    };
    let mut reader = BufReader::new(reading);
    while let Some(seen) = request(&mut reader, connection) {
        // It has been seen while its script still holds it.
        let list = shared.seen.lock();
        list.unwrap_or_else(PoisonError::into_inner)
            .push(seen.clone());
        let answer = (shared.script)(&seen);
        if answer.give(&mut stream) == Then::Close {
            return;
        }
    }
}

fn request(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Seen> {
    let (start, fields) = message::head(reader).ok()??;
    let mut words = start.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut body = Vec::new();
    message::body(reader, &fields, false, &mut body).ok()?;
    Some(Seen {
        method,
        target,
        fields,
        body,
        connection,
    })
}
