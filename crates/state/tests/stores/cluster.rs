//! A cluster of three nodes: counting, moving slots, a node that is gone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lintel_state::limit::Table;
use lintel_state::store::{Ask, At, Lease, Leased, Meaning, Redis, Reply};
use lintel_testkit::Cluster;
use tokio::task::LocalSet;

use crate::server::{HOUR, PATIENT, Place, Server, admitted, ask, store};

fn of(nodes: &[Server], timeout: Duration) -> Redis {
    let seeds = nodes.iter().take(1).map(Place::address).collect();
    store(At::Cluster(seeds), timeout)
}

fn limit(key: &str, most: u64) -> Ask {
    ask(key, Meaning::FixedWindow, most, 24 * HOUR, most)
}

#[tokio::test]
async fn every_key_is_counted_where_it_belongs() {
    LocalSet::new()
        .run_until(async {
            let cluster = Cluster::start();
            let nodes = &cluster.nodes;
            let store = of(nodes, PATIENT);
            for number in 0..30 {
                let asks = [
                    limit(&format!("lintel:{{{number}}}:a"), 3),
                    limit(&format!("lintel:{{{number}}}:b"), 5),
                ];
                assert_eq!(store.slot(&asks[0].key), store.slot(&asks[1].key));
                assert_eq!(admitted(&store, &asks, 6).await, 3, "{number}");
            }
            let sizes = nodes.iter().map(|node| node.ask(&["dbsize"]));
            assert!(
                sizes
                    .map(|size| size.parse::<u32>().unwrap())
                    .all(|size| size > 0)
            );
            let lease = Lease::new(Arc::new(of(nodes, PATIENT)), Arc::new(Table::new(100)), 10);
            let key = Table::new(1).key().number(1).finish();
            let ask = limit("lintel:{lease}:a", 100);
            let taken = lease.ask(key, &ask).await;
            assert!(matches!(taken, Ok(Leased::Admitted(_))), "{taken:?}");
        })
        .await;
}

/// A slot moves while it is asked: no count is lost, and nobody is refused for it.
#[tokio::test]
async fn a_slot_moves() {
    LocalSet::new()
        .run_until(async {
            let cluster = Cluster::start();
            let nodes = &cluster.nodes;
            let store = of(nodes, PATIENT);
            let key = "lintel:{moving}:a";
            let asks = [limit(key, 10)];
            assert_eq!(admitted(&store, &asks, 2).await, 2);
            let moving = cluster.begin_to_move(key);
            // The key is still here.
            assert_eq!(admitted(&store, &asks, 2).await, 2);
            moving.keys();
            // It is there, and the slot is not: ASK.
            assert_eq!(admitted(&store, &asks, 2).await, 2);
            moving.end();
            // MOVED, once.
            assert_eq!(admitted(&store, &asks, 9).await, 4);
        })
        .await;
}

/// A node is gone: what it has is not counted, what the others have is, and nobody waits for it for long.
#[tokio::test]
async fn a_node_is_gone() {
    LocalSet::new()
        .run_until(async {
            let mut cluster = Cluster::start();
            let store = of(&cluster.nodes, PATIENT);
            let keys: Vec<String> = (0..20)
                .map(|number| format!("lintel:{{{number}}}:a"))
                .collect();
            for key in &keys {
                assert_eq!(admitted(&store, &[limit(key, 9)], 2).await, 2);
            }
            let lost: Vec<&String> = keys
                .iter()
                .filter(|key| cluster.owner(key).0.port == cluster.nodes[2].port)
                .collect();
            let lost: Vec<String> = lost.into_iter().cloned().collect();
            assert!(!lost.is_empty() && lost.len() < 20);
            cluster.nodes[2].kill();
            for _ in 0..3 {
                for key in &keys {
                    let reply = store.spend(&[limit(key, 9)]).await;
                    assert_eq!(reply.is_err(), lost.contains(key), "{key}: {reply:?}");
                }
            }
            assert!(store.is_away_for(&lost[0]));
            let kept = keys.iter().find(|key| !lost.contains(key)).unwrap();
            assert!(!store.is_away_for(kept));
            cluster.nodes[2].restart();
            let begun = Instant::now();
            while !matches!(
                store.spend(&[limit(&lost[0], 9)]).await,
                Ok(Reply::Admitted(_))
            ) {
                assert!(
                    begun.elapsed() < Duration::from_secs(60),
                    "it is not asked again"
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
}
