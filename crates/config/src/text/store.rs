use std::{fmt, str::FromStr};

use lintel_state::store::{Address, NoAddress};

use super::{TextError, text_type};

/// The address of a server that a store is kept on: `redis.internal:6379`, `[fd00::7]:6379`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreAddress(pub Address);

impl FromStr for StoreAddress {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        // Nothing is quoted: it may hold a password.
        text.parse().map(Self).map_err(|NoAddress| {
            TextError::new("it is not the address of a server")
                .hint("write it like `redis.internal:6379`; `username` and `password` are keys of their own")
        })
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(StoreAddress, "store-address"; "10.0.0.7:6379", "redis.internal:6379");
