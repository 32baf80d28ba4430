//! Tokens that were verified, found again without a signature check.

use std::hash::{BuildHasher, RandomState};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use lintel_state::Memory;

/// The end of a token that it is looked for by, in bytes: a part of its signature, 192 bits.
const TAIL: usize = 32;
/// A token that was not seen for so long, and up to twice as long, is forgotten, in seconds: it is a
/// secret that is kept for the sake of requests that come soon.
const UNUSED_FOR: u64 = 300;
/// What an entry costs beside the texts, in bytes: key, counts, table.
const ENTRY: usize = 256;

/// What was found out about tokens, each until a time, all together within a bound of bytes.
///
/// One is looked for by a hash of its end that is keyed by a random number of its own, and then the
/// whole text is compared, in a time that does not depend on where it differs. Each hash has one
/// place: whoever finds tokens that meet there displaces one by the other and makes no look-up longer.
#[derive(Debug)]
pub(super) struct Remembered<V> {
    tokens: Memory<u64, Token<V>>,
    hash: RandomState,
    /// When what is not used from now on is forgotten the next time, in seconds since 1970.
    next_turn: u64,
}

struct Token<V> {
    text: Box<str>,
    value: V,
}

impl<V> Remembered<V> {
    /// Holds about `bytes` at most.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            tokens: Memory::new(bytes),
            hash: RandomState::new(),
            next_turn: 0,
        }
    }

    /// What is known of a token at a time, in seconds since 1970.
    pub(super) fn find(&mut self, text: &str, now: u64) -> Option<&V> {
        if now >= self.next_turn {
            self.tokens.turn();
            self.next_turn = now.saturating_add(UNUSED_FOR);
        }
        let known = self.tokens.find(&self.place(text), now)?;
        let same = verify_slices_are_equal(known.text.as_bytes(), text.as_bytes()).is_ok();
        same.then_some(&known.value)
    }

    /// Remembers what was found out, until a time. The value is taken to be about as large as the text.
    pub(super) fn remember(&mut self, text: &str, value: V, until: u64) {
        let size = ENTRY + 2 * text.len();
        let place = self.place(text);
        let text = text.into();
        self.tokens
            .remember(place, Token { text, value }, until, size);
    }

    fn place(&self, text: &str) -> u64 {
        let bytes = text.as_bytes();
        let tail = bytes.last_chunk::<TAIL>();
        self.hash
            .hash_one(tail.map_or(bytes, <[u8; TAIL]>::as_slice))
    }
}

impl<V> std::fmt::Debug for Token<V> {
    /// Without the text, which is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const ROOM: usize = 1 << 20;

    #[test]
    fn only_the_very_token_is_known() {
        let token =
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.4f1g23a12aa4f1g23a12aa4f1g23a12aa4f1g23a12aa";
        let mut known = Remembered::new(ROOM);
        known.remember(token, "ada", 100);
        assert_eq!(known.find(token, 99), Some(&"ada"));
        assert_eq!(known.find(token, 100), None);
        for place in 0..token.len() {
            let mut other = token.as_bytes().to_vec();
            other[place] ^= 1;
            let other = String::from_utf8(other).unwrap();
            assert_eq!(known.find(&other, 0), None, "{other}");
        }
        for length in 0..token.len() {
            assert_eq!(known.find(&token[length + 1..], 0), None, "from {length}");
            assert_eq!(known.find(&token[..length], 0), None, "to {length}");
        }
        assert_eq!(known.find(&format!("a{token}"), 0), None);
    }

    #[test]
    fn tokens_that_meet_displace_each_other() {
        let end = "one-end-of-exactly-thirty-two-by";
        assert_eq!(end.len(), TAIL);
        let text = |number: usize| format!("{number}.{end}");
        let mut known = Remembered::new(ROOM);
        for number in 0..1000 {
            known.remember(&text(number), number, u64::MAX);
            assert_eq!(known.tokens.len(), 1);
        }
        assert_eq!(known.find(&text(999), 0), Some(&999));
        assert_eq!(known.find(&text(998), 0), None);
    }

    #[test]
    fn a_token_is_forgotten_when_it_is_not_used() {
        let mut known = Remembered::new(ROOM);
        let begun = 1_700_000_000;
        assert_eq!(known.find("other", begun), None);
        known.remember("used", 1, u64::MAX);
        known.remember("unused", 2, u64::MAX);
        for turn in 1..=2 {
            assert_eq!(known.find("used", begun + turn * UNUSED_FOR), Some(&1));
        }
        assert_eq!(known.tokens.len(), 1, "its text is gone, too");
        assert_eq!(known.find("unused", begun + 2 * UNUSED_FOR), None);
    }

    #[test]
    fn texts_are_shown_to_nobody() {
        let mut known = Remembered::new(ROOM);
        known.remember("the-secret-token", (), u64::MAX);
        assert!(!format!("{known:?}").contains("secret"));
    }

    #[test]
    fn the_texts_count_among_the_bytes() {
        let mut known = Remembered::new(64 * 1024);
        for number in 0..1000 {
            known.remember(&format!("{}{number:032}", "x".repeat(1000)), (), u64::MAX);
        }
        let bytes: usize = known.tokens.len() * 1032;
        assert!(bytes <= 32 * 1024, "{bytes}");
        assert!(known.tokens.len() > 10);
    }

    proptest! {
        /// It agrees with a list of what was told to it last, or knows nothing.
        #[test]
        fn it_tells_of_the_last_one(steps in prop::collection::vec(("[ab]{0,3}", "[ab]{30,33}", any::<bool>()), 0..200)) {
            let mut known = Remembered::new(ROOM);
            let mut last = std::collections::HashMap::new();
            for (at, (head, tail, write)) in steps.into_iter().enumerate() {
                let text = head + &tail;
                if write {
                    known.remember(&text, at, u64::MAX);
                    last.insert(text, at);
                } else if let Some(value) = known.find(&text, 0) {
                    prop_assert_eq!(last.get(&text), Some(value));
                }
            }
        }
    }
}
