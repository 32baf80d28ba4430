//! Equal questions, asked once.

use std::{collections::VecDeque, time::Duration};

use rustc_hash::FxHashMap;
use tokio::{sync::oneshot::Sender, time::Instant};

use super::answer::Outcome;

/// How long an outcome answers equal questions. A browser that has just opened ten tabs asks ten
/// times with one refresh token, and many providers take the second use of one for a theft (RFC
/// 9700 §4.14.2).
pub(super) const KEPT: Duration = Duration::from_secs(30);
/// The same where there was no answer: a provider that is away is not asked for every request.
pub(super) const KEPT_FAILURE: Duration = Duration::from_secs(3);
/// Outcomes that are kept. Beyond that the oldest goes.
const MAX_KEPT: usize = 4096;

/// Questions under way, and outcomes of a moment ago.
#[derive(Default)]
pub(super) struct Flights {
    all: FxHashMap<[u8; 32], Flight>,
    /// Outcomes by age.
    landed: VecDeque<[u8; 32]>,
}

enum Flight {
    UnderWay(Vec<Sender<Outcome>>),
    Landed(Outcome, Instant),
}

impl Flights {
    /// Whether whoever asks must ask the endpoint, and then [`land`](Self::land). Otherwise `tell`
    /// was told, or will be.
    pub(super) fn join(&mut self, number: [u8; 32], tell: Sender<Outcome>, now: Instant) -> bool {
        self.forget(now);
        match self.all.get_mut(&number) {
            Some(Flight::UnderWay(waiting)) => {
                waiting.push(tell);
                return false;
            }
            Some(Flight::Landed(outcome, until)) if now < *until => {
                // Nobody may be waiting any more.
                let _ = tell.send(outcome.clone());
                return false;
            }
            Some(Flight::Landed(..)) | None => {}
        }
        self.landed.retain(|landed| *landed != number);
        self.all.insert(number, Flight::UnderWay(vec![tell]));
        true
    }

    /// Keeps an outcome until a time, and gives back who waits for it.
    pub(super) fn land(
        &mut self,
        number: [u8; 32],
        outcome: &Outcome,
        until: Instant,
    ) -> Vec<Sender<Outcome>> {
        let landed = Flight::Landed(outcome.clone(), until);
        let before = self.all.insert(number, landed);
        self.landed.push_back(number);
        if self.landed.len() > MAX_KEPT
            && let Some(oldest) = self.landed.pop_front()
        {
            self.all.remove(&oldest);
        }
        match before {
            Some(Flight::UnderWay(waiting)) => waiting,
            _ => Vec::new(),
        }
    }

    /// Forgets the oldest that are over; one among them that holds longer keeps those behind it, which are
    /// not believed beyond their time.
    fn forget(&mut self, now: Instant) {
        while let Some(oldest) = self.landed.front() {
            if let Some(Flight::Landed(_, until)) = self.all.get(oldest)
                && now < *until
            {
                return;
            }
            self.all.remove(oldest);
            self.landed.pop_front();
        }
    }
}
