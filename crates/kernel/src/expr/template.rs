//! Texts with `${…}` in them.

use std::borrow::Cow;

use super::{Expr, ExprError, Scope, Written};

/// A text in which `${expression}` is replaced per request; `$$` stands for one dollar sign.
#[derive(Debug)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Expr(Expr),
}

impl Template {
    /// Compiles a text.
    ///
    /// # Errors
    /// A `${` that is not closed, or an expression that does not compile; the offset points at it.
    pub fn parse(source: &str) -> Result<Self, ExprError> {
        Self::compile(source, Expr::parse)
    }

    /// Compiles a text whose expressions may read the legs of a composition, too.
    ///
    /// # Errors
    /// The same.
    pub fn parse_among(source: &str) -> Result<Self, ExprError> {
        Self::compile(source, Expr::parse_among)
    }

    fn compile(source: &str, expr: fn(&str) -> Result<Expr, ExprError>) -> Result<Self, ExprError> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            let offset = source.len() - after.len() - 1;
            if let Some(escaped) = after.strip_prefix('$') {
                text.push('$');
                rest = escaped;
            } else if let Some(opened) = after.strip_prefix('{') {
                let end = closing(opened).ok_or_else(|| {
                    ExprError::new("`${` is not closed")
                        .with_hint("add `}`, or write `$$` for a dollar sign")
                        .at(offset)
                })?;
                let (inner, tail) = opened.split_at(end);
                let expr = expr(inner).map_err(|error| {
                    let inside = error.offset;
                    error.at(offset + 2 + inside)
                })?;
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Expr(expr));
                rest = tail.get(1..).unwrap_or("");
            } else {
                text.push('$');
                rest = after;
            }
        }
        text.push_str(rest);
        if !text.is_empty() || parts.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Self { parts })
    }

    /// A text that is sent as it is, dollar signs and all.
    pub fn literal_text(text: impl Into<String>) -> Self {
        Self {
            parts: vec![Part::Text(text.into())],
        }
    }

    /// The text for this request. `None` if any expression has no value, so that a half-empty text
    /// is never sent.
    pub fn render<'a>(&'a self, scope: Scope<'a>) -> Option<Cow<'a, str>> {
        if let [only] = self.parts.as_slice() {
            return only.text(scope);
        }
        let mut out = String::new();
        for part in &self.parts {
            out.push_str(&part.text(scope)?);
        }
        Some(Cow::Owned(out))
    }

    /// The text for this request, every interpolated value passed through `escape`, which may refuse
    /// it. `None` if any expression has no value, or one that is refused.
    pub fn render_through(
        &self,
        scope: Scope<'_>,
        mut escape: impl FnMut(&str, Written, &mut String) -> bool,
    ) -> Option<String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Expr(expr) => {
                    let value = expr.text(scope)?;
                    if !escape(&value, expr.written(), &mut out) {
                        return None;
                    }
                }
            }
        }
        Some(out)
    }

    /// The text for this request, every interpolated value passed through `escape`. Absent values
    /// become nothing: for bodies made for people, not for header fields.
    pub fn render_escaped(&self, scope: Scope<'_>, escape: fn(&str, &mut String)) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Expr(expr) => escape(expr.text(scope).as_deref().unwrap_or(""), &mut out),
            }
        }
        out
    }

    /// The text itself, if it has no expression in it.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with this in the place of every expression.
    pub fn with(&self, value: &str) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => text,
            Part::Expr(_) => value,
        });
        parts.collect()
    }

    /// What the text begins with, whatever the request.
    pub fn prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// The expression, if it is that alone.
    pub fn only(&self) -> Option<&Expr> {
        match self.parts.as_slice() {
            [Part::Expr(expr)] => Some(expr),
            _ => None,
        }
    }

    /// The text as it is written.
    pub fn source(&self) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.replace('$', "$$"),
            Part::Expr(expr) => format!("${{{}}}", expr.source()),
        });
        parts.collect()
    }

    /// The expressions in it.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.parts.iter().filter_map(|part| match part {
            Part::Expr(expr) => Some(expr),
            Part::Text(_) => None,
        })
    }
}

impl Part {
    fn text<'a>(&'a self, scope: Scope<'a>) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Expr(expr) => expr.text(scope),
        }
    }
}

/// Where the expression ends: the first `}` outside quotes and inner braces.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') if depth == 0 => return Some(at),
            (None, '}') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}
