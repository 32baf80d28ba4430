//! The count of one key, in one word.

/// The most that can be under way at once.
pub const MOST: u32 = (1 << IN_BITS) - 2;
/// The most that can wait at once.
pub const MOST_WAITING: u32 = (1 << LINE_BITS) - 2;

/// How much may be under way, and how much may wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// At once; 1 to [`MOST`].
    pub max: u32,
    /// Waiting; 0 to [`MOST_WAITING`].
    pub queue: u32,
}

/// What is under way for a key, and who waits.
///
/// Whoever leaves hands the place over to the line: it stays taken, and one more of the waiting has a
/// grant. So nobody who comes later can be faster than those who wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Places taken, granted ones included.
    pub(super) taken: u32,
    pub(super) waiting: u32,
    /// Of the waiting, those that may come in; they need not know yet.
    pub(super) granted: u32,
}

const IN_BITS: u32 = 24;
const LINE_BITS: u32 = 20;

/// What there is for somebody who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// A place; the count with it taken.
    Place(Count),
    /// A place in the line; the count with it taken.
    Line(Count),
    None,
}

impl Count {
    pub(super) fn read(word: u64) -> Self {
        let part = |shift: u32, bits: u32| {
            let part = (word >> shift) & ((1 << bits) - 1);
            u32::try_from(part).unwrap_or(u32::MAX)
        };
        Self {
            taken: part(0, IN_BITS),
            waiting: part(IN_BITS, LINE_BITS),
            granted: part(IN_BITS + LINE_BITS, LINE_BITS),
        }
    }

    pub(super) fn word(self) -> u64 {
        u64::from(self.taken)
            | u64::from(self.waiting) << IN_BITS
            | u64::from(self.granted) << (IN_BITS + LINE_BITS)
    }

    /// Somebody comes.
    pub(super) fn arrive(self, bounds: Bounds) -> Room {
        let line = self.waiting.saturating_sub(self.granted);
        if line == 0 && self.taken < bounds.max.min(MOST) {
            return Room::Place(Self {
                taken: self.taken + 1,
                ..self
            });
        }
        if line < bounds.queue && self.waiting < MOST_WAITING {
            return Room::Line(Self {
                waiting: self.waiting + 1,
                ..self
            });
        }
        Room::None
    }

    /// Somebody who had a place leaves; and how many of the waiting get a grant. More than one where
    /// the bound was raised, none where it was lowered.
    pub(super) fn leave(self, bounds: Bounds) -> (Self, u32) {
        let left = self.taken.saturating_sub(1);
        let line = self.waiting.saturating_sub(self.granted);
        let grants = line.min(bounds.max.min(MOST).saturating_sub(left));
        let after = Self {
            taken: left + grants,
            granted: self.granted + grants,
            ..self
        };
        (after, grants)
    }

    /// Somebody who waits takes a grant, if there is one.
    pub(super) fn claim(self) -> Option<Self> {
        let granted = self.granted.checked_sub(1)?;
        Some(Self {
            waiting: self.waiting.saturating_sub(1),
            granted,
            ..self
        })
    }

    /// Somebody who waits gives up. A grant that nobody is left for is given back.
    pub(super) fn give_up(self) -> Self {
        let waiting = self.waiting.saturating_sub(1);
        let unused = self.granted.saturating_sub(waiting);
        Self {
            taken: self.taken.saturating_sub(unused),
            waiting,
            granted: self.granted - unused,
        }
    }
}
