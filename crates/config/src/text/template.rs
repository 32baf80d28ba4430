use std::{fmt, str::FromStr};

use lintel_kernel::expr::{Expr, ExprError, Template};

use super::{TextError, text_type};

/// A text in which `${…}` stands for a value of the request, such as `${client.ip}`; `$$` is one
/// dollar sign.
#[derive(Clone, PartialEq, Eq)]
pub struct TemplateText(String);

impl TemplateText {
    /// The text as it is written.
    pub fn source(&self) -> &str {
        &self.0
    }

    /// Compiles it.
    ///
    /// # Errors
    /// None in a checked model: the text compiled when it was read.
    pub fn compile(&self) -> Result<Template, ExprError> {
        Template::parse(&self.0)
    }
}

impl FromStr for TemplateText {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Template::parse(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TemplateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TemplateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

text_type!(TemplateText, "template"; "${client.ip}");

/// An expression over the request, such as `client.ip`, without `${…}` around it.
#[derive(Clone, PartialEq, Eq)]
pub struct ExprText(String);

impl ExprText {
    /// The text as it is written.
    pub fn source(&self) -> &str {
        &self.0
    }

    /// Compiles it.
    ///
    /// # Errors
    /// None in a checked model: the text compiled when it was read.
    pub fn compile(&self) -> Result<Expr, ExprError> {
        Expr::parse(&self.0)
    }
}

impl FromStr for ExprText {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if let Some(inner) = text
            .trim()
            .strip_prefix("${")
            .and_then(|t| t.strip_suffix('}'))
        {
            return Err(TextError::new("this is an expression as a whole")
                .hint(format!("write `{inner}`, without `${{` and `}}`")));
        }
        Expr::parse(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ExprText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ExprText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

text_type!(ExprText, "expression"; "client.ip", "request.headers[\"x-user\"]");
