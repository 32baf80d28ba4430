use std::{fmt, str::FromStr};

use super::{TextError, text_type};

/// Permission bits of a file, in octal: `0660` lets its owner and group in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileMode(u32);

impl FileMode {
    /// The bits.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl FromStr for FileMode {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let digits = match digits.strip_prefix('0') {
            Some(rest) if rest.len() == 3 => rest,
            _ => digits,
        };
        let bits = u32::from_str_radix(digits, 8).ok();
        match bits.filter(|_| digits.len() == 3 && !digits.starts_with('+')) {
            Some(bits) => Ok(Self(bits)),
            None => Err(TextError::new(format!("`{text}` is no mode of a file"))
                .hint("write three octal digits for owner, group and others, like `0660`")),
        }
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0{:03o}", self.0)
    }
}

text_type!(FileMode, "file-mode", pattern: r"^(0o?)?[0-7]{3}$"; "0660", "0600");
