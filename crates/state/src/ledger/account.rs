//! What has been counted under one name.

use std::{
    cmp::Ordering::{Equal, Greater, Less},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use portable_atomic::{AtomicU128, Ordering::SeqCst};

/// A span of the calendar that is counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// When it began, in seconds since 1970; not 0.
    pub start: u64,
    /// When it ends.
    pub end: u64,
    /// Counts up by one from period to period.
    pub number: u64,
}

impl Period {
    fn bank(self) -> usize {
        usize::from(self.number % 2 == 1)
    }
}

/// What has been counted under one name: `N` figures, in this period and in the one before.
///
/// Each figure is one word with the time its period began, changed by compare and swap. That the one
/// before is kept leaves a whole period to write its last figures down.
#[derive(Debug)]
pub struct Account<const N: usize> {
    name: Box<str>,
    hash: (u64, u64),
    /// By the parity of the period's number.
    banks: [[AtomicU128; N]; 2],
    /// What of each bank was written down last, and of which period.
    written: [(AtomicU64, [AtomicU64; N]); 2],
}

/// What counting has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The figure before.
    pub before: u64,
    /// The figure after.
    pub after: u64,
}

impl<const N: usize> Account<N> {
    pub(super) fn new(name: &str, hash: (u64, u64)) -> Self {
        Self {
            name: name.into(),
            hash,
            banks: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU128::new(0))),
            written: std::array::from_fn(|_| {
                (
                    AtomicU64::new(0),
                    std::array::from_fn(|_| AtomicU64::new(0)),
                )
            }),
        }
    }

    /// Its name.
    pub const fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is(&self, hash: (u64, u64)) -> bool {
        self.hash == hash
    }

    /// A figure in a period.
    pub fn value(&self, figure: usize, period: Period) -> u64 {
        let (start, value) = self.load(figure, period);
        if start == period.start { value } else { 0 }
    }

    /// Adds to a figure, unless that makes it more than `most`.
    ///
    /// A clock that was set back goes on counting in the period that had begun already.
    ///
    /// # Errors
    /// It would be more: the figure as it is. Nothing is counted.
    pub fn add(&self, figure: usize, period: Period, by: u64, most: u64) -> Result<Change, u64> {
        self.change(figure, period, |before| {
            before.checked_add(by).filter(|after| *after <= most)
        })
    }

    /// Takes back what was added and then not used.
    pub fn take_back(&self, figure: usize, period: Period, by: u64) {
        let _ = self.change(figure, period, |before| Some(before.saturating_sub(by)));
    }

    /// Sets a figure.
    pub fn set(&self, figure: usize, period: Period, value: u64) {
        let _ = self.change(figure, period, |_| Some(value));
    }

    /// Changes a figure.
    fn change(
        &self,
        figure: usize,
        period: Period,
        work: impl Fn(u64) -> Option<u64>,
    ) -> Result<Change, u64> {
        let Some(cell) = self.cell(figure, period) else {
            return Err(0);
        };
        let mut word = cell.load(SeqCst);
        loop {
            let (start, known) = read(word);
            let before = if start < period.start { 0 } else { known };
            let after = work(before).ok_or(before)?;
            let next = pack(start.max(period.start), after);
            match cell.compare_exchange_weak(word, next, SeqCst, SeqCst) {
                Ok(_) => return Ok(Change { before, after }),
                Err(other) => word = other,
            }
        }
    }

    /// The figures of both banks that have any, each with the time its period began.
    pub(super) fn banks(&self) -> impl Iterator<Item = (usize, u64, [u64; N])> + '_ {
        self.banks.iter().enumerate().filter_map(|(bank, cells)| {
            let words = cells.each_ref().map(|cell| read(cell.load(SeqCst)));
            let start = words.iter().map(|(start, _)| *start).max()?;
            let values = words.map(|(begun, value)| if begun == start { value } else { 0 });
            (start != 0).then_some((bank, start, values))
        })
    }

    /// Whether something of a bank is not written down yet; from now on it is.
    pub(super) fn note(&self, bank: usize, start: u64, values: [u64; N]) -> bool {
        let Some((begun, written)) = self.written.get(bank) else {
            return false;
        };
        let another = begun.swap(start, Relaxed) != start;
        let notes = written.iter().zip(values);
        notes.fold(another, |news, (written, value)| {
            (written.swap(value, Relaxed) != value) | news
        })
    }

    /// Adds what another process has counted in the period that began then.
    pub(super) fn absorb(&self, bank: usize, start: u64, values: [u64; N]) {
        let cells = self.banks.get(bank).into_iter().flatten();
        for (cell, value) in cells.zip(values) {
            let _ = cell.fetch_update(SeqCst, SeqCst, |word| {
                let (begun, known) = read(word);
                match begun.cmp(&start) {
                    Less => Some(pack(start, value)),
                    Equal => Some(pack(start, known.saturating_add(value))),
                    Greater => None,
                }
            });
        }
    }

    fn load(&self, figure: usize, period: Period) -> (u64, u64) {
        let cell = self.cell(figure, period);
        cell.map_or((0, 0), |cell| read(cell.load(SeqCst)))
    }

    fn cell(&self, figure: usize, period: Period) -> Option<&AtomicU128> {
        self.banks.get(period.bank())?.get(figure)
    }
}

const fn pack(start: u64, value: u64) -> u128 {
    (start as u128) << 64 | value as u128
}

#[expect(clippy::cast_possible_truncation, reason = "each half for itself")]
const fn read(word: u128) -> (u64, u64) {
    ((word >> 64) as u64, word as u64)
}
