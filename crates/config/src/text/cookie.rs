use std::{fmt, str::FromStr};

use super::{TextError, text_type};

/// The name of a cookie: a token (RFC 6265 §4.1.1).
#[derive(Clone, PartialEq, Eq)]
pub struct CookieName(pub String);

impl FromStr for CookieName {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        // RFC 9110 §5.6.2: what a token is made of.
        let fits = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if text.is_empty() || !text.chars().all(fits) {
            return Err(
                TextError::new(format!("`{text}` is not the name of a cookie"))
                    .hint("use letters, digits, `-` and `_`, such as `uid`"),
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for CookieName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CookieName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

text_type!(CookieName, "cookie-name"; "uid");

/// What is put behind the first label of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSuffix(pub String);

impl FromStr for HostSuffix {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        // RFC 1123 §2.1: what a label is made of.
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if text.is_empty() || !text.chars().all(fits) || text.ends_with('-') {
            return Err(
                TextError::new(format!("`{text}` can't be the end of a label"))
                    .hint("use letters, digits and dashes, such as `-shadow`"),
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for HostSuffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(HostSuffix, "host-suffix"; "-shadow");
