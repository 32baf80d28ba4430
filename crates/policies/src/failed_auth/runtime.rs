//! How often the credentials of an address have failed.
//!
//! One table of fixed size for all workers, without locks: an address has one of four places, each
//! of which is one number. Whoever fills the table with addresses drives out those that have failed
//! least and longest ago, and never takes more memory.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Sets of places, a power of two: 65,536 addresses in 512 KiB.
const SETS: usize = 1 << 14;
const WAYS: usize = 4;

/// What counts as too many, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// Failures that lead to a ban, 1 to 250.
    pub(super) attempts: u8,
    /// Seconds within which they happen.
    pub(super) within: u32,
    /// Seconds of the first ban; each further one lasts twice as long.
    pub(super) ban: u32,
    /// Seconds of the longest ban; and after as many without a failure all is forgotten.
    pub(super) longest: u32,
}

/// What is known of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// So many failures of late.
    Failures(u32),
    /// It is banned, for so long yet.
    Banned(Duration),
}

/// Addresses whose credentials have failed.
pub(super) struct Table {
    terms: Terms,
    hasher: RandomState,
    places: Box<[[AtomicU64; WAYS]]>,
}

/// One place: an address's tag, 24 bits; a time in seconds, 28 bits; how often it was banned, 4
/// bits; how often it has failed, 8 bits. Two addresses of one tag in one set, one in four million
/// pairs, count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    tag: u32,
    /// The first failure that counts; or the end of the ban.
    time: u32,
    bans: u8,
    failures: u8,
}

/// The number of failures of those who are banned.
const BANNED: u8 = u8::MAX;
/// Bans are counted up to this.
const MOST_BANS: u8 = 15;

impl Table {
    pub(super) fn new(terms: Terms) -> Self {
        let set = || std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            terms,
            hasher: RandomState::new(),
            places: (0..SETS).map(|_| set()).collect(),
        }
    }

    pub(super) const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What is known of an address, at a time in seconds.
    pub(super) fn seen(&self, address: IpAddr, now: u32) -> Seen {
        let (set, tag) = self.find(address);
        let mut places = set.iter().map(|place| place.load(Ordering::Relaxed));
        let Some(place) = places.find_map(|bits| Place::read(bits).filter(|own| own.tag == tag))
        else {
            return Seen::Failures(0);
        };
        if place.failures != BANNED {
            let over = now.saturating_sub(place.time) >= self.terms.within;
            return Seen::Failures(if over { 0 } else { u32::from(place.failures) });
        }
        match place.time.checked_sub(now) {
            None | Some(0) => Seen::Failures(0),
            Some(left) => Seen::Banned(Duration::from_secs(u64::from(left))),
        }
    }

    /// Counts a failure of an address, at a time in seconds.
    pub(super) fn fail(&self, address: IpAddr, now: u32) {
        let (set, tag) = self.find(address);
        // Another worker may count at the same time; in the end one failure more or less is lost.
        for _ in 0..8 {
            let Some((place, before)) = self.place(set, tag, now) else {
                return;
            };
            let known = Place::read(before).filter(|own| own.tag == tag);
            let after = self.after_failure(known, tag, now).bits();
            let changed =
                place.compare_exchange_weak(before, after, Ordering::Relaxed, Ordering::Relaxed);
            if changed.is_ok() {
                return;
            }
        }
    }

    fn after_failure(&self, known: Option<Place>, tag: u32, now: u32) -> Place {
        let first = Place {
            tag,
            time: now,
            bans: 0,
            failures: 1,
        };
        let counted = match known {
            None => first,
            Some(place) if self.is_forgotten(place, now) => first,
            // Failures of requests that were under way when the ban began.
            Some(place) if place.failures == BANNED && now < place.time => return place,
            Some(place) if place.failures == BANNED => Place {
                bans: place.bans,
                ..first
            },
            Some(place) if now.saturating_sub(place.time) >= self.terms.within => Place {
                bans: place.bans,
                ..first
            },
            Some(place) => Place {
                failures: place.failures.saturating_add(1),
                ..place
            },
        };
        if counted.failures < self.terms.attempts {
            return counted;
        }
        let ban = u64::from(self.terms.ban) << counted.bans.min(MOST_BANS);
        let ban = u32::try_from(ban)
            .unwrap_or(u32::MAX)
            .min(self.terms.longest);
        Place {
            tag,
            time: now.saturating_add(ban),
            bans: (counted.bans + 1).min(MOST_BANS),
            failures: BANNED,
        }
    }

    fn is_forgotten(&self, place: Place, now: u32) -> bool {
        let quiet = now.saturating_sub(place.time);
        quiet >= self.terms.longest.max(self.terms.within)
    }

    /// The address's own place, else an empty one, else the one that is worth least.
    fn place<'a>(
        &self,
        set: &'a [AtomicU64; WAYS],
        tag: u32,
        now: u32,
    ) -> Option<(&'a AtomicU64, u64)> {
        let worth = |bits: u64| match Place::read(bits) {
            Some(place) if place.tag == tag => (0, 0, 0),
            None => (1, 0, 0),
            Some(place) if self.is_forgotten(place, now) => (2, 0, 0),
            Some(place) => (3, place.failures, place.time),
        };
        let loaded = set
            .iter()
            .map(|place| (place, place.load(Ordering::Relaxed)));
        loaded.min_by_key(|(_, bits)| worth(*bits))
    }

    fn find(&self, address: IpAddr) -> (&[AtomicU64; WAYS], u32) {
        let hash = self.hasher.hash_one(address);
        // Never 0, which is an empty place.
        let tag = u32::try_from(hash >> 40).unwrap_or(0).max(1);
        let index = usize::try_from(hash).unwrap_or(usize::MAX) % SETS;
        static NOBODY: [AtomicU64; WAYS] = [const { AtomicU64::new(0) }; WAYS];
        (self.places.get(index).unwrap_or(&NOBODY), tag)
    }
}

impl Place {
    /// `None` for an empty place.
    fn read(bits: u64) -> Option<Self> {
        let part = |shift: u32, width: u32| (bits >> shift) & ((1 << width) - 1);
        let tag = u32::try_from(part(40, 24)).ok().filter(|tag| *tag != 0)?;
        Some(Self {
            tag,
            time: u32::try_from(part(12, 28)).ok()?,
            bans: u8::try_from(part(8, 4)).ok()?,
            failures: u8::try_from(part(0, 8)).ok()?,
        })
    }

    fn bits(self) -> u64 {
        let time = self.time.min((1 << 28) - 1);
        u64::from(self.tag) << 40
            | u64::from(time) << 12
            | u64::from(self.bans.min(MOST_BANS)) << 8
            | u64::from(self.failures)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}

/// Whom an address stands for: an IPv6 client has a whole /64 (RFC 6177), and may choose any address
/// in it.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let bits = v6.to_bits() & (u128::MAX << 64);
            Ipv6Addr::from_bits(bits).into()
        }
        v4 => v4,
    }
}

/// A time in seconds since the process came here first. It does not depend on the clock being set.
pub(super) fn seconds(time: Instant) -> u32 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let since = time.saturating_duration_since(*START).as_secs();
    u32::try_from(since).unwrap_or(u32::MAX)
}
