//! JSON → the well-known types, whose JSON is not that of their fields.

use std::borrow::Cow;

use lintel_kernel::json::{Lexer, MAX_DEPTH, Mismatch, Read};

use super::{
    encode::{Encoder, Unknown},
    scalar, time,
};
use crate::{
    schema::{Form, Message},
    wire,
};

/// How many values of type `Any` that do not begin with `@type` may lie in each other: each is read
/// over once to find it.
const MAX_LATE: u32 = 4;

impl Encoder<'_> {
    pub(crate) fn well_known(
        self,
        message: &Message,
        lexer: &mut Lexer<'_>,
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        match message.form {
            Form::Plain => self.plain(message, None, lexer, depth, out),
            Form::Any => self.any(lexer, depth, out),
            Form::Timestamp | Form::Duration | Form::FieldMask => {
                lexer.peek();
                let at = lexer.offset();
                text(message.form, &lexer.string()?, at, out)
            }
            Form::Wrapper => match message.numbered(1) {
                Some((_, field)) => {
                    let value = scalar::read(field.kind, lexer)?;
                    if !value.is_default() {
                        wire::tag(out, 1, field.kind.wire());
                        value.write(out);
                    }
                    Ok(())
                }
                None => Err(lexer.error("the wrapper has no field")),
            },
            Form::Struct => structure(lexer, depth, out),
            Form::ListValue => list(lexer, depth, out),
            Form::Value => value(lexer, depth, out),
        }
    }

    /// `google.protobuf.Any`: the fields of the message that `@type` names, beside it.
    fn any(self, lexer: &mut Lexer<'_>, depth: u32, out: &mut Vec<u8>) -> Read<()> {
        let begin = lexer.clone();
        let (url, late) = match lexer.leading_member("@type")? {
            Some(url) => (url, 0),
            None if self.late == MAX_LATE => {
                return Err(lexer.error("`@type` is not the first member, too often within itself"));
            }
            None => match late_type(lexer, depth)? {
                Some(url) => (url, 1),
                None => return Ok(()),
            },
        };
        *lexer = begin;
        let inner = Self {
            late: self.late + late,
            ..self
        };
        let id = url
            .rsplit_once('/')
            .and_then(|(_, name)| self.schema.find(name));
        let Some(id) = id else {
            let detail = "no type of this name is known here";
            return Err(lexer.error(detail).under("@type"));
        };
        wire::tag(out, 1, wire::BYTES);
        wire::bytes(out, url.as_bytes());
        let message = self.schema.message(id);
        wire::tag(out, 2, wire::BYTES);
        wire::delimited(out, |out| {
            if message.form == Form::Plain && &*message.name != "google.protobuf.Empty" {
                return inner.plain(message, Some("@type"), lexer, depth + 1, out);
            }
            inner.wrapped(message, lexer, depth, out)
        })
    }

    /// A well-known type within `Any`: its JSON is the member `value`.
    fn wrapped(
        self,
        message: &Message,
        lexer: &mut Lexer<'_>,
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        let (mut named, mut found) = (false, false);
        lexer.object(|lexer, name| match &*name {
            "@type" if named => Err(lexer.error("the field is there twice").under(name)),
            "@type" => {
                named = true;
                lexer.skip(depth)
            }
            "value" if found => Err(lexer.error("the field is there twice").under(name)),
            "value" => {
                found = true;
                if depth + 1 > MAX_DEPTH {
                    return Err(lexer.too_deep());
                }
                self.well_known(message, lexer, depth + 1, out)
                    .map_err(|mismatch| mismatch.under(name))
            }
            _ if self.unknown == Unknown::Ignore => lexer.skip(depth),
            _ => Err(lexer.error("there is no such field").under(name)),
        })?;
        if found || &*message.name == "google.protobuf.Empty" {
            return Ok(());
        }
        Err(lexer.error("`value` is missing"))
    }
}

/// Looks for `@type` among all members; there is none only in an empty object, which is read over.
fn late_type<'a>(lexer: &mut Lexer<'a>, depth: u32) -> Read<Option<Cow<'a, str>>> {
    let (mut url, mut members) = (None, 0_usize);
    lexer.object(|lexer, name| {
        members += 1;
        if name == "@type" {
            url = Some(lexer.string().map_err(|mismatch| mismatch.under("@type"))?);
            return Ok(());
        }
        lexer.skip(depth)
    })?;
    if url.is_none() && members > 0 {
        return Err(lexer.error("`@type` is missing"));
    }
    Ok(url)
}

/// The types whose JSON is a string.
pub(crate) fn text(form: Form, text: &str, at: usize, out: &mut Vec<u8>) -> Read<()> {
    let parsed = match form {
        Form::Timestamp => {
            time::timestamp(text).ok_or("a time such as `2026-01-31T12:00:00Z` is expected")
        }
        Form::Duration => {
            time::duration(text).ok_or("a number of seconds such as `1.5s` is expected")
        }
        _ => return mask(text, at, out),
    };
    let (seconds, nanos) = parsed.map_err(|detail| Mismatch::at(at, detail))?;
    for (number, value) in [(1, seconds), (2, nanos.into())] {
        if value != 0 {
            wire::tag(out, number, wire::VARINT);
            wire::varint(out, signed(value));
        }
    }
    Ok(())
}

#[expect(clippy::cast_sign_loss, reason = "the bits are what is written")]
const fn signed(value: i64) -> u64 {
    value as u64
}

/// `google.protobuf.FieldMask`: paths in lowerCamelCase, with commas between them.
fn mask(text: &str, at: usize, out: &mut Vec<u8>) -> Read<()> {
    for path in text.split(',').filter(|path| !path.is_empty()) {
        let mut snake = String::with_capacity(path.len() + 4);
        for c in path.chars() {
            match c {
                'A'..='Z' => snake.extend(['_', c.to_ascii_lowercase()]),
                'a'..='z' | '0'..='9' | '.' => snake.push(c),
                _ => {
                    return Err(Mismatch::at(
                        at,
                        "a path is names such as `userName`, with dots",
                    ));
                }
            }
        }
        wire::tag(out, 1, wire::BYTES);
        wire::bytes(out, snake.as_bytes());
    }
    Ok(())
}

fn structure(lexer: &mut Lexer<'_>, depth: u32, out: &mut Vec<u8>) -> Read<()> {
    let mut names = std::collections::HashSet::new();
    lexer.object(|lexer, name| {
        if names.contains(&name) {
            return Err(lexer.error("the name is there twice").under(name));
        }
        wire::tag(out, 1, wire::BYTES);
        wire::delimited(out, |out| {
            wire::tag(out, 1, wire::BYTES);
            wire::bytes(out, name.as_bytes());
            wire::tag(out, 2, wire::BYTES);
            wire::delimited(out, |out| value(lexer, depth + 1, out))
        })
        .map_err(|mismatch: Box<Mismatch>| mismatch.under(&name))?;
        names.insert(name);
        Ok(())
    })
}

fn list(lexer: &mut Lexer<'_>, depth: u32, out: &mut Vec<u8>) -> Read<()> {
    let mut at = 0_usize;
    lexer.array(|lexer| {
        wire::tag(out, 1, wire::BYTES);
        wire::delimited(out, |out| value(lexer, depth + 1, out))
            .map_err(|mismatch: Box<Mismatch>| mismatch.under(at))?;
        at += 1;
        Ok(())
    })
}

/// `google.protobuf.Value`: any JSON.
fn value(lexer: &mut Lexer<'_>, depth: u32, out: &mut Vec<u8>) -> Read<()> {
    if depth > MAX_DEPTH {
        return Err(lexer.too_deep());
    }
    match lexer.peek() {
        Some(b'n') => {
            lexer.null()?;
            out.extend_from_slice(&[0x08, 0]);
        }
        Some(b't' | b'f') => {
            let value = lexer.boolean()?;
            out.extend_from_slice(&[0x20, u8::from(value)]);
        }
        Some(b'"') => {
            let text = lexer.string()?;
            wire::tag(out, 3, wire::BYTES);
            wire::bytes(out, text.as_bytes());
        }
        Some(b'{') => {
            wire::tag(out, 5, wire::BYTES);
            wire::delimited(out, |out| structure(lexer, depth, out))?;
        }
        Some(b'[') => {
            wire::tag(out, 6, wire::BYTES);
            wire::delimited(out, |out| list(lexer, depth, out))?;
        }
        _ => {
            let at = lexer.offset();
            let number = super::number::double(lexer.number()?, at)?;
            wire::tag(out, 2, wire::FIXED64);
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
    Ok(())
}
