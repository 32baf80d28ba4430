//! A name server on loopback that says what a test wants, the truth or not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use hickory_resolver::proto::{
    op::{Message, MessageType, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, SRV},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, UdpSocket},
    task::JoinHandle,
};

/// What is said to one query.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    /// Records, with their time to live in seconds.
    Records(u32, Vec<RData>),
    /// A code and nothing else.
    Code(ResponseCode),
    /// Over UDP that the answer is too long for it, over TCP the records.
    Truncated(u32, Vec<RData>),
    /// Nothing.
    Nothing,
}

/// One query: name, type, and whether it came over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) record: RecordType,
    pub(crate) tcp: bool,
}

type Script = dyn Fn(&Asked) -> Say + Send + Sync;

/// A running server.
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 2],
}

struct Shared {
    script: Mutex<Box<Script>>,
    asked: Mutex<Vec<Asked>>,
}

pub(crate) fn a(address: &str) -> RData {
    RData::A(A(address.parse::<Ipv4Addr>().unwrap()))
}

pub(crate) fn srv(priority: u16, weight: u16, port: u16, target: &str) -> RData {
    RData::SRV(SRV::new(priority, weight, port, target.parse().unwrap()))
}

impl Dns {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        let (udp, tcp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            // The same number may be taken by somebody's UDP.
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            asked: Mutex::default(),
        });
        Self {
            address: udp.local_addr().unwrap(),
            tasks: [
                tokio::spawn(serve_udp(udp, Arc::clone(&shared))),
                tokio::spawn(serve_tcp(tcp, Arc::clone(&shared))),
            ],
            shared,
        }
    }

    /// Says something else from now on.
    pub(crate) fn say(&self, script: impl Fn(&Asked) -> Say + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Shared {
    fn answer(&self, query: &[u8], tcp: bool) -> Option<Vec<u8>> {
        let query = Message::from_vec(query).unwrap();
        let question = query.queries[0].clone();
        let asked = Asked {
            name: question.name().to_utf8().trim_end_matches('.').to_owned(),
            record: question.query_type(),
            tcp,
        };
        let say = (self.script.lock().unwrap())(&asked);
        self.asked.lock().unwrap().push(asked);
        let mut answer = Message::new(
            query.metadata.id,
            MessageType::Response,
            query.metadata.op_code,
        );
        answer.metadata.recursion_desired = true;
        answer.metadata.recursion_available = true;
        answer.add_query(question.clone());
        match say {
            Say::Nothing => return None,
            Say::Code(code) => answer.metadata.response_code = code,
            Say::Truncated(..) if !tcp => answer.metadata.truncation = true,
            Say::Truncated(ttl, records) | Say::Records(ttl, records) => {
                for record in records {
                    let name: Name = question.name().clone();
                    answer.add_answer(Record::from_rdata(name, ttl, record));
                }
            }
        }
        Some(answer.to_vec().unwrap())
    }
}

async fn serve_udp(socket: UdpSocket, shared: Arc<Shared>) {
    let mut buffer = [0; 4096];
    loop {
        let (len, peer) = socket.recv_from(&mut buffer).await.unwrap();
        if let Some(answer) = shared.answer(&buffer[..len], false) {
            socket.send_to(&answer, peer).await.unwrap();
        }
    }
}

async fn serve_tcp(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // RFC 7766 §8: each message has its length before it.
            while let Ok(len) = socket.read_u16().await {
                let mut query = vec![0; len.into()];
                socket.read_exact(&mut query).await.unwrap();
                if let Some(answer) = shared.answer(&query, true) {
                    let len = u16::try_from(answer.len()).unwrap();
                    socket.write_u16(len).await.unwrap();
                    socket.write_all(&answer).await.unwrap();
                }
            }
        });
    }
}
