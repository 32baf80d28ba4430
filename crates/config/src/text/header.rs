use std::{cmp::Ordering, fmt, str::FromStr};

use http::{HeaderName, HeaderValue, Method};

use super::{TextError, text_type};

/// The name of a header field (RFC 9110 §5.1), in any case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldName(pub HeaderName);

impl FromStr for FieldName {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if let Ok(name) = text.parse() {
            return Ok(Self(name));
        }
        let error = TextError::new(format!("`{text}` is not the name of a header field"));
        Err(match text.strip_suffix(':') {
            Some(name) => error.hint(format!("write `{name}`, without the colon")),
            None => error.hint("names have letters, digits and `-`, such as `X-Tenant`"),
        })
    }
}

impl PartialOrd for FieldName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FieldName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.as_str().cmp(other.0.as_str())
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(FieldName, "field-name", pattern: r"^[-!#$%&'*+.^_`|~0-9A-Za-z]+$"; "X-Tenant");

/// The value of a header field (RFC 9110 §5.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldValue(pub HeaderValue);

impl FromStr for FieldValue {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        HeaderValue::from_str(text).map(Self).map_err(|_| {
            let bad = text
                .find(|c: char| c.is_control() && c != '\t')
                .unwrap_or(0);
            TextError::new("a header value can't hold line breaks or other control characters")
                .at(bad)
        })
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(self.0.as_bytes()).unwrap_or(""))
    }
}

text_type!(FieldValue, "field-value"; "lintel");

/// A request method (RFC 9110 §9): upper case, as on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MethodName(pub Method);

const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
];

impl FromStr for MethodName {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let error = || TextError::new(format!("`{text}` is not a request method"));
        let all = || error().hint(format!("use one of {}", METHODS.join(", ")));
        if text == "*" {
            return Err(error().hint("leave `methods` out to take every method"));
        }
        let method: Method = text.parse().map_err(|_| all())?;
        if METHODS.contains(&text) {
            return Ok(Self(method));
        }
        let upper = text.to_ascii_uppercase();
        if METHODS.contains(&upper.as_str()) {
            return Err(error().hint(format!("methods are upper case: write `{upper}`")));
        }
        let near = METHODS
            .iter()
            .find(|known| strsim::damerau_levenshtein(known, &upper) == 1);
        match near {
            Some(known) => Err(error().hint(format!("did you mean `{known}`?"))),
            // Methods of extensions (`PROPFIND`) are as good as any.
            None if text
                .chars()
                .all(|c| c.is_ascii_uppercase() || matches!(c, '-' | '_')) =>
            {
                Ok(Self(method))
            }
            None => Err(all()),
        }
    }
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(MethodName, "method", pattern: r"^[A-Z][A-Z_-]*$"; "GET", "POST");
