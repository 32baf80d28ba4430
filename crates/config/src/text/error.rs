use lintel_kernel::expr::ExprError;
use lintel_router::PatternError;

/// Why a text can't be read as what it should be. Written to the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// What is wrong.
    pub message: String,
    /// Where in the text, in bytes, if it is a matter of one place.
    pub offset: Option<usize>,
    /// What to write instead.
    pub hint: Option<String>,
}

impl TextError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            offset: None,
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn at(mut self, offset: usize) -> Self {
        self.offset = Some(offset);
        self
    }
}

impl std::fmt::Display for TextError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl From<String> for TextError {
    /// Takes apart what the kernel's units say: `what is wrong; what to write`.
    fn from(text: String) -> Self {
        match text.split_once("; ") {
            Some((message, hint)) => Self::new(message).hint(hint),
            None => Self::new(text),
        }
    }
}

impl From<ExprError> for TextError {
    fn from(error: ExprError) -> Self {
        // What the CEL parser would have taken is a list of its tokens.
        let message = match error.message.split_once(": Syntax error: ") {
            Some((message, found)) if found.contains("'<EOF>'") => {
                format!("{message}: it ends too early")
            }
            Some((message, found)) => {
                let found = found.split(" expecting ").next().unwrap_or(found);
                format!("{message}: {found}")
            }
            None => error.message,
        };
        Self {
            message,
            offset: Some(error.offset),
            hint: error.hint,
        }
    }
}

impl From<PatternError> for TextError {
    fn from(error: PatternError) -> Self {
        Self {
            message: error.message,
            offset: Some(error.offset),
            hint: error.hint,
        }
    }
}
