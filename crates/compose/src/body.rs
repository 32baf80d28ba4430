//! Bodies that are made of what legs have brought.

use bytes::Bytes;

use crate::{
    Reason,
    jq::{self, Input, Jq, LEGS, REQUEST, Value},
    run::Results,
    shape::Shape,
};

/// A filter over the legs, compiled.
pub struct Body {
    source: Option<String>,
    form: Form,
}

enum Form {
    /// Spliced of the texts of the legs.
    Plain(Shape),
    /// Run by jaq; whether it asks for `$legs`, and for `$request`.
    Jq {
        filter: Box<Jq>,
        legs: bool,
        request: bool,
    },
}

/// Why a filter can't be used. Written for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterFault {
    /// What is wrong.
    pub message: String,
    /// Byte offset in the text.
    pub offset: usize,
}

impl Body {
    /// Compiles a filter over the legs of these names, in their order.
    ///
    /// # Errors
    /// It is not a filter, or reads a leg that does not exist.
    pub fn parse(source: &str, names: &[&str]) -> Result<Self, FilterFault> {
        let leg = |name: &str| names.iter().position(|known| *known == name);
        let form = match Shape::parse(source, leg) {
            Some(shape) => Form::Plain(shape?),
            None => Form::Jq {
                filter: Box::new(Jq::compile(source)?),
                legs: source.contains(LEGS),
                request: source.contains(REQUEST),
            },
        };
        Ok(Self {
            source: Some(source.to_owned()),
            form,
        })
    }

    /// Whether a text is a filter, whichever legs there are.
    ///
    /// # Errors
    /// It is not.
    pub fn check(source: &str) -> Result<(), FilterFault> {
        match Shape::parse(source, |_| Some(0)) {
            Some(shape) => shape.map(drop),
            None => Jq::compile(source).map(drop),
        }
    }

    /// The object of all legs.
    pub fn all<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        Self {
            source: None,
            form: Form::Plain(Shape::all(names)),
        }
    }

    /// The filter as it is written, where it is.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Whether it is spliced, without an interpreter.
    pub const fn is_plain(&self) -> bool {
        matches!(self.form, Form::Plain(_))
    }

    /// Whether it reads the body that the client sent.
    pub fn reads_sent(&self) -> bool {
        match &self.form {
            Form::Plain(shape) => shape.reads_sent(),
            Form::Jq { request, .. } => *request,
        }
    }

    /// The leg whose value is passed on as it is, where that is all.
    pub const fn only(&self) -> Option<usize> {
        match &self.form {
            Form::Plain(Shape::Leg(leg)) => Some(*leg),
            _ => None,
        }
    }

    /// Writes the value that comes of what the legs have brought, and of the element that a leg is made
    /// for, as JSON text. Legs that are not done count as
    /// `null`.
    ///
    /// # Errors
    /// The filter fails on these values; in words for the operator.
    pub fn write(
        &self,
        results: &Results<'_>,
        item: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        match &self.form {
            Form::Plain(shape) => shape.write(&|leg| results.text(leg), results.sent_text(), out),
            Form::Jq {
                filter,
                legs,
                request,
            } => {
                let seen: Vec<_> = (0..results.names().count())
                    .map(|leg| Seen::of(results, leg))
                    .collect();
                let sent = results.sent_text();
                let made = filter.run(|| {
                    let input = bodies(&seen)?;
                    let legs = match legs {
                        true => facts(&seen, &input),
                        false => Value::Null,
                    };
                    let request = match request {
                        true => self::sent(sent)?,
                        false => Value::Null,
                    };
                    let item = jq::read(item)?;
                    Ok(Input {
                        input,
                        legs,
                        item,
                        request,
                    })
                })?;
                out.extend_from_slice(&made);
                Ok(())
            }
        }
    }
}

/// The legs that a filter may read: what stands behind a dot. Of a filter that is run by jq, what only
/// looks like one of them (a member of that name) is among them.
pub fn mentioned<'n>(source: &str, names: &[&'n str]) -> Vec<&'n str> {
    let leg = |name: &str| names.iter().position(|known| *known == name);
    if let Some(Ok(shape)) = Shape::parse(source, leg) {
        let all = names.iter().copied().enumerate();
        let read = all.filter(|(leg, _)| shape.reads(*leg));
        return read.map(|(_, name)| name).collect();
    }
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mentions = |name: &str| {
        source.match_indices(name).any(|(at, _)| {
            let (before, after) = source.split_at(at);
            let after = after.get(name.len()..).unwrap_or_default();
            !after.starts_with(word) && before.ends_with(['.', '"', '{', ',', ' '])
        })
    };
    let found = names.iter().copied().filter(|name| mentions(name));
    found.collect()
}

/// What a filter sees of a leg.
struct Seen<'r> {
    name: &'r str,
    text: &'r [u8],
    status: Option<u16>,
    error: Option<&'static str>,
}

impl<'r> Seen<'r> {
    fn of(results: &'r Results<'_>, leg: usize) -> Self {
        let outcome = results.outcome(leg);
        Self {
            name: results.names().nth(leg).unwrap_or_default(),
            text: results.text(leg),
            status: outcome.and_then(|outcome| outcome.status),
            error: outcome.and_then(|outcome| outcome.error).map(Reason::code),
        }
    }

    fn name(&self) -> Bytes {
        Bytes::copy_from_slice(self.name.as_bytes())
    }
}

/// The object of the values of all legs.
fn bodies(legs: &[Seen<'_>]) -> Result<Value, String> {
    let bodies = legs.iter().map(|leg| Ok((leg.name(), jq::read(leg.text)?)));
    Ok(Value::object(bodies.collect::<Result<Vec<_>, String>>()?))
}

/// What `$request` holds: `{ body }`.
fn sent(text: &[u8]) -> Result<Value, String> {
    let body = (Bytes::from_static(b"body"), jq::read(text)?);
    Ok(Value::object([body]))
}

/// What `$legs` holds: `{ profile: { status, error, body } }`.
fn facts(legs: &[Seen<'_>], bodies: &Value) -> Value {
    Value::object(legs.iter().map(|leg| {
        let status = leg.status.map(|status| Value::from(usize::from(status)));
        let error = leg.error.map(|code| Value::text(code.as_bytes()));
        let members = [
            ("status", status),
            ("error", error),
            ("body", bodies.member(leg.name.as_bytes()).cloned()),
        ];
        let members = members.into_iter();
        let members = members.map(|(name, value)| {
            (
                Bytes::from_static(name.as_bytes()),
                value.unwrap_or_default(),
            )
        });
        (leg.name(), Value::object(members))
    }))
}
