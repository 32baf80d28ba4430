//! Attributes: the plain paths of the expression language.

use std::{borrow::Cow, str};

use http::{HeaderMap, HeaderName, header};
use serde_json::Value;

use super::{ExprError, Leg, Scope};

/// One attribute of a request or its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// `client.ip`: by the listener's trusted-proxy rules.
    ClientIp,
    /// `request.method`.
    Method,
    /// `request.path`: the canonical path.
    Path,
    /// `request.target`: path and query as the client sent them.
    Target,
    /// `request.host`: lower case, without port.
    Host,
    /// `request.scheme`: `http` or `https`.
    Scheme,
    /// `request.id`.
    RequestId,
    /// `request.headers["name"]`: the first field of that name.
    RequestHeader(HeaderName),
    /// `request.query["name"]`: the first parameter of that name, decoded.
    Query(String),
    /// `request.cookies["name"]`: the first cookie of that name.
    Cookie(String),
    /// `path.<param>`.
    Param(String),
    /// `route.name`.
    RouteName,
    /// `service.name`.
    ServiceName,
    /// `claims.<name>` or `claims["name"]`, through nested objects too.
    Claim(Vec<String>),
    /// `consumer.name`.
    ConsumerName,
    /// `consumer.plan`.
    ConsumerPlan,
    /// `auth.method`: the policy that proved who is calling.
    AuthMethod,
    /// `auth.credential`: the id of the credential, never the credential.
    AuthCredential,
    /// `trace.id`.
    TraceId,
    /// `error.code`: the stable code of a refusal.
    ErrorCode,
    /// `error.detail`: the sentence that explains a refusal.
    ErrorDetail,
    /// `response.status`.
    ResponseStatus,
    /// `response.headers["name"]`.
    ResponseHeader(HeaderName),
    /// `legs.<name>.body.<member>` and the like: what a leg of a composition has brought.
    Leg(Box<Leg>),
    /// `item` or `item.<member>`: the element that a leg of a composition is made for.
    Item(Vec<String>),
    /// `request.body` or `request.body.<member>`: the JSON that the client sent, within a composition.
    Sent(Vec<String>),
}

/// Every attribute as an operator writes it; what messages and completions list.
pub(super) const KNOWN: [&str; 23] = [
    "client.ip",
    "request.method",
    "request.path",
    "request.target",
    "request.host",
    "request.scheme",
    "request.id",
    "request.headers[\"name\"]",
    "request.query[\"name\"]",
    "request.cookies[\"name\"]",
    "path.<param>",
    "route.name",
    "service.name",
    "claims.<name>",
    "consumer.name",
    "consumer.plan",
    "auth.method",
    "auth.credential",
    "trace.id",
    "error.code",
    "error.detail",
    "response.status",
    "response.headers[\"name\"]",
];

impl Attribute {
    /// Reads a plain attribute path. `None` if the text is no plain path but a larger expression.
    pub fn parse(source: &str) -> Option<Result<Self, ExprError>> {
        let (base, key) = match source.split_once('[') {
            Some((base, rest)) => (base, Some(quoted(rest.strip_suffix(']')?)?)),
            None => (source, None),
        };
        let plain = base.split('.').all(|word| {
            !word.is_empty()
                && !word.starts_with(|c: char| c.is_ascii_digit())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        if !plain || matches!(base, "true" | "false" | "null") {
            return None;
        }
        Some(Self::lookup(base, key))
    }

    fn lookup(base: &str, key: Option<&str>) -> Result<Self, ExprError> {
        Ok(match (base, key) {
            ("client.ip", None) => Self::ClientIp,
            ("request.method", None) => Self::Method,
            ("request.path", None) => Self::Path,
            ("request.target", None) => Self::Target,
            ("error.code", None) => Self::ErrorCode,
            ("error.detail", None) => Self::ErrorDetail,
            ("request.host", None) => Self::Host,
            ("request.scheme", None) => Self::Scheme,
            ("request.id", None) => Self::RequestId,
            ("route.name", None) => Self::RouteName,
            ("service.name", None) => Self::ServiceName,
            ("consumer.name", None) => Self::ConsumerName,
            ("consumer.plan", None) => Self::ConsumerPlan,
            ("auth.method", None) => Self::AuthMethod,
            ("auth.credential", None) => Self::AuthCredential,
            ("claims", Some(name)) => Self::Claim(vec![name.to_owned()]),
            ("claims", None) => {
                return Err(ExprError::new("`claims` needs a name")
                    .with_hint("write `claims.sub`, or `claims[\"name\"]`"));
            }
            ("trace.id", None) => Self::TraceId,
            ("response.status", None) => Self::ResponseStatus,
            ("request.headers", Some(name)) => Self::RequestHeader(header_name(name)?),
            ("response.headers", Some(name)) => Self::ResponseHeader(header_name(name)?),
            ("request.query", Some(name)) => Self::Query(name.to_owned()),
            ("request.cookies", Some(name)) => Self::Cookie(name.to_owned()),
            (
                "request.headers" | "response.headers" | "request.query" | "request.cookies",
                None,
            ) => {
                return Err(ExprError::new(format!("`{base}` needs a name"))
                    .with_hint(format!("write `{base}[\"name\"]`")));
            }
            _ => {
                if let Some(path) = within("item", base, key) {
                    return Ok(Self::Item(path));
                }
                if let Some(path) = within("request.body", base, key) {
                    return Ok(Self::Sent(path));
                }
                if let Some(leg) = base.strip_prefix("legs.") {
                    return Ok(Self::Leg(Box::new(Leg::parse(leg, key)?)));
                }
                if let Some(claim) = base.strip_prefix("claims.") {
                    let names = claim.split('.').chain(key);
                    return Ok(Self::Claim(names.map(str::to_owned).collect()));
                }
                match base.strip_prefix("path.") {
                    Some(name) if key.is_none() && !name.contains('.') => {
                        Self::Param(name.to_owned())
                    }
                    _ => return Err(unknown(base)),
                }
            }
        })
    }

    /// Whether the attribute belongs to the answer.
    pub fn needs_response(&self) -> bool {
        matches!(
            self,
            Self::ResponseStatus | Self::ResponseHeader(_) | Self::ErrorCode | Self::ErrorDetail
        )
    }

    /// The attribute's value as JSON, if it is there: claims as what they are, the others as texts.
    pub(super) fn json(&self, scope: Scope<'_>) -> Option<Value> {
        match self {
            Self::Claim(path) => scope.exchange.identity.as_ref()?.claim(path).cloned(),
            other => Some(Value::String(other.text(scope)?.into_owned())),
        }
    }

    /// Whether the client may leave it out at will: parameters, fields, cookies and its body.
    pub const fn is_optional(&self) -> bool {
        matches!(
            self,
            Self::Query(_) | Self::RequestHeader(_) | Self::Cookie(_) | Self::Sent(_)
        )
    }

    /// The attribute's value with the type that it has, if it is there and not `null`.
    pub fn value(&self, scope: Scope<'_>) -> Option<Value> {
        let value = match self {
            Self::Leg(leg) => leg.value(scope.legs?),
            Self::Item(path) => scope.legs?.item(path),
            Self::Sent(path) => scope.legs?.sent(path),
            other => other.json(scope),
        };
        value.filter(|value| !value.is_null())
    }

    /// The attribute's text, if it is there.
    pub fn text<'a>(&self, scope: Scope<'a>) -> Option<Cow<'a, str>> {
        let exchange = scope.exchange;
        Some(match self {
            Self::ClientIp => Cow::Owned(exchange.client.to_string()),
            Self::Method => Cow::Borrowed(exchange.request.method.as_str()),
            Self::Path => Cow::Borrowed(exchange.path()),
            Self::Target => Cow::Borrowed(exchange.target.as_str()),
            Self::ErrorCode => Cow::Borrowed(exchange.refused.as_ref()?.code),
            Self::ErrorDetail => Cow::Borrowed(&exchange.refused.as_ref()?.detail),
            Self::Host => Cow::Borrowed(exchange.host()),
            Self::Scheme => Cow::Borrowed(if exchange.secure { "https" } else { "http" }),
            Self::RequestId => Cow::Borrowed(exchange.id.as_str()),
            Self::RequestHeader(name) => {
                Cow::Borrowed(str::from_utf8(exchange.request.headers.get(name)?.as_bytes()).ok()?)
            }
            Self::Query(name) => query_value(exchange.request.uri.query()?, name)?,
            Self::Cookie(name) => Cow::Borrowed(cookie(&exchange.request.headers, name)?),
            Self::Param(name) => Cow::Borrowed(exchange.param(name)?),
            Self::RouteName => Cow::Borrowed(exchange.route_name()),
            Self::ServiceName => Cow::Borrowed(exchange.service_name()),
            Self::Claim(path) => match exchange.identity.as_ref()?.claim(path)? {
                Value::String(text) => Cow::Borrowed(text),
                Value::Number(number) => Cow::Owned(number.to_string()),
                Value::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            },
            Self::ConsumerName => Cow::Borrowed(&exchange.consumer()?.name),
            Self::ConsumerPlan => Cow::Borrowed(exchange.consumer()?.plan.as_deref()?),
            Self::AuthMethod => Cow::Borrowed(exchange.identity.as_ref()?.method),
            Self::AuthCredential => {
                Cow::Borrowed(exchange.identity.as_ref()?.credential.as_deref()?)
            }
            Self::TraceId => Cow::Owned(format!("{:032x}", exchange.trace.trace_id)),
            Self::Leg(leg) => leg.text(scope.legs?)?,
            Self::Item(path) => super::legs::item(scope.legs?, path)?,
            Self::Sent(path) => super::legs::sent(scope.legs?, path)?,
            Self::ResponseStatus => Cow::Owned(scope.response?.status.as_str().to_owned()),
            Self::ResponseHeader(name) => {
                Cow::Borrowed(str::from_utf8(scope.response?.headers.get(name)?.as_bytes()).ok()?)
            }
        })
    }
}

/// The names behind the root of a value, such as `item`.
fn within(root: &str, base: &str, key: Option<&str>) -> Option<Vec<String>> {
    let rest = base.strip_prefix(root)?;
    let names = match rest.strip_prefix('.') {
        Some(names) => Some(names),
        None if rest.is_empty() => None,
        None => return None,
    };
    let names = names.into_iter().flat_map(|names| names.split('.'));
    Some(names.chain(key).map(str::to_owned).collect())
}

/// The first value of a query parameter, decoded (`application/x-www-form-urlencoded`).
pub(super) fn query_value<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key)? == name).then(|| decode(value)).flatten()
    })
}

/// The value of the first cookie of a name, without the quotes it may stand in (RFC 6265 §4.2.1).
/// HTTP/2 may split the field (RFC 9113 §8.2.3), so all fields are searched.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|field| str::from_utf8(field.as_bytes()).ok())
        .flat_map(|field| field.split(';'));
    pairs
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| {
            let value = value.trim();
            value
                .strip_prefix('"')
                .and_then(|inner| inner.strip_suffix('"'))
                .unwrap_or(value)
        })
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .ok()?;
    Some(Cow::Owned(decoded.into_owned()))
}

fn quoted(text: &str) -> Option<&str> {
    let text = text.trim();
    let inner = text
        .strip_prefix('"')
        .and_then(|t| t.strip_suffix('"'))
        .or_else(|| text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')))?;
    (!inner.contains(['"', '\'', '\\'])).then_some(inner)
}

fn header_name(name: &str) -> Result<HeaderName, ExprError> {
    name.parse()
        .map_err(|_| ExprError::new(format!("`{name}` is not a header name")))
}

pub(super) fn unknown(name: &str) -> ExprError {
    let error = ExprError::new(format!("there is no attribute `{name}`"));
    let nearest = KNOWN
        .iter()
        .map(|known| {
            (
                distance(name, known.split('[').next().unwrap_or(known)),
                *known,
            )
        })
        .min()
        .filter(|(distance, _)| *distance <= 3);
    match nearest {
        Some((_, known)) => error.with_hint(format!("did you mean `{known}`?")),
        None => error.with_hint(format!("the attributes are {}", KNOWN.join(", "))),
    }
}

/// Levenshtein distance; for suggestions only.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let cost = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = cost.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
