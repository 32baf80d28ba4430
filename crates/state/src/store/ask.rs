//! What a store is asked of limits, and what it answers.

use std::time::Duration;

use super::script::Call;

/// One limit that a request is counted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Where the store keeps its count.
    pub key: String,
    /// What the rate means.
    pub meaning: Meaning,
    /// The number of the rate.
    pub count: u64,
    /// The time of the rate.
    pub per: Duration,
    /// The most that can be spent at once.
    pub most: u64,
    /// What the request costs.
    pub cost: u64,
    /// Whether it only counts.
    pub dry_run: bool,
}

/// What a rate means; see [`limit`](crate::limit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A bucket of tokens.
    TokenBucket,
    /// A sliding window.
    SlidingWindow,
    /// A window of the clock.
    FixedWindow,
    /// All that comes under the key, which is that of one period; its time is what is left of it.
    Total,
}

/// What the store says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// All limits admit it, and it is counted; what is left of each, in the order asked.
    Admitted(Vec<Counted>),
    /// One does not, and nothing is counted.
    Refused {
        /// Which one, of those that refuse the one that does for longest.
        index: usize,
        /// What is left of it.
        remaining: u64,
        /// When there will be enough; `None` where there never is.
        after: Option<Duration>,
    },
}

/// What is left of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// How much may be spent at once now; `None` where a dry run would have refused.
    pub remaining: Option<u64>,
    /// When all of it may be spent again.
    pub reset: Duration,
}

/// What a lease comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// So many; what is left in the store.
    Some { given: u64, counted: Counted },
    /// Fewer than needed.
    TooFew {
        remaining: u64,
        /// When there are enough; `None` where there never are.
        after: Option<Duration>,
        /// When there is one.
        first: Duration,
    },
}

impl Ask {
    /// Names the limit to a script: its key, and what it means.
    pub(super) fn limit<'a, 'k>(&'k self, call: &'a mut Call<'k>) -> &'a mut Call<'k> {
        let micros = u64::try_from(self.per.as_micros());
        call.key(&self.key)
            .arg(self.meaning.letter())
            .arg(self.count)
            .arg(micros.unwrap_or(u64::MAX).max(1))
    }
}

impl Given {
    /// Reads what the script returns; `None` where it is nothing of the kind.
    pub(super) fn read(numbers: &[i64]) -> Option<Self> {
        let number = |number: i64| u64::try_from(number).ok();
        match *numbers {
            [given, left, reset] => Some(Self::Some {
                given: number(given)?,
                counted: Counted {
                    remaining: number(left),
                    reset: Duration::from_millis(number(reset).unwrap_or(0)),
                },
            }),
            [0, left, after, first] => Some(Self::TooFew {
                remaining: number(left).unwrap_or(0),
                after: number(after).map(Duration::from_millis),
                first: Duration::from_millis(number(first).unwrap_or(0)),
            }),
            _ => None,
        }
    }
}

impl Meaning {
    /// The letter that the script knows it by.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::TokenBucket => "b",
            Self::SlidingWindow => "s",
            Self::FixedWindow => "f",
            Self::Total => "t",
        }
    }
}

impl Reply {
    /// Reads what the script returns; `None` where it is nothing of the kind.
    pub(super) fn read(numbers: &[i64], asked: usize) -> Option<Self> {
        let millis = |number: i64| u64::try_from(number).ok().map(Duration::from_millis);
        match *numbers {
            [0, ref rest @ ..] if rest.len() == 2 * asked => {
                let (pairs, _) = rest.as_chunks::<2>();
                let counted = pairs.iter().map(|[left, reset]| Counted {
                    remaining: u64::try_from(*left).ok(),
                    reset: millis(*reset).unwrap_or_default(),
                });
                Some(Self::Admitted(counted.collect()))
            }
            [place, left, after] => {
                let index = usize::try_from(place).ok()?.checked_sub(1)?;
                (index < asked).then(|| Self::Refused {
                    index,
                    remaining: u64::try_from(left).unwrap_or(0),
                    after: millis(after),
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let second = Duration::from_secs(1);
        let counted = |remaining, reset| Counted { remaining, reset };
        let two = vec![counted(Some(7), second), counted(None, second)];
        assert_eq!(
            Reply::read(&[0, 7, 1000, -1, 1000], 2),
            Some(Reply::Admitted(two))
        );
        let refused = |after| Reply::Refused {
            index: 1,
            remaining: 3,
            after,
        };
        assert_eq!(Reply::read(&[2, 3, 1000], 2), Some(refused(Some(second))));
        assert_eq!(Reply::read(&[2, 3, -1], 2), Some(refused(None)));
        for nonsense in [&[][..], &[0], &[0, 1], &[3, 1, 1], &[-1, 1, 1]] {
            assert_eq!(Reply::read(nonsense, 2), None, "{nonsense:?}");
        }
    }
}
