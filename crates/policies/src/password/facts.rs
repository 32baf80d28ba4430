//! What a worker knows of passwords: which are the ones behind which hashes, and which are not.
//!
//! That a password is the one behind a hash is true whatever the configuration says, so it outlives
//! every reload, and all routes share it. A consumer that is gone, or has another hash, is another
//! question.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, LazyLock},
    time::Instant,
};

use aws_lc_rs::{digest, rand};
use lintel_state::Memory;
use rustc_hash::FxHashMap;
use tokio::sync::Notify;

use super::{Busy, Hash, pool::Pool};

/// What an entry of the memory costs in bytes.
const ENTRY: usize = 96;
/// Bytes of good passwords: about 40,000.
const GOOD: usize = 4 << 20;
/// Bytes of wrong passwords: about 2,700. By itself, so that guessing drives no good one out.
const WRONG: usize = 256 << 10;
/// Seconds after which a good password is verified anew.
const GOOD_FOR: u64 = 3600;
/// Seconds for which a wrong one is known to be wrong: a client that keeps trying costs little.
const WRONG_FOR: u64 = 60;

type Fact = [u8; 32];

struct Facts {
    good: Memory<Fact, ()>,
    wrong: Memory<Fact, ()>,
    /// What is being computed for this worker.
    under_way: FxHashMap<Fact, Rc<Notify>>,
}

thread_local! {
    static FACTS: RefCell<Facts> = RefCell::new(Facts {
        good: Memory::new(GOOD),
        wrong: Memory::new(WRONG),
        under_way: FxHashMap::default(),
    });
}

/// What is known of a password at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It is the one behind the hash.
    Good,
    /// It is another one.
    Wrong,
    /// It has to be computed.
    Unknown,
}

/// What is known of a password at once.
pub(crate) fn check(hash: &Hash, password: &str) -> Checked {
    known(&fact(hash, password))
}

/// Whether a password is the one behind a hash. The same one is computed once for this worker,
/// however many requests bring it at a time.
pub(super) async fn verify(pool: &Pool, hash: &Arc<Hash>, password: &str) -> Result<bool, Busy> {
    let fact = fact(hash, password);
    loop {
        match known(&fact) {
            Checked::Good => return Ok(true),
            Checked::Wrong => return Ok(false),
            Checked::Unknown => {}
        }
        let under_way = FACTS.with_borrow(|facts| facts.under_way.get(&fact).cloned());
        let Some(under_way) = under_way else { break };
        under_way.notified().await;
    }
    let _flight = Flight::begin(fact);
    let answer = pool.submit(hash, password)?.await;
    let good = answer.map_err(|_| Busy)?;
    FACTS.with_borrow_mut(|facts| {
        let (memory, time) = match good {
            true => (&mut facts.good, GOOD_FOR),
            false => (&mut facts.wrong, WRONG_FOR),
        };
        memory.remember(fact, (), seconds() + time, ENTRY);
    });
    Ok(good)
}

/// A computation that others may wait for. When it ends, also unfinished, they are told.
struct Flight(Fact);

impl Flight {
    fn begin(fact: Fact) -> Self {
        FACTS.with_borrow_mut(|facts| facts.under_way.insert(fact, Rc::default()));
        Self(fact)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        // A thread that ends may have dropped its facts already.
        let ended = FACTS.try_with(|facts| facts.borrow_mut().under_way.remove(&self.0));
        if let Ok(Some(waiting)) = ended {
            waiting.notify_waiters();
        }
    }
}

fn known(fact: &Fact) -> Checked {
    let now = seconds();
    FACTS.with_borrow_mut(|facts| {
        if facts.good.find(fact, now).is_some() {
            Checked::Good
        } else if facts.wrong.find(fact, now).is_some() {
            Checked::Wrong
        } else {
            Checked::Unknown
        }
    })
}

/// Hash and password as one number. It can't be guessed without the key of this process, so that an
/// image of its memory does not turn a slow hash into a fast one.
fn fact(hash: &Hash, password: &str) -> Fact {
    static KEY: LazyLock<[u8; 32]> = LazyLock::new(|| {
        let mut key = [0; 32];
        // Without random numbers there would be no TLS either.
        let _ = rand::fill(&mut key);
        key
    });
    let mut digest = digest::Context::new(&digest::SHA256);
    digest.update(&*KEY);
    digest.update(hash.id());
    digest.update(password.as_bytes());
    digest.finish().as_ref().try_into().unwrap_or_default()
}

/// Seconds since the first call.
fn seconds() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs()
}
