//! Values and conditions that come from the request: `${client.ip}`, `request.path`, …
//!
//! The language is CEL. A plain attribute path compiles to a direct look-up that costs no more than
//! the field access it is; anything else is compiled by the CEL library at load and interpreted
//! per request. Both are checked at load: an unknown attribute is an error that names the nearest.

mod attribute;
mod cel;
mod template;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt};

use http::{HeaderMap, Response, StatusCode};

pub use attribute::{Attribute, cookie};
pub use template::Template;

use crate::Exchange;

/// What an expression is evaluated against.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The request.
    pub exchange: &'a Exchange,
    /// The answer's head, in the response direction.
    pub response: Option<AnswerHead<'a>>,
}

/// What expressions see of an answer.
#[derive(Clone, Copy)]
pub struct AnswerHead<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: &'a HeaderMap,
}

impl<'a> Scope<'a> {
    /// The scope while a request goes in.
    pub fn request(exchange: &'a Exchange) -> Self {
        Self {
            exchange,
            response: None,
        }
    }

    /// The scope while the answer goes out.
    pub fn answer<B>(exchange: &'a Exchange, response: &'a Response<B>) -> Self {
        let head = AnswerHead {
            status: response.status(),
            headers: response.headers(),
        };
        Self {
            exchange,
            response: Some(head),
        }
    }
}

/// A compiled expression.
pub struct Expr {
    source: String,
    form: Form,
}

enum Form {
    Attribute(Attribute),
    Cel(Box<cel::Program>),
}

/// Why an expression can't be used. Written for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// Byte offset in the text, where known.
    pub offset: usize,
}

impl Expr {
    /// Compiles an expression.
    ///
    /// # Errors
    /// A syntax error, or an attribute that does not exist.
    pub fn parse(source: &str) -> Result<Self, ExprError> {
        let source = source.trim();
        if source.is_empty() {
            return Err(ExprError::new("the expression is empty"));
        }
        let form = match Attribute::parse(source) {
            Some(result) => Form::Attribute(result?),
            None => Form::Cel(Box::new(cel::Program::compile(source)?)),
        };
        Ok(Self {
            source: source.to_owned(),
            form,
        })
    }

    /// The value as text; `None` where the attribute is absent or the expression fails.
    pub fn text<'a>(&'a self, scope: Scope<'a>) -> Option<Cow<'a, str>> {
        match &self.form {
            Form::Attribute(attribute) => attribute.text(scope),
            Form::Cel(program) => program.text(scope).map(Cow::Owned),
        }
    }

    /// The value as a condition. An expression that fails, or is no boolean, is false.
    pub fn holds(&self, scope: Scope<'_>) -> bool {
        match &self.form {
            Form::Attribute(attribute) => attribute.text(scope).is_some_and(|text| text == "true"),
            Form::Cel(program) => program.holds(scope),
        }
    }

    /// Whether it reads the answer, and so has no value before there is one.
    pub fn needs_response(&self) -> bool {
        match &self.form {
            Form::Attribute(attribute) => attribute.needs_response(),
            Form::Cel(program) => program.needs_response(),
        }
    }

    /// The path parameters it reads.
    pub fn path_params(&self) -> Vec<&str> {
        match &self.form {
            Form::Attribute(Attribute::Param(name)) => vec![name],
            Form::Attribute(_) => Vec::new(),
            Form::Cel(program) => program.path_params(),
        }
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl ExprError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            offset: 0,
        }
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn at(mut self, offset: usize) -> Self {
        self.offset = offset;
        self
    }
}

impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}
