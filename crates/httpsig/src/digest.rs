//! What a message says of its content (RFC 9530).

use aws_lc_rs::digest::{Context, SHA256, SHA512};
use sfv::{BareItem, Dictionary, ListEntry};

use crate::{Malformed, Message, component::parsed};

/// The digests of `Content-Digest` that can be checked: SHA-256 and SHA-512. Others are insecure
/// (RFC 9530 §5) and are not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    sha256: Option<Vec<u8>>,
    sha512: Option<Vec<u8>>,
}

/// Content on its way through the hashes.
pub struct Hashing {
    wanted: Digests,
    sha256: Option<Context>,
    sha512: Option<Context>,
}

impl Digests {
    /// Reads `Content-Digest`.
    ///
    /// # Errors
    /// It is missing, malformed, or has neither of the two.
    pub fn of(message: &Message<'_>) -> Result<Self, Malformed> {
        let text = message.combined("content-digest");
        let mut all: Dictionary = text
            .and_then(|text| parsed(&text))
            .ok_or(Malformed("`Content-Digest` is missing or no dictionary"))?;
        let mut take = |name: &str| match all.swap_remove(name) {
            None => Ok(None),
            Some(ListEntry::Item(item)) => match item.bare_item {
                BareItem::ByteSequence(bytes) => Ok(Some(bytes)),
                _ => Err(Malformed("a digest is no byte sequence")),
            },
            Some(ListEntry::InnerList(_)) => Err(Malformed("a digest is no byte sequence")),
        };
        let digests = Self {
            sha256: take("sha-256")?,
            sha512: take("sha-512")?,
        };
        match digests {
            Self {
                sha256: None,
                sha512: None,
            } => Err(Malformed("`Content-Digest` has no SHA-256 and no SHA-512")),
            digests => Ok(digests),
        }
    }

    /// Begins to hash content.
    pub fn hashing(self) -> Hashing {
        Hashing {
            sha256: self.sha256.as_ref().map(|_| Context::new(&SHA256)),
            sha512: self.sha512.as_ref().map(|_| Context::new(&SHA512)),
            wanted: self,
        }
    }
}

impl Hashing {
    /// The next piece of the content.
    pub fn update(&mut self, bytes: &[u8]) {
        for context in [&mut self.sha256, &mut self.sha512].into_iter().flatten() {
            context.update(bytes);
        }
    }

    /// Whether the content was what every digest says.
    pub fn is_right(self) -> bool {
        let same = |context: Option<Context>, wanted: Option<Vec<u8>>| match (context, wanted) {
            (Some(context), Some(wanted)) => context.finish().as_ref() == wanted,
            _ => true,
        };
        let first = same(self.sha256, self.wanted.sha256);
        same(self.sha512, self.wanted.sha512) && first
    }
}
