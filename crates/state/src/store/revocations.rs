//! What is revoked, as replicas share it.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::{
    Redis,
    paged::{self, Mark, News, Page, Paged, fresh_name, something_else},
    polled::{Keeper, Polled},
    script::Script,
};
use crate::revoked::{Entries, Entry, Revoked, now};

/// The list of what is [revoked](Revoked), in a store: asked for news again and again, and changed
/// through any replica. While the store does not answer, the last list holds; one that comes back
/// without its data is given the list again.
pub struct Revocations {
    terms: Terms,
    revoked: Arc<Revoked>,
    polled: Polled<Order>,
}

/// Where a list is, and what holds for it.
#[derive(Clone)]
pub struct Terms {
    /// Where it is.
    pub store: Arc<Redis>,
    /// How often news are asked for.
    pub poll: Duration,
    /// How many entries there may be.
    pub room: usize,
}

/// How far a change has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All replicas learn of it when they next ask.
    Stored,
    /// The store does not answer: it holds here, and is stored when the store answers again.
    Here,
}

/// Why nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// There is no room for another entry.
    Full,
    /// The store does not answer.
    Away,
}

/// Entries that one script writes, or tells.
const AT_ONCE: usize = 500;

enum Order {
    Add(Entry, oneshot::Sender<Result<Kept, NotKept>>),
    Remove(Entry, oneshot::Sender<Result<bool, NotKept>>),
}

impl Revocations {
    /// One that asks nothing before the [start](Self::start).
    pub fn new(terms: Terms, revoked: Arc<Revoked>) -> Self {
        Self {
            terms,
            revoked,
            polled: Polled::default(),
        }
    }

    /// Where it is, and what holds for it.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Begins to ask, unless that has begun before, and waits for the first answer no longer than one
    /// may take. It ends when this is dropped. Blocks.
    pub fn start(&self) {
        let (terms, revoked) = (self.terms.clone(), Arc::clone(&self.revoked));
        let patience = self.terms.store.patience();
        self.polled.start(self.terms.poll, patience, || List {
            terms,
            revoked,
            writing: Script::new(include_str!("lua/revoke.lua").to_owned()),
            reading: Script::new(include_str!("lua/revoked.lua").to_owned()),
            known: Known::default(),
            unsaved: Vec::new(),
        });
    }

    /// Revokes something: here at once, elsewhere as soon as the others ask.
    ///
    /// # Errors
    /// There is no room for it.
    pub async fn add(&self, entry: Entry) -> Result<Kept, NotKept> {
        let mut fits = true;
        self.revoked.share(|entries| {
            let known = entries.iter().any(|known| known.is_like(&entry));
            fits = known || entries.len() < self.terms.room;
            fits && entries.add(entry.clone())
        });
        if !fits {
            return Err(NotKept::Full);
        }
        let done = self.order(|tell| Order::Add(entry, tell)).await;
        done.unwrap_or(Ok(Kept::Here))
    }

    /// Takes a revocation back, by what it names. Whether there was one.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn remove(&self, entry: Entry) -> Result<bool, NotKept> {
        let done = self.order(|tell| Order::Remove(entry, tell)).await;
        done.unwrap_or(Err(NotKept::Away))
    }

    /// When the store was last heard of, in seconds since 1970, and why it fails since.
    pub fn status(&self) -> (Option<u64>, Option<String>) {
        self.polled.status()
    }

    async fn order<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Option<T> {
        // It may be asking for news just now, which takes as long.
        let patience = self.terms.store.patience().saturating_mul(3);
        self.polled.order(patience, order).await
    }
}

/// What of the list is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    id: String,
    turn: u64,
    last: u64,
}

struct List {
    terms: Terms,
    revoked: Arc<Revoked>,
    writing: Script,
    reading: Script,
    known: Known,
    /// What the store does not know yet.
    unsaved: Vec<Entry>,
}

impl Keeper for List {
    type Order = Order;

    async fn follow(&mut self, order: Order) -> Result<(), String> {
        match order {
            Order::Add(entry, tell) => {
                self.unsaved.push(entry.clone());
                let saved = self.save().await;
                let done = match saved {
                    Ok(0) => Ok(Kept::Stored),
                    Ok(_) => {
                        self.revoked.share(|entries| entries.remove(&entry));
                        Err(NotKept::Full)
                    }
                    Err(_) => Ok(Kept::Here),
                };
                // Whoever asked may have left.
                let _ = tell.send(done);
                saved.map(|_| ())
            }
            Order::Remove(entry, tell) => {
                let removed = self.write("remove", std::slice::from_ref(&entry)).await;
                if removed.is_ok() {
                    self.unsaved.retain(|unsaved| !unsaved.is_like(&entry));
                    self.revoked.share(|entries| entries.remove(&entry));
                }
                let done = removed.as_ref().map(|count| *count > 0);
                let _ = tell.send(done.map_err(|_| NotKept::Away));
                removed.map(|_| ())
            }
        }
    }

    /// Says what has not been said, and hears what is new.
    async fn renew(&mut self) -> Result<(), String> {
        self.save().await?;
        let News { known, anew, items } = paged::news(self).await?;
        self.known = known;
        self.take_over(anew, items);
        Ok(())
    }

    fn note(&self, failing: Option<&str>) {
        let store = &**self.terms.store.name();
        match failing {
            None => tracing::info!(store, "the store tells again what is revoked"),
            Some(error) => tracing::warn!(
                store,
                entries = self.revoked.len(),
                error,
                "the store does not tell what is revoked; the last list holds"
            ),
        }
    }
}

impl List {
    fn take_over(&self, anew: bool, news: Vec<Entry>) {
        let now = now();
        let over = |entries: &Entries| entries.iter().any(|entry| entry.until <= now);
        if !anew && news.is_empty() && !over(&self.revoked.shared()) {
            return;
        }
        self.revoked.share(|entries| {
            let mut changed = anew;
            if anew {
                *entries = Entries::default();
            }
            for entry in news {
                changed |= entries.add(entry);
            }
            entries.forget(now) || changed
        });
    }

    /// How many of them there was no room for.
    async fn save(&mut self) -> Result<u64, String> {
        let mut left_out = 0;
        while !self.unsaved.is_empty() {
            let some = self.unsaved.len().min(AT_ONCE);
            let first = self.unsaved.get(..some).unwrap_or_default();
            left_out += self.write("add", first).await?;
            self.unsaved.drain(..some);
        }
        Ok(left_out)
    }

    async fn write(&self, what: &str, entries: &[Entry]) -> Result<u64, String> {
        let keys = self.keys();
        let mut call = self.writing.call();
        for key in &keys {
            call.key(key);
        }
        call.arg(what).arg(fresh_name()).arg(self.terms.room);
        for entry in entries {
            call.arg(entry.id()).arg(entry.before()).arg(entry.until);
        }
        let counts: Vec<i64> = self.terms.store.ask(&call).await?;
        let count = counts.first().and_then(|count| u64::try_from(*count).ok());
        count.ok_or_else(something_else)
    }

    fn keys(&self) -> [String; 4] {
        let parts = ["", ":ends", ":numbers", ":means"];
        paged::keys(&self.terms.store, "revoked", parts)
    }
}

impl Paged for List {
    type Item = Entry;
    type Known = Known;

    fn known(&self) -> &Known {
        &self.known
    }

    fn is_empty(&self) -> bool {
        self.revoked.shared().len() == 0
    }

    async fn page(&self, known: &Known) -> Result<Option<Page<Known, Entry>>, String> {
        let keys = self.keys();
        let mut call = self.reading.call();
        for key in &keys {
            call.key(key);
        }
        call.arg(&known.id).arg(known.turn).arg(known.last);
        call.arg(AT_ONCE);
        let texts: Vec<String> = self.terms.store.ask(&call).await?;
        Ok(read(&texts))
    }

    /// Gives the store what was known before.
    async fn restore(&mut self) -> Result<(), String> {
        let now = now();
        let entries = self.revoked.shared();
        let living = entries.iter().filter(|entry| entry.until > now);
        let living: Vec<Entry> = living.cloned().collect();
        for some in living.chunks(AT_ONCE) {
            self.write("add", some).await?;
        }
        tracing::warn!(
            store = &**self.terms.store.name(),
            entries = living.len(),
            "the store has lost what is revoked, and is told again"
        );
        Ok(())
    }
}

impl Mark for Known {
    fn id(&self) -> &str {
        &self.id
    }

    fn last(&self) -> u64 {
        self.last
    }

    fn adds_to(&self, before: &Self) -> bool {
        self.turn == before.turn
    }
}

/// Reads what the script answers.
fn read(texts: &[String]) -> Option<Page<Known, Entry>> {
    let (head, rest) = texts.split_at_checked(4)?;
    let [id, turn, told, last] = head else {
        return None;
    };
    let (triples, []) = rest.as_chunks::<3>() else {
        return None;
    };
    // What others have put there is left alone.
    let items = triples.iter().filter_map(|[id, before, until]| {
        Entry::read(id, before.parse().ok()?, until.parse().ok()?)
    });
    Some(Page {
        known: Known {
            id: id.clone(),
            turn: turn.parse().ok()?,
            last: told.parse().ok()?,
        },
        last: last.parse().ok()?,
        items: items.collect(),
    })
}

impl PartialEq for Terms {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store) && self.poll == other.poll && self.room == other.room
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("revoked", &self.revoked)
            .finish_non_exhaustive()
    }
}
