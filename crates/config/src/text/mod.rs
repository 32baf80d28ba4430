//! Texts with a form of their own: addresses, URLs, patterns, templates.
//!
//! Each is a type that is read by `FromStr`, and has a *format*: the word in the JSON Schema by
//! which the shape check finds the parser, so that a mistake is shown at the very character before
//! anything is deserialised.

mod address;
mod endpoint;
mod file;
mod header;
mod name;
mod pattern;
mod target;
mod template;

use std::str::FromStr;

pub use address::{Bind, Cidr};
pub use endpoint::{Endpoint, HostRule, Scheme};
pub use file::{FilePath, LogTarget};
pub use header::{FieldName, FieldValue, MethodName};
pub use name::{Name, StatusPattern};
pub use pattern::{Host, Path, Regex};
pub use target::TestUrl;
pub use template::TemplateText;

use lintel_kernel::{ByteSize, Duration, Rate, Share, expr::ExprError};
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

/// Implements `Deserialize`, `Serialize` and `JsonSchema` for a type that is read by `FromStr`
/// and written by `Display`.
macro_rules! text_type {
    ($type:ty, $format:literal $(, pattern: $pattern:expr)? ; $($example:literal),+) => {
        impl $type {
            /// The word for it in the JSON Schema.
            pub const FORMAT: &str = $format;
        }

        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <::std::borrow::Cow<'de, str> as ::serde::Deserialize<'de>>::deserialize(deserializer)?
                    .parse()
                    .map_err(::serde::de::Error::custom)
            }
        }

        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl ::schemars::JsonSchema for $type {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!({
                    "type": "string",
                    "format": $format,
                    $("pattern": $pattern,)?
                    "examples": [$($example),+],
                })
            }
        }
    };
}
pub(crate) use text_type;

/// Whether a text is fit for a format; `None` if there is no such format.
pub(crate) fn check(format: &str, text: &str) -> Option<Result<(), TextError>> {
    Some(match format {
        "duration" => unit::<Duration>(text),
        "size" => unit::<ByteSize>(text),
        "rate" => unit::<Rate>(text),
        "share" => unit::<Share>(text),
        Bind::FORMAT => text.parse::<Bind>().map(drop),
        Cidr::FORMAT => text.parse::<Cidr>().map(drop),
        Endpoint::FORMAT => text.parse::<Endpoint>().map(drop),
        HostRule::FORMAT => text.parse::<HostRule>().map(drop),
        FilePath::FORMAT => text.parse::<FilePath>().map(drop),
        LogTarget::FORMAT => text.parse::<LogTarget>().map(drop),
        FieldName::FORMAT => text.parse::<FieldName>().map(drop),
        FieldValue::FORMAT => text.parse::<FieldValue>().map(drop),
        MethodName::FORMAT => text.parse::<MethodName>().map(drop),
        Name::FORMAT => text.parse::<Name>().map(drop),
        StatusPattern::FORMAT => text.parse::<StatusPattern>().map(drop),
        Host::FORMAT => text.parse::<Host>().map(drop),
        Path::FORMAT => text.parse::<Path>().map(drop),
        Regex::FORMAT => text.parse::<Regex>().map(drop),
        TestUrl::FORMAT => text.parse::<TestUrl>().map(drop),
        TemplateText::FORMAT => text.parse::<TemplateText>().map(drop),
        _ => return None,
    })
}

fn unit<T: FromStr<Err = String>>(text: &str) -> Result<(), TextError> {
    text.parse::<T>().map(drop).map_err(TextError::from)
}

/// What a format is called in messages, with its article.
pub(crate) fn noun(format: &str) -> &'static str {
    match format {
        "duration" => "a duration",
        "size" => "a size in bytes",
        "rate" => "a rate",
        "share" => "a share",
        "secret" => "a secret text",
        Bind::FORMAT => "an address to listen on",
        Cidr::FORMAT => "an address range",
        Endpoint::FORMAT => "the URL of an endpoint",
        HostRule::FORMAT => "`preserve`, `endpoint` or a host",
        FilePath::FORMAT => "the path of a file",
        LogTarget::FORMAT => "`stdout`, `stderr` or the path of a file",
        FieldName::FORMAT => "the name of a header field",
        FieldValue::FORMAT => "the value of a header field",
        MethodName::FORMAT => "a request method",
        Name::FORMAT => "a name",
        StatusPattern::FORMAT => "a status such as `404` or `5xx`",
        Host::FORMAT => "a host",
        Path::FORMAT => "a path",
        Regex::FORMAT => "a regular expression",
        TestUrl::FORMAT => "a URL or a path",
        TemplateText::FORMAT => "a text",
        _ => "a text",
    }
}

#[cfg(test)]
mod tests;
