//! Values and conditions that come from the request: `${client.ip}`, `request.path`, …
//!
//! The language is CEL. A plain attribute path compiles to a direct look-up that costs no more than
//! the field access it is; anything else is compiled by the CEL library at load and interpreted
//! per request. Both are checked at load: an unknown attribute is an error that names the nearest.

mod attribute;
mod cel;
mod cost;
mod expression;
mod legs;
mod template;

#[cfg(test)]
mod tests;

use std::fmt;

use http::{HeaderMap, Response, StatusCode};

pub use attribute::{Attribute, cookie};
pub use expression::Expr;
pub use legs::{Leg, LegPart, Legs};
pub use template::Template;

use crate::Exchange;

/// What an expression is evaluated against.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The request.
    pub exchange: &'a Exchange,
    /// The answer's head, in the response direction.
    pub response: Option<AnswerHead<'a>>,
    /// The legs of a composition.
    pub legs: Option<&'a dyn Legs>,
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
            legs: None,
        }
    }

    /// The scope while the legs of a composition run.
    pub fn among(exchange: &'a Exchange, legs: &'a dyn Legs) -> Self {
        Self {
            exchange,
            response: None,
            legs: Some(legs),
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
            legs: None,
        }
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// As it is.
    Plain,
    /// As a part of a URL, with `%2F` and the like in it.
    Encoded,
    /// As a path, in its canonical form.
    Whole,
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
