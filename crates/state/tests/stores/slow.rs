//! A server behind a line that takes its time, and one that answers nonsense.

use std::{sync::Arc, time::Duration};

use lintel_state::store::{At, Meaning, Unavailable};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, sleep_until},
};

use crate::server::{HOUR, PATIENT, Server, admitted, ask, join_all, store};

/// Passes bytes on, both ways, each chunk so much later. Chunks may overtake nothing, and many are under
/// way at once.
async fn delayed(to: u16, by: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(pass(from_client, to_server, by));
            tokio::spawn(pass(from_server, to_client, by));
        }
    });
    port
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    by: Duration,
) {
    let (sender, mut chunks) = tokio::sync::mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((due, chunk)) = chunks.recv().await {
            sleep_until(due).await;
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 16_384];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if sender
            .send((Instant::now() + by, buffer[..read].to_vec()))
            .is_err()
        {
            return;
        }
    }
}

/// 100 ms each way are not too much for a store that may take longer, and many questions share the wait.
#[tokio::test]
async fn a_slow_line() {
    let server = Server::start();
    let port = delayed(server.port, Duration::from_millis(50)).await;
    let at = || At::Server(format!("127.0.0.1:{port}").parse().unwrap());
    let patient = store(at(), PATIENT);
    let asks = [ask("a", Meaning::TokenBucket, 150, 24 * HOUR, 150)];
    assert_eq!(admitted(&patient, &asks, 1).await, 1);
    let replies = join_all((0..200).map(|_| patient.spend(&asks))).await;
    let admitted = replies
        .iter()
        .filter(|reply| matches!(reply, Ok(lintel_state::store::Reply::Admitted(_))));
    assert_eq!(admitted.count(), 149);

    // One that is to answer in less is given up in time, each time, and then left alone.
    let short = Duration::from_millis(40);
    let hasty = store(at(), short);
    for _ in 0..3 {
        assert_eq!(hasty.spend(&asks).await, Err(Unavailable));
    }
    assert!(hasty.is_away_for("a"));
}

/// Whatever answers: an error, not a hang and not a panic.
#[tokio::test]
async fn nonsense() {
    for answer in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
        b"*1000000000\r\n",
        b"$-7\r\n",
        b"\x00\xff\x00",
        b":1\r\n:2\r\n:3\r\n",
        b"-ERR no\r\n",
        b"",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer: Arc<[u8]> = answer.into();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                tokio::spawn(async move {
                    let _ = client.write_all(&answer).await;
                    sleep(Duration::from_millis(500)).await;
                });
            }
        });
        let store = store(
            At::Server(format!("127.0.0.1:{port}").parse().unwrap()),
            Duration::from_millis(200),
        );
        let asks = [ask("a", Meaning::TokenBucket, 5, HOUR, 5)];
        for _ in 0..4 {
            assert_eq!(store.spend(&asks).await, Err(Unavailable));
        }
    }
}
