#![doc = include_str!("README.md")]

mod config;

use std::borrow::Cow;

use http::{HeaderValue, Response, StatusCode, Uri, header, uri::PathAndQuery};
use lintel_http::{Body, path};
use lintel_kernel::{
    Exchange, Fault, Flow, Rejection,
    expr::{Scope, Template},
};
use regex::Regex;

pub use config::{Config, RegexConfig};

use crate::{Context, Policy};

/// Rewrites the path or the host that the upstream sees.
pub struct Rewrite {
    path: Option<PathRule>,
    add_prefix: Option<String>,
    host: Option<HostRule>,
}

enum PathRule {
    StripPrefix(String),
    Template(Template),
    Regex(Regex, String),
}

enum HostRule {
    Fixed(HeaderValue),
    Template(Template),
}

const UNFIT: Rejection = Rejection::new(
    "rewrite",
    StatusCode::BAD_REQUEST,
    "rewrite_unfit",
    "The request holds a value that can't be put into the rewritten path or host.",
);

impl Policy for Rewrite {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        let rewritten = self
            .rewrite_path(exchange)
            .and_then(|()| self.rewrite_host(exchange));
        match rewritten {
            Some(()) => Flow::Next,
            None => Flow::Refuse(UNFIT),
        }
    }
}

impl Rewrite {
    /// `None` if the result would not be a canonical path: an interpolated value must not be able
    /// to add a query, a dot segment or an escape.
    fn rewrite_path(&self, exchange: &mut Exchange) -> Option<()> {
        if self.path.is_none() && self.add_prefix.is_none() {
            return Some(());
        }
        let old = exchange.request.uri.path();
        let new: Cow<'_, str> = match &self.path {
            None => Cow::Borrowed(old),
            Some(PathRule::StripPrefix(prefix)) => match old.strip_prefix(prefix.as_str()) {
                Some("") => Cow::Borrowed("/"),
                Some(rest) if rest.starts_with('/') => Cow::Borrowed(rest),
                _ => Cow::Borrowed(old),
            },
            Some(PathRule::Template(template)) => template.render(Scope::request(exchange))?,
            Some(PathRule::Regex(regex, replace)) => regex.replace_all(old, replace.as_str()),
        };
        let mut target = self.add_prefix.clone().unwrap_or_default();
        target.push_str(&new);
        let mut target = path::canonical(&target, &path::PathRules::default())
            .ok()?
            .into_owned();
        if let Some(query) = exchange.request.uri.query() {
            target.push('?');
            target.push_str(query);
        }
        let mut parts = std::mem::take(&mut exchange.request.uri).into_parts();
        parts.path_and_query =
            Some(PathAndQuery::from_maybe_shared(bytes::Bytes::from(target)).ok()?);
        exchange.request.uri = Uri::from_parts(parts).ok()?;
        Some(())
    }

    fn rewrite_host(&self, exchange: &mut Exchange) -> Option<()> {
        let value = match &self.host {
            None => return Some(()),
            Some(HostRule::Fixed(value)) => value.clone(),
            Some(HostRule::Template(template)) => {
                let text = template.render(Scope::request(exchange))?;
                text.parse::<http::uri::Authority>().ok()?;
                HeaderValue::from_str(&text).ok()?
            }
        };
        exchange.request.headers.insert(header::HOST, value);
        Some(())
    }
}
