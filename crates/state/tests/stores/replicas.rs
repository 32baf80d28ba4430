//! Replicas that count themselves.

use std::{sync::Arc, time::Duration};

use lintel_state::store::{Census, Replicas};

use crate::server::{PATIENT, Place as _, Server, until};

/// Replicas count themselves: who comes, who leaves, and who is gone without a word. The last number
/// holds while nobody answers.
#[tokio::test]
async fn replicas_count_themselves() {
    let mut server = Server::start();
    let store = Arc::new(server.store(PATIENT));
    let heartbeat = Duration::from_millis(100);
    let replica = |name: &str| {
        let replica = Replicas::counted(Census {
            store: Arc::clone(&store),
            name: name.into(),
            heartbeat,
            assumed: 7,
        });
        assert_eq!(replica.count(), 7);
        replica.start();
        replica
    };
    let (one, two, three) = (replica("one"), replica("two"), replica("three"));
    until("all are counted", || {
        [&one, &two, &three]
            .iter()
            .all(|replica| replica.count() == 3)
    })
    .await;
    two.leave().await;
    let members = server.ask(&["zrange", "lintel:replicas", "0", "-1"]);
    assert!(!members.contains("two"), "{members}");
    drop(three);
    until("one is left", || one.count() == 1).await;
    server.ask(&["zadd", "lintel:replicas", "99999999999999", "other"]);
    until("another has come", || one.count() == 2).await;
    server.kill();
    tokio::time::sleep(heartbeat * 3).await;
    assert_eq!(one.count(), 2, "the last known number holds");
    server.restart();
    until("it is counted again", || one.count() == 1).await;
}
