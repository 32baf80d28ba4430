//! JSON values as elements.

use std::borrow::Cow;

use lintel_kernel::json::{Mismatch, Read};

use crate::{MAX_DEPTH, Mapping, Names, XML, XMLNS, XSI, name, value::Value, write};

impl Mapping {
    /// Writes a JSON value as an element: an object with one member, or where the name of the element is
    /// known, what that member would hold. `fields` are further members of the element, with text in them;
    /// they take the place of what the value has of their names. No text at all is an object without
    /// members.
    ///
    /// # Errors
    /// It is no JSON, too deep, has a member twice, or what XML has no writing for.
    pub fn write_xml(
        &self,
        json: &str,
        root: Option<&str>,
        fields: &[(&str, Cow<'_, str>)],
        out: &mut Vec<u8>,
    ) -> Result<(), Box<Mismatch>> {
        let mut value = match json.is_empty() {
            true => Value::Object(Vec::new()),
            false => Value::read(json, self.depth.min(MAX_DEPTH))?,
        };
        let (name, mut held) = match (root, &mut value) {
            (Some(root), _) => (Cow::Borrowed(root), value),
            (None, Value::Object(members)) if members.len() == 1 => {
                members.pop().unwrap_or((Cow::Borrowed(""), Value::Null))
            }
            (None, _) => return Err(Mismatch::at(0, NO_ROOT)),
        };
        if root.is_none() && (matches!(held, Value::Array(_)) || name.starts_with(['@', '#'])) {
            return Err(Mismatch::at(0, NO_ROOT));
        }
        put(&mut held, fields)?;
        let mut writer = Writer {
            mapping: self,
            scope: Vec::new(),
            out,
        };
        let written = writer.root(&name, &held);
        match root {
            Some(_) => written,
            None => written.map_err(|mismatch| mismatch.under(name)),
        }
    }
}

const NO_ROOT: &str = "an object with one member is expected, the root element";

/// Gives a value further members.
fn put<'a>(value: &mut Value<'a>, fields: &'a [(&str, Cow<'_, str>)]) -> Read<()> {
    if fields.is_empty() {
        return Ok(());
    }
    let Value::Object(members) = value else {
        return Err(Mismatch::at(0, "an object is expected"));
    };
    for (name, text) in fields {
        let text = Value::String(Cow::Borrowed(text));
        match members.iter_mut().find(|(known, _)| known == name) {
            Some((_, held)) => *held = text,
            None => members.push((Cow::Borrowed(name), text)),
        }
    }
    Ok(())
}

struct Writer<'w> {
    mapping: &'w Mapping,
    /// The prefixes that are declared, where they are kept as they come.
    scope: Vec<String>,
    out: &'w mut Vec<u8>,
}

impl Writer<'_> {
    /// An element with the declarations that all in it need.
    fn root(&mut self, name: &str, value: &Value<'_>) -> Read<()> {
        let mut declared: Vec<(String, &str)> = Vec::new();
        if let Names::Known(known) = &self.mapping.names {
            for (prefix, uri) in known {
                let name = match &**prefix {
                    "" => "xmlns".to_owned(),
                    prefix => format!("xmlns:{prefix}"),
                };
                declared.push((name, uri));
            }
        }
        let own = matches!(value, Value::Object(members)
            if members.iter().any(|(name, _)| name == "@xmlns:xsi"));
        let known = declared.iter().any(|(name, _)| name == "xmlns:xsi");
        let said = known || (own && self.mapping.names == Names::Keep);
        if !said && needs_xsi(value) {
            declared.push(("xmlns:xsi".to_owned(), XSI));
        }
        self.element(name, value, &declared)
    }

    fn element(&mut self, name: &str, value: &Value<'_>, declared: &[(String, &str)]) -> Read<()> {
        let before = self.scope.len();
        for (name, _) in declared {
            self.scope
                .extend(name.strip_prefix("xmlns:").map(str::to_owned));
        }
        let members = match value {
            Value::Object(members) => members.as_slice(),
            _ => &[],
        };
        let own = members
            .iter()
            .filter_map(|(name, _)| name.strip_prefix("@xmlns:"));
        self.scope.extend(own.map(str::to_owned));
        let tag = self.name(name)?;
        self.out.push(b'<');
        self.out.extend_from_slice(tag.as_bytes());
        for (name, uri) in declared {
            write::attribute(name, uri, self.out)?;
        }
        for (name, held) in members {
            if let Some(attribute) = name.strip_prefix('@') {
                self.attribute(attribute, held)
                    .map_err(|mismatch| mismatch.under(name))?;
            }
        }
        let nothing = match value {
            Value::Null => true,
            Value::Object(members) => members
                .iter()
                .any(|(name, held)| name == "#text" && *held == Value::Null),
            _ => false,
        };
        if nothing {
            write::attribute("xsi:nil", "true", self.out)?;
        }
        self.out.push(b'>');
        let begin = self.out.len();
        self.content(value)?;
        if self.out.len() == begin {
            self.out.pop();
            self.out.extend_from_slice(b"/>");
        } else {
            self.out.extend_from_slice(b"</");
            self.out.extend_from_slice(tag.as_bytes());
            self.out.push(b'>');
        }
        self.scope.truncate(before);
        Ok(())
    }

    fn content(&mut self, value: &Value<'_>) -> Read<()> {
        match value {
            Value::Object(members) => {
                for (name, held) in members.iter().filter(|(name, _)| !name.starts_with('@')) {
                    self.member(name, held)
                        .map_err(|mismatch| mismatch.under(name))?;
                }
                Ok(())
            }
            Value::Array(items) => {
                let item = &*self.mapping.item;
                for (at, held) in items.iter().enumerate() {
                    self.element(item, held, &[])
                        .map_err(|mismatch| mismatch.under(at))?;
                }
                Ok(())
            }
            scalar => self.text(scalar),
        }
    }

    fn member(&mut self, name: &str, value: &Value<'_>) -> Read<()> {
        match (name, value) {
            ("#text", Value::Object(_) | Value::Array(_)) => {
                Err(Mismatch::at(0, "text is expected"))
            }
            ("#text", text) => self.text(text),
            (name, Value::Array(items)) => {
                for (at, held) in items.iter().enumerate() {
                    self.element(name, held, &[])
                        .map_err(|mismatch| mismatch.under(at))?;
                }
                Ok(())
            }
            (name, value) => self.element(name, value, &[]),
        }
    }

    fn attribute(&mut self, name: &str, value: &Value<'_>) -> Read<()> {
        let Some(text) = scalar(value) else {
            return Err(Mismatch::at(0, "an attribute holds a text"));
        };
        let declares = name == "xmlns" || name.starts_with("xmlns:");
        if declares && self.mapping.names != Names::Keep {
            return Err(Mismatch::at(0, "namespaces are not declared here"));
        }
        if name == "xsi:nil" {
            return Err(Mismatch::at(0, "`null` says that"));
        }
        let reserved = matches!(name, "xmlns:xml" | "xmlns:xmlns");
        let others = text == XML || text == XMLNS;
        if declares && (reserved || others || (text.is_empty() && name != "xmlns")) {
            return Err(Mismatch::at(0, "this prefix can't be declared so"));
        }
        let written = match declares {
            true if name::is_qualified(name) => Cow::Borrowed(name),
            true => return Err(Mismatch::at(0, "this is not a prefix")),
            false => self.name(name)?,
        };
        write::attribute(&written, text, self.out)
    }

    /// The name of an element or an attribute as XML has it.
    fn name<'n>(&self, name: &'n str) -> Read<Cow<'n, str>> {
        if let Some((prefix, local)) = name.split_once(':')
            && self.knows(prefix)
            && name::is_name(prefix)
        {
            let encoded = name::encode(local).ok_or_else(nameless)?;
            return Ok(match encoded {
                Cow::Borrowed(_) => Cow::Borrowed(name),
                Cow::Owned(local) => Cow::Owned(format!("{prefix}:{local}")),
            });
        }
        name::encode(name).ok_or_else(nameless)
    }

    fn knows(&self, prefix: &str) -> bool {
        matches!(prefix, "xml") || self.scope.iter().any(|known| known == prefix)
    }

    fn text(&mut self, value: &Value<'_>) -> Read<()> {
        write::text(scalar(value).unwrap_or_default(), self.out)
    }
}

fn nameless() -> Box<Mismatch> {
    Mismatch::at(0, "a member has no name")
}

/// The text of what is neither an object nor an array.
fn scalar<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    match value {
        Value::Null => Some(""),
        Value::Bool(true) => Some("true"),
        Value::Bool(false) => Some("false"),
        Value::Number(text) => Some(text),
        Value::String(text) => Some(text),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether something in it is `null`, or says so itself.
fn needs_xsi(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(needs_xsi),
        Value::Object(members) => members
            .iter()
            .any(|(name, held)| name.starts_with("@xsi:") || needs_xsi(held)),
        _ => false,
    }
}
