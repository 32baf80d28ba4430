//! An HTTP server on loopback whose answers a test writes itself, as slowly as it likes.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        TcpListener,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::{JoinHandle, JoinSet},
};

use crate::client::Server;

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A parameter of the query, as it was sent.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let query = self.line.split(' ').nth(1)?.split_once('?')?.1;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}

/// Where the answer goes.
pub(super) struct Out(OwnedWriteHalf);

impl Out {
    pub(super) async fn answer(&mut self, status: &str, fields: &str, body: &str) {
        let len = body.len();
        let text = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n{fields}\r\n{body}"
        );
        // The gateway may be gone.
        let _ = self.0.write_all(text.as_bytes()).await;
    }

    pub(super) async fn begin(&mut self) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = self.0.write_all(head.as_bytes()).await;
    }

    pub(super) async fn line(&mut self, text: &str) {
        let chunk = format!("{:x}\r\n{text}\n\r\n", text.len() + 1);
        let _ = self.0.write_all(chunk.as_bytes()).await;
    }

    /// Breaks off in the middle.
    pub(super) async fn cut(&mut self) {
        let _ = self.0.shutdown().await;
    }

    pub(super) async fn end(&mut self) {
        let _ = self.0.write_all(b"0\r\n\r\n").await;
    }
}

/// A running server.
pub(super) struct Fake {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Fake {
    pub(super) async fn start<H, F>(handler: H) -> Self
    where
        H: Fn(Seen, Out) -> F + Clone + Send + 'static,
        F: Future<Output = Out> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let address = listener.local_addr().unwrap();
        let noted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (handler, noted) = (handler.clone(), Arc::clone(&noted));
                connections.spawn(async move {
                    let (input, output) = socket.into_split();
                    let (mut input, mut out) = (BufReader::new(input), Out(output));
                    while let Some(request) = read(&mut input).await {
                        noted.lock().unwrap().push(request.clone());
                        out = handler(request, out).await;
                    }
                });
            }
        });
        Self {
            address,
            seen,
            task,
        }
    }

    pub(super) fn server(&self) -> Server {
        Server {
            host: self.address.ip().to_string().into(),
            port: self.address.port(),
            tls: None,
        }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(input: &mut BufReader<OwnedReadHalf>) -> Option<Seen> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let fields = lines.iter().skip(1).map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    let mut seen = Seen {
        line: lines[0].clone(),
        fields: fields.collect(),
        body: String::new(),
    };
    let len = seen.field("content-length").unwrap_or("0").parse().unwrap();
    let mut body = vec![0; len];
    input.read_exact(&mut body).await.ok()?;
    seen.body = String::from_utf8(body).unwrap();
    Some(seen)
}
