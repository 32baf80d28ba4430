//! Sticky sessions: which endpoint a session's cookie names.

/// The endpoints of one set by the number that stands for them in cookies.
#[derive(Debug)]
pub struct Sessions {
    /// In the order of the numbers.
    known: Box<[(u64, u32)]>,
    /// In the order of the endpoints.
    numbers: Box<[u64]>,
}

impl Sessions {
    /// For endpoints with these numbers.
    pub fn new(numbers: impl IntoIterator<Item = u64>) -> Self {
        let numbers: Box<[u64]> = numbers.into_iter().collect();
        let mut known: Box<[(u64, u32)]> = numbers.iter().copied().zip(0..).collect();
        known.sort_unstable();
        Self { known, numbers }
    }

    /// The endpoint of a number.
    pub fn find(&self, number: u64) -> Option<usize> {
        let at = self
            .known
            .binary_search_by_key(&number, |(number, _)| *number)
            .ok()?;
        self.known.get(at).map(|(_, index)| *index as usize)
    }

    /// The number of an endpoint.
    pub fn number(&self, index: usize) -> Option<u64> {
        self.numbers.get(index).copied()
    }
}
