//! One expression, compiled.

use std::{borrow::Cow, fmt};

use serde_json::Value;

use super::{Attribute, ExprError, Leg, Scope, Written, cel, legs};

/// A compiled expression.
pub struct Expr {
    source: String,
    form: Form,
}

enum Form {
    Attribute(Attribute),
    Cel(Box<cel::Program>),
}

impl Expr {
    /// Compiles an expression.
    ///
    /// # Errors
    /// A syntax error, or an attribute that does not exist.
    pub fn parse(source: &str) -> Result<Self, ExprError> {
        let parsed = Self::parse_among(source)?;
        match parsed.legs().is_empty() && !parsed.reads_item() && !parsed.reads_body() {
            true => Ok(parsed),
            false => Err(legs::nowhere()),
        }
    }

    /// Compiles an expression that may read the legs of a composition, too.
    ///
    /// # Errors
    /// The same.
    pub fn parse_among(source: &str) -> Result<Self, ExprError> {
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

    /// The value with the type that it has; `None` where the attribute is absent or the expression
    /// fails.
    pub fn value(&self, scope: Scope<'_>) -> Option<Value> {
        match &self.form {
            Form::Attribute(attribute) => attribute.value(scope),
            Form::Cel(program) => program.json(scope),
        }
    }

    /// The value as a condition. An expression that fails, or is no boolean, is false.
    pub fn holds(&self, scope: Scope<'_>) -> bool {
        match &self.form {
            Form::Attribute(attribute) => attribute.text(scope).is_some_and(|text| text == "true"),
            Form::Cel(program) => program.holds(scope),
        }
    }

    /// The value as JSON, lists and objects too; `None` where the attribute is absent, the expression
    /// fails, or its value is of a kind that JSON does not know.
    pub fn json(&self, scope: Scope<'_>) -> Option<serde_json::Value> {
        match &self.form {
            Form::Attribute(attribute) => attribute.json(scope),
            Form::Cel(program) => program.json(scope),
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

    /// The legs of a composition that it reads.
    pub fn legs(&self) -> Vec<&Leg> {
        match &self.form {
            Form::Attribute(Attribute::Leg(leg)) => vec![leg],
            Form::Attribute(_) => Vec::new(),
            Form::Cel(program) => program.legs(),
        }
    }

    /// How its value is written where it comes from a URL.
    pub const fn written(&self) -> Written {
        match &self.form {
            Form::Attribute(Attribute::Param(_)) => Written::Encoded,
            Form::Attribute(Attribute::Path | Attribute::Target) => Written::Whole,
            Form::Attribute(_) | Form::Cel(_) => Written::Plain,
        }
    }

    /// Whether it reads the element that a leg of a composition is made for.
    pub fn reads_item(&self) -> bool {
        match &self.form {
            Form::Attribute(attribute) => matches!(attribute, Attribute::Item(_)),
            Form::Cel(program) => program.reads_item(),
        }
    }

    /// Whether it reads the body that the client sent.
    pub fn reads_body(&self) -> bool {
        match &self.form {
            Form::Attribute(attribute) => matches!(attribute, Attribute::Sent(_)),
            Form::Cel(program) => program.reads_body(),
        }
    }

    /// Whether it reads something, and nothing but what a client may leave out at will.
    pub fn is_optional(&self) -> bool {
        match &self.form {
            Form::Attribute(attribute) => attribute.is_optional(),
            Form::Cel(program) => program.is_optional(),
        }
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}
