//! Values that are written down with places in them: `{ user_id: "${claims.sub}" }`.

use lintel_kernel::expr::{Expr, ExprError, Scope, Template};
use serde_json::Value;

use crate::jq;

/// A value, some of whose texts stand for values of the request or of other legs.
#[derive(Debug)]
pub enum Fill {
    /// The same in every call: JSON text.
    Fixed(Box<str>),
    /// A text that is one expression alone: its value, with the type that it has.
    Value(Template),
    /// A text with expressions in it.
    Text(Template),
    /// An object: each name as JSON text, and its value.
    Object(Vec<(Box<str>, Fill)>),
    /// An array.
    Array(Vec<Fill>),
}

/// A text of a value that can't be used.
#[derive(Debug)]
pub struct FillFault {
    /// The names and indexes that lead to it.
    pub path: Vec<String>,
    /// Why.
    pub error: ExprError,
}

/// A value has no place of its own in what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Absent;

impl Fill {
    /// Compiles a value.
    ///
    /// # Errors
    /// The first text that does not compile.
    pub fn parse(value: &Value) -> Result<Self, FillFault> {
        let filled = match value {
            Value::String(text) => {
                let template = Template::parse_among(text);
                let template = template.map_err(|error| FillFault {
                    path: Vec::new(),
                    error,
                })?;
                match (template.literal(), template.only()) {
                    (Some(text), _) => Self::Fixed(quoted(text)),
                    (None, Some(_)) => Self::Value(template),
                    (None, None) => Self::Text(template),
                }
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let items =
                    items.map(|(at, item)| Self::parse(item).map_err(|fault| fault.under(at)));
                Self::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let members = members.iter().map(|(name, member)| {
                    let member = Self::parse(member).map_err(|fault| fault.under(name))?;
                    Ok((quoted(name), member))
                });
                Self::Object(members.collect::<Result<_, FillFault>>()?)
            }
            fixed => Self::Fixed(fixed.to_string().into()),
        };
        Ok(filled.settled())
    }

    /// A value in which nothing is filled.
    pub fn fixed(value: &Value) -> Self {
        Self::Fixed(value.to_string().into())
    }

    /// What holds no place is written once.
    fn settled(self) -> Self {
        let settled = match &self {
            Self::Object(members) => members.iter().all(|(_, member)| member.is_fixed()),
            Self::Array(items) => items.iter().all(Self::is_fixed),
            _ => false,
        };
        if !settled {
            return self;
        }
        let mut text = String::new();
        self.join(&mut text);
        Self::Fixed(text.into())
    }

    const fn is_fixed(&self) -> bool {
        matches!(self, Self::Fixed(_))
    }

    fn join(&self, out: &mut String) {
        match self {
            Self::Fixed(text) => out.push_str(text),
            Self::Object(members) => {
                out.push('{');
                for (place, (name, member)) in members.iter().enumerate() {
                    out.push_str(if place > 0 { "," } else { "" });
                    out.push_str(name);
                    out.push(':');
                    member.join(out);
                }
                out.push('}');
            }
            Self::Array(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    out.push_str(if place > 0 { "," } else { "" });
                    item.join(out);
                }
                out.push(']');
            }
            Self::Value(_) | Self::Text(_) => {}
        }
    }

    /// An object of these members.
    pub fn object<'n>(members: impl IntoIterator<Item = (&'n str, Self)>) -> Self {
        let members = members.into_iter();
        let members = members.map(|(name, member)| (quoted(name), member));
        Self::Object(members.collect()).settled()
    }

    /// The expressions in it.
    pub fn exprs(&self) -> Vec<&Expr> {
        match self {
            Self::Fixed(_) => Vec::new(),
            Self::Value(template) | Self::Text(template) => template.exprs().collect(),
            Self::Object(members) => members.iter().flat_map(|(_, one)| one.exprs()).collect(),
            Self::Array(items) => items.iter().flat_map(Self::exprs).collect(),
        }
    }

    /// Writes the value as JSON text. Whether there is one: what the client may leave out at will is
    /// left out, too.
    ///
    /// # Errors
    /// A value is absent that should be there.
    pub(crate) fn write(&self, scope: Scope<'_>, out: &mut Vec<u8>) -> Result<bool, Absent> {
        match self {
            Self::Fixed(text) => out.extend_from_slice(text.as_bytes()),
            Self::Value(template) => {
                let expr = template.only().ok_or(Absent)?;
                let Some(value) = expr.value(scope) else {
                    return absent(template, scope);
                };
                // Neither a value nor a Vec fails to be written.
                let _ = serde_json::to_writer(out, &value);
            }
            Self::Text(template) => match template.render(scope) {
                Some(text) => jq::string(text.as_bytes(), out),
                None => return absent(template, scope),
            },
            Self::Object(members) => {
                out.push(b'{');
                let begin = out.len();
                for (name, member) in members {
                    let before = out.len();
                    if before > begin {
                        out.push(b',');
                    }
                    out.extend_from_slice(name.as_bytes());
                    out.push(b':');
                    if !member.write(scope, out)? {
                        out.truncate(before);
                    }
                }
                out.push(b'}');
            }
            Self::Array(items) => {
                out.push(b'[');
                let begin = out.len();
                for item in items {
                    let before = out.len();
                    if before > begin {
                        out.push(b',');
                    }
                    if !item.write(scope, out)? {
                        out.truncate(before);
                    }
                }
                out.push(b']');
            }
        }
        Ok(true)
    }
}

/// What becomes of a text that a value is absent for.
fn absent(template: &Template, scope: Scope<'_>) -> Result<bool, Absent> {
    let mut missing = template.exprs().filter(|expr| expr.text(scope).is_none());
    match missing.all(Expr::is_optional) {
        true => Ok(false),
        false => Err(Absent),
    }
}

impl FillFault {
    fn under(mut self, name: impl ToString) -> Self {
        self.path.insert(0, name.to_string());
        self
    }
}

fn quoted(text: &str) -> Box<str> {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    jq::string(text.as_bytes(), &mut quoted);
    String::from_utf8(quoted).unwrap_or_default().into()
}
