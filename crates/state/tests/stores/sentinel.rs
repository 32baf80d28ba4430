//! A master that Sentinels watch over, and its failing over.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use lintel_state::store::{Address, At, Login, Meaning, Reply, Settings};
use lintel_testkit::Sentinel;

use crate::server::{HOUR, PATIENT, Server, admitted, ask, on, settings, store};

fn at(sentinels: Vec<Address>) -> At {
    At::Sentinel {
        sentinels,
        master: "main".to_owned(),
        login: Login::default(),
    }
}

/// The master dies; its replica takes over and counts on. Nobody waits longer than the timeout.
#[tokio::test]
async fn a_master_fails_over() {
    let mut master = Server::start();
    let replica = Server::start_with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    let sentinel = Sentinel::start(&master);
    sentinel.until_ready();
    // One of the Sentinels is not there.
    let nobody = Address::Tcp("127.0.0.1".to_owned(), 1);
    let timeout = Duration::from_secs(2);
    let store = store(at(vec![nobody, on(sentinel.port)]), timeout);
    let asks = [ask("a", Meaning::FixedWindow, 10, 24 * HOUR, 10)];
    assert_eq!(admitted(&store, &asks, 4).await, 4);
    assert_eq!(master.ask(&["wait", "1", "5000"]), "1");

    master.kill();
    let begun = Instant::now();
    let mut admitted = 4;
    loop {
        let asked = Instant::now();
        let reply = store.spend(&asks).await;
        let took = asked.elapsed();
        assert!(took < timeout + Duration::from_secs(3), "{took:?}");
        match reply {
            Ok(Reply::Admitted(_)) => admitted += 1,
            Ok(Reply::Refused { .. }) => break,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        assert!(
            begun.elapsed() < Duration::from_secs(90),
            "nobody takes over"
        );
    }
    assert_eq!(admitted, 10, "the replica knows what was counted");
    assert!(replica.ask(&["role"]).starts_with("master"));
}

/// A server that has become a replica says so, and the master is looked for again.
#[tokio::test]
async fn a_master_that_is_none_any_more() {
    let master = Server::start();
    let replica = Server::start_with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    let sentinel = Sentinel::start(&master);
    sentinel.until_ready();
    let store = store(at(vec![on(sentinel.port)]), PATIENT);
    let asks = [ask("a", Meaning::FixedWindow, 1_000, 24 * HOUR, 1_000)];
    assert_eq!(admitted(&store, &asks, 3).await, 3);
    let failover = |server: &Sentinel| {
        let output = Command::new("redis-cli")
            .args([
                "-p",
                &server.port.to_string(),
                "sentinel",
                "failover",
                "main",
            ])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(failover(&sentinel).starts_with("OK"));
    let begun = Instant::now();
    while !master.ask(&["role"]).starts_with("slave") {
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while store.spend(&asks).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(replica.ask(&["role"]).starts_with("master"));
}

#[tokio::test]
async fn nobody_knows_the_master() {
    let server = Server::start();
    let sentinel = Sentinel::start(&server);
    let mut settings: Settings = settings(at(vec![on(sentinel.port)]), PATIENT);
    if let At::Sentinel { master, .. } = &mut settings.at {
        *master = "other".to_owned();
    }
    let store = lintel_state::store::Redis::new(settings).unwrap();
    let asks = [ask("a", Meaning::FixedWindow, 10, HOUR, 10)];
    assert!(store.spend(&asks).await.is_err());
}
