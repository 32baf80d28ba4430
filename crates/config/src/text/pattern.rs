use std::{fmt, str::FromStr};

use lintel_router::{HostPattern, PathPattern, ValueRegex};

use super::{TextError, text_type};

/// A host that a route takes: `api.example.com`, `*.example.com` (every host below it) or `*`.
#[derive(Clone, Debug)]
pub struct Host {
    text: String,
    pattern: HostPattern,
}

impl Host {
    /// The pattern for the router.
    pub const fn pattern(&self) -> &HostPattern {
        &self.pattern
    }
}

impl FromStr for Host {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Ok(Self {
            text: text.to_owned(),
            pattern: HostPattern::parse(text)?,
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

text_type!(Host, "host"; "api.example.com", "*.example.com");

/// A path that a route takes: `/orders` exactly, `/orders/*` and everything below it, `/users/{id}`
/// with a parameter, `/files/{rest..}` with the rest, or `~/v[0-9]+/.*` for a regular expression.
#[derive(Clone, Debug)]
pub struct Path(PathPattern);

impl Path {
    /// The pattern for the router.
    pub const fn pattern(&self) -> &PathPattern {
        &self.0
    }

    /// The names of its parameters, in order.
    pub fn params(&self) -> Vec<String> {
        let text = self.0.as_str();
        if let Some(regex) = text.strip_prefix('~') {
            let groups = regex.split("(?").skip(1).filter_map(|group| {
                let name = group
                    .strip_prefix("P<")
                    .or_else(|| group.strip_prefix('<'))?;
                // `(?<=` and `(?<!` look behind; the expression engine has neither.
                name.split_once('>').map(|(name, _)| name.to_owned())
            });
            return groups.collect();
        }
        let segments = text.split('/').filter_map(|segment| {
            let name = segment.strip_prefix('{')?.strip_suffix('}')?;
            Some(name.strip_suffix("..").unwrap_or(name).to_owned())
        });
        segments.collect()
    }
}

impl FromStr for Path {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Ok(Self(PathPattern::parse(text)?))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(Path, "path", pattern: "^[/~]"; "/orders/*", "/users/{id}");

/// A regular expression that must match a whole value; it takes time linear in the value.
#[derive(Clone, Debug)]
pub struct Regex(ValueRegex);

impl Regex {
    /// The expression for the router.
    pub const fn pattern(&self) -> &ValueRegex {
        &self.0
    }
}

impl FromStr for Regex {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Ok(Self(ValueRegex::parse(text)?))
    }
}

impl fmt::Display for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

text_type!(Regex, "value-regex"; "v[0-9]+");
