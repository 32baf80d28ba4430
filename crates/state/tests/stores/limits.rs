//! Limits that are counted in one server.

use std::time::{Duration, Instant};

use lintel_state::store::{Address, Ask, At, Login, Meaning, Redis, Reply, Settings, Unavailable};

use crate::server::{HOUR, PATIENT, Place as _, Server, admitted, ask, join_all, settings};

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
    let ttl: i64 = server.ask(&["pttl", "fast"]).parse().unwrap();
    assert!(ttl <= 1_300, "{ttl}");
}

#[tokio::test]
async fn scripts_and_counts_may_be_lost() {
    let mut server = Server::start();
    let store = server.store(PATIENT);
    let asks = [ask("a", Meaning::TokenBucket, 5, HOUR, 5)];
    assert_eq!(admitted(&store, &asks, 9).await, 5);
    server.ask(&["script", "flush"]);
    assert_eq!(admitted(&store, &asks, 1).await, 0);
    server.ask(&["flushall"]);
    assert_eq!(admitted(&store, &asks, 9).await, 5);
    server.ask(&["set", "a", "nonsense"]);
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
        assert!(!store.is_away_for("a"));
        assert_eq!(store.spend(&asks).await, Err(Unavailable));
    }
    assert!(
        store.is_away_for("a"),
        "after three failures it is not asked"
    );
    server.signal("-CONT");
    let begun = Instant::now();
    let back = loop {
        if store.spend(&asks).await.is_ok() {
            break true;
        }
        if begun.elapsed() > Duration::from_secs(30) {
            break false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(back && !store.is_away_for("a"));
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
    assert!(store.is_away_for("a"));
}

#[test]
fn urls_are_read() {
    for (url, address, login, tls) in [
        (
            "redis://127.0.0.1",
            "127.0.0.1:6379",
            (None, None, 0),
            false,
        ),
        (
            "rediss://user:secret@redis.internal:6380/2",
            "redis.internal:6380",
            (Some("user"), Some("secret"), 2),
            true,
        ),
        (
            "valkey://:secret@[fd00::7]:1",
            "[fd00::7]:1",
            (None, Some("secret"), 0),
            false,
        ),
        ("valkeys://a", "a:6379", (None, None, 0), true),
        (
            "unix:///run/redis.sock",
            "unix:/run/redis.sock",
            (None, None, 0),
            false,
        ),
    ] {
        let (at, found, secure) = Address::of_url(url).unwrap_or_else(|why| panic!("{url}: {why}"));
        let found = (
            found.username.as_deref(),
            found.password.as_deref(),
            found.database,
        );
        assert_eq!(
            (&*at.to_string(), found, secure),
            (address, login, tls),
            "{url}"
        );
    }
    for url in [
        "http://127.0.0.1",
        "127.0.0.1:6379",
        "",
        "redis://:s3cr3t@host:port",
        "rediss+unix:///run/a",
    ] {
        let error = Address::of_url(url)
            .err()
            .unwrap_or_else(|| panic!("{url} is none"));
        assert!(!error.contains("s3cr3t"), "{error}");
    }
}

/// A login that the server wants, with a user of its own and another database.
#[tokio::test]
async fn logins() {
    let server = Server::start_with(&[
        "--user",
        "limits",
        "on",
        ">secret",
        "~lintel:*",
        "+@all",
        "--user",
        "default",
        "on",
        "nopass",
        "~*",
        "+@all",
    ]);
    let at = || At::Server(server.address());
    let login = |username: &str, password: &str, database| Login {
        username: Some(username.to_owned()),
        password: Some(password.to_owned()),
        database,
    };
    let asks = [ask("lintel:a", Meaning::TokenBucket, 5, HOUR, 5)];
    let with = |login| {
        Redis::new(Settings {
            login,
            ..settings(at(), PATIENT)
        })
        .unwrap()
    };
    assert_eq!(
        admitted(&with(login("limits", "secret", 3)), &asks, 9).await,
        5
    );
    assert_eq!(server.ask(&["-n", "3", "exists", "lintel:a"]), "1");
    assert_eq!(server.ask(&["exists", "lintel:a"]), "0");
    assert_eq!(
        with(login("limits", "wrong", 0)).spend(&asks).await,
        Err(Unavailable)
    );
    let forbidden = [ask("other:a", Meaning::TokenBucket, 5, HOUR, 5)];
    let store = with(login("limits", "secret", 0));
    assert_eq!(store.spend(&forbidden).await, Err(Unavailable));
    assert_eq!(admitted(&store, &asks, 9).await, 5);
}
