//! What legs bring: JSON texts (RFC 8259), looked into where they lie.

use std::fmt;

use lintel_kernel::json::is_plain;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// The text of `null`.
pub const NULL: &[u8] = b"null";

/// Whether a text is one JSON value, nested no deeper than 127 levels.
///
/// # Errors
/// It is not; in words, without anything of the text.
pub fn check(text: &[u8]) -> Result<(), String> {
    if is_plain(text) {
        return Ok(());
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    Sound::deserialize(&mut reader)
        .and_then(|Sound| reader.end())
        .map_err(told)
}

/// What is wrong with a text that is no JSON. The messages of `serde_json` hold nothing of the text.
fn told(error: serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Eof if error.column() == 0 => "it is empty".to_owned(),
        _ => error.to_string(),
    }
}

/// What stands at a place in a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Member {
    /// This.
    There(Value),
    /// Nothing: the member, or one on the way, is absent or `null`.
    Absent,
    /// Nothing can: on the way is something that has no members.
    Unfit,
}

/// What stands at a place in the text of a JSON value. Of several members of one name the last
/// counts.
pub fn member(text: &[u8], path: &[String]) -> Member {
    let mut reader = serde_json::Deserializer::from_slice(text);
    Path(path).deserialize(&mut reader).unwrap_or(Member::Unfit)
}

/// A value of any kind, read and forgotten. Unlike [`IgnoredAny`] it is held to the depth that
/// `serde_json` allows, and its strings to UTF-8.
struct Sound;

impl<'de> Deserialize<'de> for Sound {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Sound {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// A way into a value.
struct Path<'p>(&'p [String]);

impl<'de> DeserializeSeed<'de> for Path<'_> {
    type Value = Member;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Member, D::Error> {
        match self.0.is_empty() {
            true => Value::deserialize(reader).map(Member::There),
            false => reader.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Path<'_> {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Member, E> {
        Ok(Member::Unfit)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Member, E> {
        Ok(Member::Unfit)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Member, E> {
        Ok(Member::Unfit)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Member, E> {
        Ok(Member::Unfit)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Member, E> {
        Ok(Member::Unfit)
    }

    fn visit_unit<E: Error>(self) -> Result<Member, E> {
        Ok(Member::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Member, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::Unfit)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Member, A::Error> {
        let mut found = Member::Absent;
        let Some((name, rest)) = self.0.split_first() else {
            return Ok(found);
        };
        while let Some(here) = members.next_key_seed(Named(name))? {
            if here {
                found = members.next_value_seed(Path(rest))?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a name is this one.
struct Named<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Named<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

/// The members of an object, each with its name as it is written between the quotation marks, and the
/// text of its value. The text must be sound JSON ([`check`]); of one that is no object there are none.
pub(crate) fn members(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = text.trim_ascii().strip_prefix(b"{").unwrap_or_default();
    std::iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        rest = rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start();
        let (name, after) = rest.split_at_checked(extent(rest))?;
        let name = name.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let after = after.trim_ascii_start().strip_prefix(b":")?;
        let after = after.trim_ascii_start();
        let (value, after) = after.split_at_checked(extent(after))?;
        rest = after;
        Some((name, value))
    })
}

/// How long the value is that a text begins with.
fn extent(text: &[u8]) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        if quoted {
            quoted = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            if !quoted && depth == 0 {
                return at + 1;
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}
