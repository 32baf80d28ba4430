//! A leg: what it asks, when, and what counts as an answer.

use std::{ops::RangeInclusive, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use lintel_kernel::{
    GrpcCode,
    expr::{Expr, Scope, Template, Written},
};
use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode,
};

use crate::{Body, Each, Fill, Reason, caller::Reply, fill::Absent, graphql, run::Results, value};

/// Everything but the unreserved characters of RFC 3986 §2.3: a value stays within its segment or
/// its parameter.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One part of a composition.
pub struct Leg {
    /// Its name.
    pub name: Arc<str>,
    /// What it does.
    pub does: Does,
    /// The legs it waits for.
    pub after: Vec<usize>,
    /// A condition; where it does not hold, the leg is skipped.
    pub when: Option<Expr>,
    /// What stands in its place where it fails or is skipped. Without it, its failure is that of the
    /// whole.
    pub fallback: Option<Bytes>,
    /// Where its service has no answer, the last good one stands in its place.
    pub last_good: bool,
    /// Legs of the same number are called in the same way: of those that ask for the same only one is
    /// called. None where there is no other.
    pub kin: Option<usize>,
}

/// What a leg does.
pub enum Does {
    /// Asks.
    Ask(Box<Ask>),
    /// Brings this value.
    Value(Bytes),
}

/// What a leg asks, and what counts as an answer.
pub struct Ask {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: Template,
    /// Parameters behind those of the target. One without a value is left out.
    pub query: Vec<(String, Template)>,
    /// Header fields. One without a value is left out.
    pub headers: Vec<(HeaderName, Template)>,
    /// The body.
    pub sends: Option<Sends>,
    /// Whether asking changes nothing, so that the same is asked once.
    pub harmless: bool,
    /// What an answer is.
    pub reads: Reads,
    /// Statuses that count as success, beside those of 2xx.
    pub expect: Vec<Expected>,
    /// The list that it is made for, element by element.
    pub each: Option<Each>,
}

/// What a leg sends: JSON, or what becomes a message of it.
pub enum Sends {
    /// What a filter makes of the legs.
    Filter(Body),
    /// A value with places in it.
    Fill(Fill),
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// JSON, and that is the value.
    Json,
    /// A response of GraphQL (GraphQL §7.1): its `data` is the value.
    Graphql {
        /// Whether `data` counts where there are `errors`, too.
        partial: bool,
    },
}

/// Statuses of answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statuses {
    /// Those of HTTP. Calls of gRPC have those that their codes stand for.
    Http(RangeInclusive<u16>),
    /// That of a call of gRPC.
    Grpc(GrpcCode),
}

/// A status that counts as success.
pub struct Expected {
    /// The statuses.
    pub statuses: Statuses,
    /// What the leg brings then.
    pub instead: Instead,
}

/// What a leg brings.
pub enum Instead {
    /// The body of the answer.
    Body,
    /// This value, whatever the body.
    Value(Bytes),
}

/// A request as a leg makes it.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query, in origin-form.
    pub target: Uri,
    /// Its own fields.
    pub headers: HeaderMap,
    /// Its body: JSON, or empty.
    pub body: Bytes,
    /// Whether it changes nothing.
    pub harmless: bool,
}

impl Ask {
    /// The request of this leg, after those it waits for.
    ///
    /// # Errors
    /// A value in it is absent or unfit, or the filter of its body fails; in words for the operator.
    pub(crate) fn request(
        &self,
        scope: Scope<'_>,
        results: &Results<'_>,
        item: &[u8],
    ) -> Result<Request, (Reason, String)> {
        let target = self.target(scope).ok_or_else(|| {
            let cause = "a value in its path is absent, empty or not fit for a path";
            (Reason::NoValue, cause.to_owned())
        })?;
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 8);
        for (name, value) in &self.headers {
            let value = value.render(scope);
            if let Some(value) = value.and_then(|text| HeaderValue::from_str(&text).ok()) {
                headers.insert(name, value);
            }
        }
        let mut body = Vec::new();
        if let Some(sends) = &self.sends {
            sends.write((scope, results), item, &mut body)?;
        }
        Ok(Request {
            method: self.method.clone(),
            target,
            headers,
            body: body.into(),
            harmless: self.harmless,
        })
    }

    fn target(&self, scope: Scope<'_>) -> Option<Uri> {
        let mut target = self.target.render_through(scope, |value, written, out| {
            match written {
                Written::Plain => out.extend(utf8_percent_encode(value, ESCAPED)),
                Written::Encoded => {
                    let value: Vec<u8> = percent_decode_str(value).collect();
                    out.extend(percent_encode(&value, ESCAPED));
                }
                Written::Whole => out.push_str(value),
            }
            // In the query an empty value says something, in the path it makes another path.
            !value.is_empty() || out.contains('?')
        })?;
        if target.contains("/.") && has_dot_segments(&target) {
            return None;
        }
        let mut mark = if target.contains('?') { '&' } else { '?' };
        for (name, value) in &self.query {
            if let Some(value) = value.render(scope) {
                target.push(mark);
                target.extend(utf8_percent_encode(name, ESCAPED));
                target.push('=');
                target.extend(utf8_percent_encode(&value, ESCAPED));
                mark = '&';
            }
        }
        target.parse().ok()
    }

    /// Whether an answer to another leg that is called in the same way for the same target with the
    /// same body is one to this.
    pub(crate) fn is_shared(&self) -> bool {
        self.headers.is_empty() && self.each.is_none() && self.harmless
    }

    /// What the leg brings by the status of an answer: none where that is its body.
    ///
    /// # Errors
    /// The status is not expected.
    pub(crate) fn by_status(&self, reply: &Reply) -> Result<Option<Bytes>, (Reason, String)> {
        let mut expected = self.expect.iter();
        match expected.find(|expected| expected.statuses.are(reply)) {
            Some(expected) => Ok(match &expected.instead {
                Instead::Value(value) => Some(value.clone()),
                Instead::Body => None,
            }),
            None if reply.status.is_success() => Ok(None),
            None => Err(reply.unexpected()),
        }
    }

    /// What the leg brings by an answer.
    ///
    /// # Errors
    /// The status is not expected, or the body is not JSON.
    pub(crate) fn judge(&self, reply: &Reply) -> Result<Bytes, (Reason, String)> {
        let status = reply.status.as_u16();
        if let Some(value) = self.by_status(reply)? {
            return Ok(value);
        }
        if reply.body.is_empty() && (matches!(status, 204 | 205) || self.method == Method::HEAD) {
            return Ok(Bytes::from_static(value::NULL));
        }
        if let Err(error) = value::check(&reply.body) {
            return Err((Reason::NotJson, format!("the answer is not JSON: {error}")));
        }
        match self.reads {
            Reads::Json => Ok(reply.body.clone()),
            Reads::Graphql { partial } => graphql::data(&reply.body, partial),
        }
    }
}

impl Sends {
    /// Writes what is sent as JSON text.
    ///
    /// # Errors
    /// A value is absent, or the filter fails; in words for the operator.
    fn write(
        &self,
        (scope, results): (Scope<'_>, &Results<'_>),
        item: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), (Reason, String)> {
        match self {
            Self::Filter(filter) => {
                let written = filter.write(results, item, out);
                written.map_err(|cause| (Reason::Filter, cause))
            }
            Self::Fill(fill) => match fill.write(scope, out) {
                Ok(true) => Ok(()),
                // All of it is something that the client has left out.
                Ok(false) => {
                    out.extend_from_slice(value::NULL);
                    Ok(())
                }
                Err(Absent) => {
                    let cause = "a value that it would send is absent";
                    Err((Reason::NoValue, cause.to_owned()))
                }
            },
        }
    }
}

impl Statuses {
    fn are(&self, reply: &Reply) -> bool {
        match self {
            Self::Http(range) => range.contains(&reply.status.as_u16()),
            Self::Grpc(code) => reply.call.is_some_and(|end| end.code == *code),
        }
    }
}

impl Reply {
    /// That nobody expects its status.
    fn unexpected(&self) -> (Reason, String) {
        match self.call {
            Some(end) if end.code == GrpcCode::DeadlineExceeded => {
                let cause = "the service found that the call takes too long";
                (Reason::Timeout, cause.to_owned())
            }
            Some(end) => (Reason::Status, format!("the call ended with {}", end.name)),
            None => {
                let status = self.status.as_u16();
                (
                    Reason::Status,
                    format!("the status {status} is not expected"),
                )
            }
        }
    }
}

/// Whether a path has segments that lead elsewhere (RFC 3986 §3.3).
fn has_dot_segments(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

impl Leg {
    /// Whether the target of another leg may be that of this one: of texts that begin differently none
    /// can be the other.
    pub fn may_ask_like(&self, other: &Self) -> bool {
        let (Does::Ask(this), Does::Ask(that)) = (&self.does, &other.does) else {
            return false;
        };
        let (this, that) = (this.target.prefix(), that.target.prefix());
        this.starts_with(that) || that.starts_with(this)
    }

    /// Whether the whole fails with it.
    pub const fn is_required(&self) -> bool {
        self.fallback.is_none()
    }
}
