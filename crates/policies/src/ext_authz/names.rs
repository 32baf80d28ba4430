//! Names of header fields, as an operator lists them.

use http::HeaderName;
use lintel_kernel::Fault;

use crate::verdict::no_name;

/// A list of names, some of which may end in `*`.
#[derive(Debug, Default)]
pub(super) struct Names {
    exact: Vec<HeaderName>,
    prefixes: Vec<String>,
}

impl Names {
    /// Every name.
    pub(super) fn all() -> Self {
        Self {
            exact: Vec::new(),
            prefixes: vec![String::new()],
        }
    }

    pub(super) fn build(texts: &[String], key: &'static str) -> Result<Self, Vec<Fault>> {
        let (mut names, mut faults) = (Self::default(), Vec::new());
        for (index, text) in texts.iter().enumerate() {
            let prefix = text.strip_suffix('*');
            match prefix.unwrap_or(text).parse::<HeaderName>() {
                _ if prefix == Some("") => names.prefixes.push(String::new()),
                Ok(name) if prefix.is_some() => names.prefixes.push(name.as_str().to_owned()),
                Ok(name) => names.exact.push(name),
                Err(_) => faults.push(no_name(text).under(index.to_string()).under(key)),
            }
        }
        if faults.is_empty() {
            Ok(names)
        } else {
            Err(faults)
        }
    }

    pub(super) fn has(&self, name: &HeaderName) -> bool {
        let begins = |prefix: &String| name.as_str().starts_with(prefix.as_str());
        self.exact.contains(name) || self.prefixes.iter().any(begins)
    }
}
