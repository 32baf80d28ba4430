use http::HeaderValue;
use lintel_kernel::{Fault, config};
use regex::Regex;

use super::{HostRule, PathRule, Rewrite};
use crate::{Context, described};

/// Changes to the path and the host that the upstream sees. At most one of `strip_prefix`, `path`
/// and `regex`; `add_prefix` may go with any of them and is applied last.
#[config]
#[schemars(rename = "Rewrite")]
pub struct Config {
    /// A leading part of the path to remove: `/api` turns `/api/orders` into `/orders`. A path
    /// that does not begin with it, at a segment's end, is left as it is.
    #[serde(default)]
    pub strip_prefix: Option<String>,
    /// A path to put in front: `/v2` turns `/orders` into `/v2/orders`.
    #[serde(default)]
    pub add_prefix: Option<String>,
    /// The whole new path, with `${…}`: `/users/${path.id}/orders`.
    #[serde(default)]
    #[schemars(with = "Option<described::Template>")]
    pub path: Option<String>,
    /// A replacement by regular expression.
    #[serde(default)]
    pub regex: Option<RegexConfig>,
    /// The host that the upstream sees, with `${…}`: `orders.internal`.
    #[serde(default)]
    #[schemars(with = "Option<described::Template>")]
    pub host: Option<String>,
}

/// A replacement in the path by regular expression (linear time, no back-references).
#[config]
#[schemars(rename = "RewriteRegex")]
pub struct RegexConfig {
    /// What to look for in the canonical path.
    pub pattern: String,
    /// What to put in its place; `$1` or `$name` stands for a group.
    pub replace: String,
}

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<Rewrite, Vec<Fault>> {
        let mut faults = Vec::new();
        let set = [
            ("strip_prefix", self.strip_prefix.is_some()),
            ("path", self.path.is_some()),
            ("regex", self.regex.is_some()),
        ];
        let set: Vec<&str> = set
            .iter()
            .filter(|(_, is_set)| *is_set)
            .map(|(key, _)| *key)
            .collect();
        if let [_, second, ..] = set.as_slice() {
            faults.push(
                Fault::new(format!("`{}` can't be combined", set.join("` and `")))
                    .with_hint("keep one of them; `add_prefix` may stay")
                    .under(*second),
            );
        }
        if set.is_empty() && self.add_prefix.is_none() && self.host.is_none() {
            faults.push(
                Fault::new("nothing is rewritten")
                    .with_hint("add `strip_prefix`, `add_prefix`, `path`, `regex` or `host`"),
            );
        }
        let mut check = |result: Result<(), Fault>| faults.extend(result.err());
        check(prefix(self.strip_prefix.as_deref(), "strip_prefix"));
        check(prefix(self.add_prefix.as_deref(), "add_prefix"));
        let path = self
            .path_rule(context)
            .map_err(|fault| faults.push(fault))
            .ok();
        let host = self
            .host_rule(context)
            .map_err(|fault| faults.push(fault.under("host")))
            .ok();
        match (path, host) {
            (Some(path), Some(host)) if faults.is_empty() => Ok(Rewrite {
                path,
                add_prefix: self
                    .add_prefix
                    .as_deref()
                    .map(|prefix| prefix.trim_end_matches('/').to_owned()),
                host,
            }),
            _ => Err(faults),
        }
    }

    fn path_rule(&self, context: &Context) -> Result<Option<PathRule>, Fault> {
        if let Some(prefix) = &self.strip_prefix {
            return Ok(Some(PathRule::StripPrefix(
                prefix.trim_end_matches('/').to_owned(),
            )));
        }
        if let Some(text) = &self.path {
            return context
                .request_template(text)
                .and_then(|template| {
                    if text.starts_with('/') {
                        Ok(template)
                    } else {
                        Err(Fault::new(format!("`{text}` does not begin with `/`")))
                    }
                })
                .map(|template| Some(PathRule::Template(template)))
                .map_err(|fault| fault.under("path"));
        }
        let Some(regex) = &self.regex else {
            return Ok(None);
        };
        Regex::new(&regex.pattern)
            .map(|pattern| Some(PathRule::Regex(pattern, regex.replace.clone())))
            .map_err(|error| {
                Fault::new(format!("not a regular expression: {error}"))
                    .under("pattern")
                    .under("regex")
            })
    }

    fn host_rule(&self, context: &Context) -> Result<Option<HostRule>, Fault> {
        let Some(text) = &self.host else {
            return Ok(None);
        };
        let template = context.request_template(text)?;
        let Some(literal) = template.literal() else {
            return Ok(Some(HostRule::Template(template)));
        };
        let value = HeaderValue::from_str(literal)
            .ok()
            .filter(|_| literal.parse::<http::uri::Authority>().is_ok());
        value
            .map(|value| Some(HostRule::Fixed(value)))
            .ok_or_else(|| {
                Fault::new(format!("`{literal}` is not a host"))
                    .with_hint("write a name with an optional port, such as `orders.internal:8080`")
            })
    }
}

fn prefix(text: Option<&str>, key: &'static str) -> Result<(), Fault> {
    match text {
        Some(text) if !text.starts_with('/') => {
            Err(Fault::new(format!("`{text}` does not begin with `/`"))
                .with_hint(format!("write `/{text}`"))
                .under(key))
        }
        Some(text) if text.contains(['?', '#', ' ']) => {
            Err(Fault::new(format!("`{text}` is not a path")).under(key))
        }
        _ => Ok(()),
    }
}
