//! JSON values: members in their order, numbers as they are written.

use std::{borrow::Cow, collections::HashSet};

use lintel_kernel::json::{Lexer, Mismatch, Read};

/// Up to how many members are compared one by one.
const FEW: usize = 16;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Self>),
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl<'a> Value<'a> {
    /// Reads a text that is one value, at most `depth` deep.
    pub(crate) fn read(text: &'a str, depth: u32) -> Read<Self> {
        let mut lexer = Lexer::new(text);
        let value = value(&mut lexer, depth)?;
        lexer.end()?;
        Ok(value)
    }
}

fn value<'a>(lexer: &mut Lexer<'a>, depth: u32) -> Read<Value<'a>> {
    let deeper = |lexer: &Lexer<'a>| {
        let detail = "values lie too deep in each other";
        depth.checked_sub(1).ok_or_else(|| lexer.error(detail))
    };
    Ok(match lexer.peek() {
        Some(b'{') => {
            let depth = deeper(lexer)?;
            let mut members = Vec::new();
            lexer.object(|lexer, name| {
                let held = value(lexer, depth).map_err(|mismatch| mismatch.under(&name))?;
                members.push((name, held));
                Ok(())
            })?;
            if let Some(name) = twice(&members) {
                return Err(Mismatch::at(lexer.offset(), "this member is there twice").under(name));
            }
            Value::Object(members)
        }
        Some(b'[') => {
            let depth = deeper(lexer)?;
            let mut elements = Vec::new();
            lexer.array(|lexer| {
                let element = value(lexer, depth);
                let at = elements.len();
                elements.push(element.map_err(|mismatch| mismatch.under(at))?);
                Ok(())
            })?;
            Value::Array(elements)
        }
        Some(b'"') => Value::String(lexer.string()?),
        Some(b't' | b'f') => Value::Bool(lexer.boolean()?),
        Some(b'n') => {
            lexer.null()?;
            Value::Null
        }
        Some(b'-' | b'0'..=b'9') => Value::Number(lexer.number()?),
        _ => return Err(lexer.unexpected("a value")),
    })
}

/// A name that several members have: which of them counted would be anybody's guess.
fn twice<'m>(members: &'m [(Cow<'_, str>, Value<'_>)]) -> Option<&'m str> {
    if members.len() > FEW {
        let mut seen = HashSet::with_capacity(members.len());
        let mut names = members.iter().map(|(name, _)| &**name);
        return names.find(|name| !seen.insert(*name));
    }
    let mut rest = members;
    while let Some(((name, _), others)) = rest.split_first() {
        if others.iter().any(|(other, _)| other == name) {
            return Some(name);
        }
        rest = others;
    }
    None
}
