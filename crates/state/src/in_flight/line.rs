//! Who waits for a place.

use std::pin::pin;

use tokio::sync::Notify;

use super::{
    count::{Bounds, Count, Room},
    table::{Enter, InFlight, Place},
};
use crate::limit::Key;

impl InFlight {
    /// Waits for a place in the order of arrival, where there is none and the line has room.
    ///
    /// Cancel safe: whoever gives up leaves the line, and what had been granted already goes to the
    /// next. Wakes across threads; nobody waits for a lock that is held while somebody waits.
    pub async fn wait(&self, key: Key, bounds: Bounds) -> Enter {
        loop {
            match self.enter(key, bounds) {
                Enter::Wait => {}
                decided => return decided,
            }
            let Some((place, line)) = self.line(key) else {
                return Enter::Full;
            };
            let mut notified = pin!(line.notified());
            // Before anybody can know: a grant finds everybody of the line here.
            notified.as_mut().enable();
            if !self.join(key, bounds, place) {
                continue;
            }
            // Dropped before `notified`, which then passes on what it has been told.
            let mut waiter = Waiter {
                table: self,
                place: Some(place),
            };
            loop {
                notified.as_mut().await;
                if waiter.claims() {
                    return Enter::In(place);
                }
                // Told in vain: somebody gave up. Two who are may miss what comes meanwhile.
                notified.set(line.notified());
                notified.as_mut().enable();
                if waiter.claims() {
                    return Enter::In(place);
                }
            }
        }
    }

    /// Where the key of somebody who has to wait is, and its line.
    fn line(&self, key: Key) -> Option<(Place, &Notify)> {
        let (place, _) = self.find(key)?;
        let line = self.lines.get()?.get(place.index())?;
        Some((place, line))
    }

    fn join(&self, key: Key, bounds: Bounds, place: Place) -> bool {
        let Some((found, count)) = self.find(key) else {
            return false;
        };
        match Count::read(count).arrive(bounds) {
            Room::Line(next) if found == place => self.change(key, place, count, next),
            _ => false,
        }
    }
}

/// Somebody in the line.
struct Waiter<'a> {
    table: &'a InFlight,
    /// `None` once it has left.
    place: Option<Place>,
}

impl Waiter<'_> {
    fn claims(&mut self) -> bool {
        let claim = |count: Count| Some((count.claim()?, ()));
        let claimed = self
            .place
            .is_some_and(|place| self.table.update(place, claim).is_some());
        if claimed {
            self.place = None;
        }
        claimed
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.table
                .update(place, |count| Some((count.give_up(), ())));
        }
    }
}
