//! What expressions see of the legs of a composition: `legs.profile.body.id`.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::ExprError;

/// What the legs of a composition have brought so far.
pub trait Legs {
    /// The status that a leg was answered with.
    fn status(&self, leg: &str) -> Option<u16>;
    /// Why a leg failed.
    fn error(&self, leg: &str) -> Option<&'static str>;
    /// The first field of a name in a leg's answer.
    fn header(&self, leg: &str, name: &HeaderName) -> Option<&HeaderValue>;
    /// What stands at a place in the element that a leg is made for.
    fn item(&self, path: &[String]) -> Option<Value> {
        let _ = path;
        None
    }
    /// What stands at a place in the body that the client sent.
    fn sent(&self, path: &[String]) -> Option<Value> {
        let _ = path;
        None
    }
    /// What stands at a place in a leg's value.
    fn member(&self, leg: &str, path: &[String]) -> Option<Value>;
}

/// Something of a leg that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The leg's name.
    pub name: String,
    /// What of it.
    pub part: LegPart,
}

/// A part of what a leg has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegPart {
    /// `status`: what it was answered with.
    Status,
    /// `error`: why it failed; absent where it did not.
    Error,
    /// `headers["name"]`: a field of its answer.
    Header(HeaderName),
    /// `body` and what is within it.
    Body(Vec<String>),
}

impl Leg {
    /// Reads what follows `legs.`, and the key in brackets behind it.
    pub(super) fn parse(path: &str, key: Option<&str>) -> Result<Self, ExprError> {
        let words: Vec<&str> = path.split('.').chain(key).collect();
        Self::of(&words)
    }

    /// Reads the words that follow `legs`.
    pub(super) fn of(words: &[&str]) -> Result<Self, ExprError> {
        let Some((name, rest)) = words.split_first() else {
            return Err(ExprError::new("`legs` needs the name of a leg")
                .with_hint("write `legs.NAME.body`, or `legs.NAME.status`"));
        };
        let part = match rest {
            ["status"] => LegPart::Status,
            ["error"] => LegPart::Error,
            ["headers", field] => LegPart::Header(field.parse().map_err(|_| {
                ExprError::new(format!("`{field}` is not the name of a header field"))
            })?),
            ["body", path @ ..] => {
                LegPart::Body(path.iter().map(|word| (*word).to_owned()).collect())
            }
            _ => {
                return Err(ExprError::new(format!(
                    "`legs.{}` is not something a leg has",
                    words.join(".")
                ))
                .with_hint(format!(
                    "write `legs.{name}.body`, `legs.{name}.body.MEMBER`, `legs.{name}.status`, `legs.{name}.error` or `legs.{name}.headers[\"NAME\"]`"
                )));
            }
        };
        Ok(Self {
            name: (*name).to_owned(),
            part,
        })
    }

    pub(super) fn text<'a>(&self, legs: &'a dyn Legs) -> Option<Cow<'a, str>> {
        match &self.part {
            LegPart::Status => Some(Cow::Owned(legs.status(&self.name)?.to_string())),
            LegPart::Error => legs.error(&self.name).map(Cow::Borrowed),
            LegPart::Header(name) => {
                let value = legs.header(&self.name, name)?;
                std::str::from_utf8(value.as_bytes())
                    .ok()
                    .map(Cow::Borrowed)
            }
            LegPart::Body(path) => plain(legs.member(&self.name, path)?).map(Cow::Owned),
        }
    }

    pub(super) fn value(&self, legs: &dyn Legs) -> Option<Value> {
        match &self.part {
            LegPart::Status => legs.status(&self.name).map(Value::from),
            LegPart::Error | LegPart::Header(_) => self.text(legs).map(Value::from),
            LegPart::Body(path) => legs.member(&self.name, path),
        }
    }
}

/// The text of an element; of a list of them, their texts with commas between.
pub(super) fn item<'a>(legs: &dyn Legs, path: &[String]) -> Option<Cow<'a, str>> {
    let text = match legs.item(path)? {
        Value::Array(items) => {
            let texts: Option<Vec<String>> = items.into_iter().map(plain).collect();
            texts?.join(",")
        }
        value => plain(value)?,
    };
    Some(Cow::Owned(text))
}

/// The text of a part of the client's body.
pub(super) fn sent<'a>(legs: &dyn Legs, path: &[String]) -> Option<Cow<'a, str>> {
    plain(legs.sent(path)?).map(Cow::Owned)
}

fn plain(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Where there are no legs.
pub(super) fn nowhere() -> ExprError {
    ExprError::new("`legs`, `item` and `request.body` are known only within `to: { compose: … }`")
        .with_hint("read something of the request, such as `claims.sub`")
}
