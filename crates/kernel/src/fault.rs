//! Why a part of the configuration can't be built.

use crate::expr::ExprError;

/// One mistake in the configuration, found while building from it. The config crate turns it into
/// a diagnostic that shows the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Keys from the item that was being built down to the value at fault.
    pub path: Vec<String>,
    /// Byte offset within the text at fault, where known.
    pub offset: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// Whether message and hint hold nothing of the value, so that they may be told where the value
    /// itself is hidden.
    pub discreet: bool,
}

impl Fault {
    /// A mistake at the item itself.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            offset: None,
            message: message.into(),
            hint: None,
            discreet: false,
        }
    }

    /// The same mistake, told in words that hold nothing of the value.
    pub const fn discreet(mut self) -> Self {
        self.discreet = true;
        self
    }

    /// With advice on what to write instead.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// At a byte offset within the text at fault.
    pub fn at(mut self, offset: Option<usize>) -> Self {
        self.offset = offset;
        self
    }

    /// The same mistake, seen from one level further up.
    pub fn under(mut self, key: impl Into<String>) -> Self {
        self.path.insert(0, key.into());
        self
    }
}

impl From<ExprError> for Fault {
    fn from(error: ExprError) -> Self {
        Self {
            path: Vec::new(),
            offset: Some(error.offset),
            message: error.message,
            hint: error.hint,
            discreet: false,
        }
    }
}
