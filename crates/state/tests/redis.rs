//! Against a real Redis: killed, stopped, slow, emptied, and with its scripts gone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods
)]

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use lintel_state::store::{Ask, Meaning, Redis, Reply, Settings, Unavailable};
use tempfile::TempDir;

/// A `redis-server` of one's own. Killed when dropped.
struct Server {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Server {
    fn start() -> Self {
        // Free at this moment; the server fails to start where it is taken meanwhile.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let folder = tempfile::tempdir().unwrap();
        let child = run(&folder, port);
        let server = Self {
            folder,
            port,
            child,
        };
        server.until_ready();
        server
    }

    fn restart(&mut self) {
        self.kill();
        self.child = run(&self.folder, self.port);
        self.until_ready();
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let done = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(done.success());
    }

    fn command(&self, words: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli")
            .args(["-p", &port])
            .args(words)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn until_ready(&self) {
        let begun = Instant::now();
        while self.command(&["ping"]) != "PONG" {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "redis does not start"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn store(&self, timeout: Duration) -> Redis {
        let url = format!("redis://127.0.0.1:{}", self.port);
        let name = "shared".into();
        Redis::new(Settings { name, url, timeout }).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(folder: &TempDir, port: u16) -> Child {
    Command::new("redis-server")
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ])
        .arg("--dir")
        .arg(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("these tests need `redis-server`, which `./test` installs")
}

/// Long enough for a machine that is busy with other things.
const PATIENT: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3_600);

fn ask(key: &str, meaning: Meaning, count: u64, per: Duration, most: u64) -> Ask {
    Ask {
        key: key.to_owned(),
        meaning,
        count,
        per,
        most,
        cost: 1,
        dry_run: false,
    }
}

async fn admitted(store: &Redis, asks: &[Ask], times: usize) -> usize {
    let mut count = 0;
    for _ in 0..times {
        let reply = store.spend(asks).await.unwrap();
        count += usize::from(matches!(reply, Reply::Admitted(_)));
    }
    count
}

#[tokio::test]
async fn admits_what_it_should_and_no_more() {
    let server = Server::start();
    let store = server.store(PATIENT);
    for meaning in [
        Meaning::TokenBucket,
        Meaning::SlidingWindow,
        Meaning::FixedWindow,
    ] {
        let asks = [ask(meaning.letter(), meaning, 100, 24 * HOUR, 100)];
        assert_eq!(admitted(&store, &asks, 150).await, 100, "{meaning:?}");
        let Reply::Refused {
            index,
            remaining,
            after,
        } = store.spend(&asks).await.unwrap()
        else {
            panic!("{meaning:?} admits more");
        };
        assert_eq!((index, remaining), (0, 0));
        let most = match meaning {
            Meaning::TokenBucket => 24 * HOUR / 100,
            _ => 48 * HOUR,
        };
        assert!(
            after.unwrap() > Duration::ZERO && after.unwrap() <= most,
            "{after:?}"
        );
    }
    let dear = Ask {
        cost: 101,
        ..ask("dear", Meaning::TokenBucket, 100, HOUR, 100)
    };
    let never = Reply::Refused {
        index: 0,
        remaining: 100,
        after: None,
    };
    assert_eq!(store.spend(&[dear]).await, Ok(never));
}

/// Many at once, on the one connection: as many as are allowed, to the request.
#[tokio::test]
async fn workers_and_requests_do_not_step_on_each_other() {
    let server = Server::start();
    let stores = [
        server.store(PATIENT),
        server.store(PATIENT),
        server.store(PATIENT),
    ];
    let asks = [ask("all", Meaning::TokenBucket, 250, 24 * HOUR, 250)];
    let mut count = 0;
    for _ in 0..20 {
        let calls = stores
            .iter()
            .flat_map(|store| (0..8).map(|_| store.spend(&asks)));
        for reply in join_all(calls).await {
            count += usize::from(matches!(reply.unwrap(), Reply::Admitted(_)));
        }
    }
    assert_eq!(count, 250);
}

async fn join_all<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut calls: Vec<_> = calls.map(|call| (Box::pin(call), None)).collect();
    std::future::poll_fn(|cx| {
        let mut pending = false;
        for (call, output) in &mut calls {
            if output.is_none() {
                match call.as_mut().poll(cx) {
                    std::task::Poll::Ready(ready) => *output = Some(ready),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    calls.into_iter().filter_map(|(_, output)| output).collect()
}

#[tokio::test]
async fn all_or_none_are_spent_of() {
    let server = Server::start();
    let store = server.store(PATIENT);
    let wide = ask("wide", Meaning::TokenBucket, 10, 24 * HOUR, 10);
    let narrow = ask("narrow", Meaning::FixedWindow, 2, 24 * HOUR, 2);
    let both = [wide.clone(), narrow.clone()];
    assert_eq!(admitted(&store, &both, 30).await, 2);
    let refused = store.spend(&both).await.unwrap();
    assert!(
        matches!(refused, Reply::Refused { index: 1, .. }),
        "{refused:?}"
    );
    assert_eq!(admitted(&store, &[wide], 30).await, 8);
    let dry = Ask {
        dry_run: true,
        ..narrow
    };
    let Reply::Admitted(counted) = store.spend(&[dry]).await.unwrap() else {
        panic!("a dry run refuses nothing");
    };
    assert_eq!(counted.first().unwrap().remaining, None);
}

/// A bucket fills by the clock of the server, and a key goes when it is full again.
#[tokio::test]
async fn time_goes_on() {
    let server = Server::start();
    let store = server.store(PATIENT);
    let asks = [ask(
        "fast",
        Meaning::TokenBucket,
        20,
        Duration::from_secs(1),
        5,
    )];
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < Duration::from_millis(1_500) {
        count += admitted(&store, &asks, 1).await;
    }
    let most = 5 + 20 * usize::try_from(begun.elapsed().as_millis()).unwrap() / 1_000 + 1;
    assert!((6..=most).contains(&count), "{count} of {most}");
    let ttl: i64 = server.command(&["pttl", "fast"]).parse().unwrap();
    assert!(ttl <= 1_300, "{ttl}");
}

#[tokio::test]
async fn scripts_and_counts_may_be_lost() {
    let mut server = Server::start();
    let store = server.store(PATIENT);
    let asks = [ask("a", Meaning::TokenBucket, 5, HOUR, 5)];
    assert_eq!(admitted(&store, &asks, 9).await, 5);
    server.command(&["script", "flush"]);
    assert_eq!(admitted(&store, &asks, 1).await, 0);
    server.command(&["flushall"]);
    assert_eq!(admitted(&store, &asks, 9).await, 5);
    server.command(&["set", "a", "nonsense"]);
    assert_eq!(admitted(&store, &asks, 9).await, 5);
    server.restart();
    // The old connection shows that it is broken, then a new one is made.
    let mut back = false;
    for _ in 0..10 {
        back |= store.spend(&asks).await.is_ok();
    }
    assert!(back, "it is not connected again");
}

#[tokio::test]
async fn a_server_that_is_stopped_is_not_waited_for() {
    let server = Server::start();
    let patient = server.store(PATIENT);
    let asks = [ask("a", Meaning::TokenBucket, 1_000, HOUR, 1_000)];
    patient.spend(&asks).await.unwrap();
    let store = server.store(Duration::from_millis(300));
    server.signal("-STOP");
    for _ in 0..3 {
        assert!(store.answers());
        assert_eq!(store.spend(&asks).await, Err(Unavailable));
    }
    assert!(!store.answers(), "after three failures it is not asked");
    server.signal("-CONT");
    let begun = Instant::now();
    let back = loop {
        if store.answers() && store.spend(&asks).await.is_ok() {
            break true;
        }
        if begun.elapsed() > Duration::from_secs(30) {
            break false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(back && store.answers());
}

#[tokio::test]
async fn nobody_there() {
    let mut server = Server::start();
    let store = server.store(PATIENT);
    let asks = [ask("a", Meaning::TokenBucket, 5, HOUR, 5)];
    store.spend(&asks).await.unwrap();
    server.kill();
    assert_eq!(store.spend(&asks).await, Err(Unavailable));
    assert_eq!(store.spend(&asks).await, Err(Unavailable));
    assert_eq!(store.spend(&asks).await, Err(Unavailable));
    assert!(!store.answers());
}

#[test]
fn urls_are_read() {
    let make = |url: &str| {
        Redis::new(Settings {
            name: "shared".into(),
            url: url.to_owned(),
            timeout: PATIENT,
        })
    };
    for url in [
        "redis://127.0.0.1",
        "redis://user:secret@redis.internal:6380/2",
        "unix:///run/redis.sock",
    ] {
        assert!(make(url).is_ok(), "{url}");
    }
    for url in [
        "http://127.0.0.1",
        "127.0.0.1:6379",
        "",
        "redis://:s3cr3t@host:port",
    ] {
        let error = make(url).err().unwrap_or_else(|| panic!("{url} is none"));
        assert!(!error.contains("s3cr3t"), "{error}");
    }
}
