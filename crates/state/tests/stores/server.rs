//! Servers of one's own, and what is asked of them.

use std::time::{Duration, Instant};

use lintel_state::store::{Address, Ask, At, Login, Meaning, Redis, Settings};
pub(crate) use lintel_testkit::Redis as Server;

/// What a store makes of a server.
pub(crate) trait Place {
    fn address(&self) -> Address;

    fn store(&self, timeout: Duration) -> Redis {
        store(At::Server(self.address()), timeout)
    }
}

impl Place for Server {
    fn address(&self) -> Address {
        on(self.port)
    }
}

/// A port of this machine.
pub(crate) fn on(port: u16) -> Address {
    Address::Tcp("127.0.0.1".to_owned(), port)
}

/// A store at a place, without a login and without TLS.
pub(crate) fn store(at: At, timeout: Duration) -> Redis {
    Redis::new(settings(at, timeout)).unwrap()
}

pub(crate) fn settings(at: At, timeout: Duration) -> Settings {
    Settings {
        name: "shared".into(),
        prefix: "lintel".into(),
        at,
        login: Login::default(),
        tls: None,
        timeout,
    }
}

/// Long enough for a machine that is busy with other things.
pub(crate) const PATIENT: Duration = Duration::from_secs(10);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn ask(key: &str, meaning: Meaning, count: u64, per: Duration, most: u64) -> Ask {
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

pub(crate) async fn admitted(store: &Redis, asks: &[Ask], times: usize) -> usize {
    let mut count = 0;
    for _ in 0..times {
        let reply = store.spend(asks).await.unwrap();
        count += usize::from(matches!(reply, lintel_state::store::Reply::Admitted(_)));
    }
    count
}

pub(crate) async fn join_all<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
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

pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
