//! Limits of which some is taken ahead of need.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use lintel_state::{
    limit::{Key, Table, stock::Found},
    store::{Ask, Lease, Leased, Meaning, Redis, Unavailable},
};
use tokio::task::LocalSet;

use crate::server::{HOUR, PATIENT, Place as _, Server, ask, until};

/// A replica: what it counts here, and what it has taken.
struct Replica {
    table: Arc<Table>,
    lease: Lease,
}

impl Replica {
    fn new(store: &Arc<Redis>, size: u64) -> Self {
        let table = Arc::new(Table::new(1_000));
        let lease = Lease::new(Arc::clone(store), Arc::clone(&table), size);
        Self { table, lease }
    }

    fn key(&self, name: &str) -> Key {
        self.table.key().bytes(name.as_bytes()).finish()
    }

    /// Whether a request is admitted, as a gateway decides it.
    async fn admits(&self, ask: &Ask) -> bool {
        let key = self.key(&ask.key);
        match self.lease.look(key, ask.cost) {
            Found::Ask => matches!(self.lease.ask(key, ask).await, Ok(Leased::Admitted(_))),
            _ => match self.lease.take(key, ask.cost) {
                Found::Enough { low } => {
                    if low {
                        self.lease.ask_ahead(key, ask.clone());
                    }
                    true
                }
                _ => false,
            },
        }
    }
}

/// Whatever replicas do, from the beginning they admit no more together than the limit, and when all is
/// asked for, no less than that and what they still hold.
#[tokio::test]
async fn replicas_together_admit_the_limit() {
    LocalSet::new()
        .run_until(async {
            let server = Server::start();
            for meaning in [
                Meaning::TokenBucket,
                Meaning::SlidingWindow,
                Meaning::FixedWindow,
            ] {
                let store = Arc::new(server.store(PATIENT));
                let replicas: Vec<_> = (0..3).map(|_| Replica::new(&store, 20)).collect();
                let limit = ask(meaning.letter(), meaning, 1_000, 24 * HOUR, 1_000);
                let before = server.calls();
                let mut admitted = 0;
                for turn in 0..10_000 {
                    // The first has most of the traffic.
                    let replica = &replicas[if turn % 10 < 8 { 0 } else { turn % 3 }];
                    admitted += u32::from(replica.admits(&limit).await);
                    tokio::task::yield_now().await;
                }
                assert!((940..=1_000).contains(&admitted), "{admitted} {meaning:?}");
                let trips = server.calls() - before;
                assert!(trips <= 500, "{trips} round trips of 10,000 requests");
            }
        })
        .await;
}

/// What is not used goes back, and a key that is rarely used takes no more than it needs.
#[tokio::test]
async fn what_is_not_used_goes_back() {
    LocalSet::new()
        .run_until(async {
            let server = Server::start();
            let store = Arc::new(server.store(PATIENT));
            let replica = Replica::new(&store, 50);
            let limit = ask("a", Meaning::FixedWindow, 10_000, 24 * HOUR, 10_000);
            for _ in 0..500 {
                assert!(replica.admits(&limit).await);
                tokio::task::yield_now().await;
            }
            let spent = || -> u64 {
                let kept = server.ask(&["get", "a"]);
                kept.split(' ').nth(1).unwrap().parse().unwrap()
            };
            let taken = spent();
            assert!((501..=550).contains(&taken), "{taken}");
            until("it goes back", || spent() == 500).await;
        })
        .await;
}

/// Many who find nothing wait for one answer; what is taken for one who has gone stays.
#[tokio::test]
async fn those_who_wait_wait_together() {
    LocalSet::new()
        .run_until(async {
            let server = Server::start();
            let store = Arc::new(server.store(PATIENT));
            let replica = Replica::new(&store, 64);
            let limit = ask("a", Meaning::TokenBucket, 1_000, 24 * HOUR, 1_000);
            let key = replica.key("a");
            let waiting = (0..64).map(|_| replica.lease.ask(key, &limit));
            let answers = crate::server::join_all(waiting).await;
            assert!(
                answers
                    .iter()
                    .all(|answer| matches!(answer, Ok(Leased::Admitted(_))))
            );
            let trips = server.calls();
            assert!(trips <= 4, "{trips} round trips");

            // Nobody takes what this one was given.
            let other = ask("b", Meaning::TokenBucket, 10, 24 * HOUR, 10);
            let key = replica.key("b");
            {
                let mut leaving = Box::pin(replica.lease.ask(key, &other));
                std::future::poll_fn(|cx| {
                    assert!(leaving.as_mut().poll(cx).is_pending());
                    std::task::Poll::Ready(())
                })
                .await;
            }
            until("it has come", || {
                matches!(replica.lease.look(key, 1), Found::Enough { .. })
            })
            .await;
        })
        .await;
}

/// A store that is away: what is held is spent, then whoever asks is told at once.
#[tokio::test]
async fn a_store_that_goes_away() {
    LocalSet::new()
        .run_until(async {
            let mut server = Server::start();
            let store = Arc::new(server.store(PATIENT));
            let replica = Replica::new(&store, 50);
            let limit = ask("a", Meaning::TokenBucket, 10_000, HOUR, 10_000);
            for _ in 0..500 {
                assert!(replica.admits(&limit).await);
                tokio::task::yield_now().await;
            }
            server.kill();
            let key = replica.key("a");
            let mut held = 0;
            while replica.admits(&limit).await {
                held += 1;
                assert!(held <= 50, "more than it holds");
            }
            for _ in 0..5 {
                assert_eq!(replica.lease.ask(key, &limit).await, Err(Unavailable));
            }
            assert!(store.is_away_for("a"));
            server.restart();
            let begun = Instant::now();
            while !replica.admits(&limit).await {
                assert!(begun.elapsed() < Duration::from_secs(30));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
}

/// Requests that cost much: a refusal of one says nothing of cheaper ones.
#[tokio::test]
async fn dear_requests() {
    LocalSet::new()
        .run_until(async {
            let server = Server::start();
            let store = Arc::new(server.store(PATIENT));
            let replica = Replica::new(&store, 10);
            let cheap = ask("a", Meaning::TokenBucket, 100, 24 * HOUR, 100);
            let dear = Ask {
                cost: 60,
                ..cheap.clone()
            };
            let key = replica.key("a");
            assert!(matches!(
                replica.lease.ask(key, &dear).await,
                Ok(Leased::Admitted(_))
            ));
            let refused = replica.lease.ask(key, &dear).await;
            assert!(
                matches!(
                    refused,
                    Ok(Leased::Refused {
                        remaining: 40,
                        after: Some(_)
                    })
                ),
                "{refused:?}"
            );
            let never = Ask {
                cost: 101,
                ..cheap.clone()
            };
            let refused = replica.lease.ask(key, &never).await;
            assert!(
                matches!(refused, Ok(Leased::Refused { after: None, .. })),
                "{refused:?}"
            );
            let mut counts: HashMap<bool, u32> = HashMap::new();
            for _ in 0..50 {
                *counts.entry(replica.admits(&cheap).await).or_default() += 1;
            }
            assert_eq!(counts[&true], 40);
        })
        .await;
}
