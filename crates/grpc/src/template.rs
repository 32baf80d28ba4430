//! Path templates of `google.api.http` (google/api/http.proto, "Path template syntax"):
//!
//! ```text
//! Template = "/" Segments [ Verb ] ;
//! Segments = Segment { "/" Segment } ;
//! Segment  = "*" | "**" | LITERAL | Variable ;
//! Variable = "{" FieldPath [ "=" Segments ] "}" ;
//! FieldPath = IDENT { "." IDENT } ;
//! Verb     = ":" LITERAL ;
//! ```

use std::fmt;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its segments, those of variables among them.
    pub segments: Vec<Segment>,
    /// What follows the last colon.
    pub verb: Option<String>,
    /// Its variables, in the order of their places.
    pub variables: Vec<Variable>,
}

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// This text.
    Literal(String),
    /// Any one part that is not empty.
    Any,
    /// All the parts that are left. Only at the end.
    Rest,
}

/// A part of a path that goes to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The field's path, names of the `.proto` file with dots between them.
    pub field: String,
    /// Its first segment.
    pub begin: usize,
    /// How many segments it takes. The last may be a [`Segment::Rest`].
    pub count: usize,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes.
    pub offset: usize,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TemplateError {}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parser = Parser {
            text,
            at: 0,
            segments: Vec::new(),
            variables: Vec::new(),
        };
        if !parser.take('/') {
            return Err(parser.error("a path begins with `/`"));
        }
        parser.segments(None)?;
        let verb = if parser.take(':') {
            Some(parser.literal("a verb")?)
        } else {
            None
        };
        if parser.peek().is_some() {
            return Err(parser.error("this does not belong here"));
        }
        let Parser {
            segments,
            variables,
            ..
        } = parser;
        let early = segments
            .iter()
            .rev()
            .skip(1)
            .any(|segment| *segment == Segment::Rest);
        if early {
            return Err(TemplateError {
                message: "`**` can only be the last segment".to_owned(),
                offset: text.find("**").unwrap_or(0),
            });
        }
        Ok(Self {
            segments,
            verb,
            variables,
        })
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, c: char) -> bool {
        let there = self.peek() == Some(c);
        if there {
            self.at += c.len_utf8();
        }
        there
    }

    fn error(&self, message: impl Into<String>) -> TemplateError {
        TemplateError {
            message: message.into(),
            offset: self.at,
        }
    }

    /// Segments with slashes between them, of the whole template or of a variable.
    fn segments(&mut self, variable: Option<&str>) -> Result<(), TemplateError> {
        loop {
            self.segment(variable.is_some())?;
            if !self.take('/') {
                return Ok(());
            }
        }
    }

    fn segment(&mut self, within: bool) -> Result<(), TemplateError> {
        if self.rest().starts_with("**") {
            self.at += 2;
            self.segments.push(Segment::Rest);
        } else if self.take('*') {
            self.segments.push(Segment::Any);
        } else if self.peek() == Some('{') {
            if within {
                return Err(self.error("variables can't lie in each other"));
            }
            self.at += 1;
            self.variable()?;
        } else {
            let literal = self.literal("a segment")?;
            self.segments.push(Segment::Literal(literal));
        }
        Ok(())
    }

    fn variable(&mut self) -> Result<(), TemplateError> {
        let field = self.field_path()?;
        let begin = self.segments.len();
        if self.take('=') {
            self.segments(Some(&field))?;
        } else {
            self.segments.push(Segment::Any);
        }
        if !self.take('}') {
            return Err(self.error("a variable ends with `}`"));
        }
        if self
            .variables
            .iter()
            .any(|variable| variable.field == field)
        {
            return Err(self.error(format!("the variable `{field}` is there twice")));
        }
        self.variables.push(Variable {
            field,
            begin,
            count: self.segments.len() - begin,
        });
        Ok(())
    }

    fn field_path(&mut self) -> Result<String, TemplateError> {
        let rest = self.rest();
        let end = rest.find(['=', '}']).unwrap_or(rest.len());
        let path = rest.get(..end).unwrap_or_default();
        let is_name = |name: &str| {
            let mut chars = name.chars();
            chars
                .next()
                .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !path.split('.').all(is_name) {
            return Err(self.error("the path of a field is expected, names with dots between them"));
        }
        let path = path.to_owned();
        self.at += end;
        Ok(path)
    }

    /// Characters of a path segment (RFC 3986 §3.3), without the colon that begins a verb.
    fn literal(&mut self, what: &str) -> Result<String, TemplateError> {
        let rest = self.rest();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()+,;@%".contains(c);
        let end = rest.find(|c| !plain(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.error(format!(
                "{what} is missing, or begins with a character that no path has"
            )));
        }
        let literal = rest.get(..end).unwrap_or_default().to_owned();
        self.at += end;
        Ok(literal)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut at = 0;
        while at < self.segments.len() {
            f.write_str("/")?;
            let variable = self.variables.iter().find(|variable| variable.begin == at);
            let Some(variable) = variable else {
                if let Some(segment) = self.segments.get(at) {
                    segment.fmt(f)?;
                }
                at += 1;
                continue;
            };
            write!(f, "{{{}", variable.field)?;
            let end = at + variable.count;
            let inner = self.segments.get(at..end).unwrap_or_default();
            if inner != [Segment::Any] {
                for (place, segment) in inner.iter().enumerate() {
                    write!(f, "{}{segment}", if place == 0 { "=" } else { "/" })?;
                }
            }
            f.write_str("}")?;
            at = end;
        }
        match &self.verb {
            Some(verb) => write!(f, ":{verb}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => f.write_str(text),
            Self::Any => f.write_str("*"),
            Self::Rest => f.write_str("**"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parses_what_the_grammar_allows() {
        let template = Template::parse("/v1/{name=shelves/*/books/**}:archive").unwrap();
        assert_eq!(template.segments.len(), 5);
        assert_eq!(template.verb.as_deref(), Some("archive"));
        assert_eq!(
            template.variables,
            [Variable {
                field: "name".to_owned(),
                begin: 1,
                count: 4
            }]
        );
        for text in [
            "/v1",
            "/v1/*",
            "/v1/**",
            "/{a.b_c}",
            "/v1/{a}/{b=x/*}/y",
            "/**:verb",
            "/a:b",
            "/v1/{id}:cancel",
            "/v1/a%20b",
        ] {
            assert_eq!(Template::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, offset, message) in [
            ("", 0, "a path begins with `/`"),
            ("v1", 0, "a path begins with `/`"),
            ("/", 1, "a segment is missing"),
            ("/v1/", 4, "a segment is missing"),
            ("/v1//a", 4, "a segment is missing"),
            ("/{a", 3, "a variable ends with `}`"),
            ("/{}", 2, "the path of a field"),
            ("/{1a}", 2, "the path of a field"),
            ("/{a={b}}", 4, "variables can't lie"),
            ("/{a}/{a}", 8, "the variable `a` is there twice"),
            ("/**/a", 1, "`**` can only be the last"),
            ("/a:", 3, "a verb is missing"),
            ("/a:b:c", 4, "this does not belong here"),
            ("/a b", 2, "this does not belong here"),
            ("/{a}b", 4, "this does not belong here"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.message.starts_with(message), "{text}: {error}");
            assert_eq!(error.offset, offset, "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "[/{}*:=.a-c]{0,24}") {
            if let Ok(template) = Template::parse(&text) {
                let shown = template.to_string();
                prop_assert_eq!(Template::parse(&shown).unwrap(), template);
            }
        }
    }
}
