use std::{borrow::Cow, fmt, str::FromStr};

use lintel_compose::{
    Body, Fill, FillFault, FilterFault,
    query::{Operation, operations},
};
use lintel_kernel::expr::{Expr, ExprError, Template};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{TextError, text_type};

/// Longest name of a leg, in characters.
const LONGEST: usize = 64;

/// The name of a leg: letters, digits and `_`, beginning with a letter, so that expressions and
/// filters can say `.name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegName(String);

impl LegName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LegName {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let fit = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if let Some((at, _)) = text.char_indices().find(|(_, c)| !fit(*c)) {
            let better: String = text.chars().map(|c| if fit(c) { c } else { '_' }).collect();
            return Err(TextError::new(format!(
                "`{text}` can't be the name of a leg: expressions say `legs.NAME`"
            ))
            .at(at)
            .hint(format!("write `{better}`")));
        }
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) || text.len() > LONGEST {
            return Err(
                TextError::new(format!("`{text}` can't be the name of a leg"))
                    .hint("begin with a letter, and write 64 characters at most"),
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LegName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(LegName, "leg", pattern: r"^[A-Za-z][0-9A-Za-z_]{0,63}$"; "profile");

/// A text in which `${…}` stands for a value of the request, or of another leg, such as
/// `${legs.profile.body.id}`; `$$` is one dollar sign.
#[derive(Clone, PartialEq, Eq)]
pub struct LegTemplate(String);

impl LegTemplate {
    /// The text as it is written.
    pub fn source(&self) -> &str {
        &self.0
    }

    /// Compiles it.
    ///
    /// # Errors
    /// None in a checked model: the text compiled when it was read.
    pub fn compile(&self) -> Result<Template, ExprError> {
        Template::parse_among(&self.0)
    }
}

impl FromStr for LegTemplate {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Template::parse_among(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LegTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LegTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

text_type!(LegTemplate, "leg-template"; "${legs.profile.body.id}");

/// A value whose texts may have `${…}` in them. A text that is one expression alone stands for its
/// value with the type that it has: a number, a list, an object.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct LegValue(Value);

impl LegValue {
    /// The value as it is written.
    pub const fn source(&self) -> &Value {
        &self.0
    }

    /// Compiles it.
    ///
    /// # Errors
    /// A text in it does not compile.
    pub fn compile(&self) -> Result<Fill, FillFault> {
        Fill::parse(&self.0)
    }
}

impl JsonSchema for LegValue {
    fn schema_name() -> Cow<'static, str> {
        "LegValue".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Value::json_schema(generator)
    }
}

/// An expression over the request and the legs, such as `legs.profile.status == 200`.
#[derive(Clone, PartialEq, Eq)]
pub struct LegExpr(String);

impl LegExpr {
    /// The text as it is written.
    pub fn source(&self) -> &str {
        &self.0
    }

    /// Compiles it.
    ///
    /// # Errors
    /// None in a checked model: the text compiled when it was read.
    pub fn compile(&self) -> Result<Expr, ExprError> {
        Expr::parse_among(&self.0)
    }
}

impl FromStr for LegExpr {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Expr::parse_among(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LegExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LegExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

text_type!(LegExpr, "leg-expression"; "legs.profile.status == 200");

/// A text of GraphQL with the operation that a leg asks for: `query($id: ID!) { user(id: $id) { name } }`.
#[derive(Clone, PartialEq, Eq)]
pub struct QueryText(String);

impl QueryText {
    /// The text as it is written.
    pub fn source(&self) -> &str {
        &self.0
    }

    /// The operations in it.
    pub fn operations(&self) -> Vec<Operation> {
        // It was read when the text was.
        operations(&self.0).unwrap_or_default()
    }
}

impl FromStr for QueryText {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match operations(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(fault) => Err(TextError::new(format!("this is not a query: {}", fault.message))
                .at(fault.offset)
                .hint("write it as GraphQL has it, such as `query($id: ID!) { user(id: $id) { name } }`")),
        }
    }
}

impl fmt::Display for QueryText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for QueryText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

text_type!(QueryText, "graphql-query"; "query($id: ID!) { user(id: $id) { name } }");

/// A jq filter over the values of the legs, such as `{ name: .profile.name, orders }`.
#[derive(Clone, PartialEq, Eq)]
pub struct Filter(String);

impl Filter {
    /// The text as it is written.
    pub fn source(&self) -> &str {
        &self.0
    }

    /// Compiles it over the legs of these names.
    ///
    /// # Errors
    /// It reads a leg that does not exist.
    pub fn compile(&self, legs: &[&str]) -> Result<Body, FilterFault> {
        Body::parse(&self.0, legs)
    }
}

impl FromStr for Filter {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match Body::check(text) {
            Ok(()) => Ok(Self(text.to_owned())),
            Err(fault) => Err(TextError::new(fault.message)
                .at(fault.offset)
                .hint("write a filter as `jq` has it, such as `{ name: .profile.name, orders }`")),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

text_type!(Filter, "filter"; "{ name: .profile.name, orders }");
