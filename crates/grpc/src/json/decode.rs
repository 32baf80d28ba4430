//! Message → JSON: the wire format is read and ProtoJSON written, without a tree between.

use lintel_kernel::json::MAX_DEPTH;
use smallvec::SmallVec;

use super::scalar::{self, Value};
use crate::{
    schema::{Field, Form, Kind, Label, Message, MessageId, Schema},
    wire::{Fields, Garbled, Raw},
};

/// How messages are written as JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Fields that have their default value, and repeated ones without a value, are written too.
    pub defaults: bool,
    /// Fields are called as in the `.proto` file.
    pub proto_names: bool,
    /// Values of enums are written as numbers.
    pub enum_numbers: bool,
}

/// Why a message can't be written as JSON. For the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritable {
    /// The message type within which it happened.
    pub message: Box<str>,
    /// What is wrong.
    pub detail: &'static str,
}

impl std::fmt::Display for Unwritable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a message of type {}: {}", self.message, self.detail)
    }
}

impl std::error::Error for Unwritable {}

pub(crate) type Written = Result<(), Box<Unwritable>>;

/// Writes messages of a schema as JSON.
#[derive(Clone, Copy)]
pub(crate) struct Decoder<'s> {
    pub(crate) schema: &'s Schema,
    pub(crate) style: Style,
    /// `Any` of a type that is not known is written with its bytes, and is no error.
    pub(crate) opaque: bool,
}

/// The fields of a message, as they came: the place of each in its type, and its value.
type Found<'a> = SmallVec<[(usize, Raw<'a>); 12]>;

/// A field of a message and what came for it.
struct Values<'a> {
    message: &'a Message,
    field: &'a Field,
    values: &'a [(usize, Raw<'a>)],
    depth: u32,
}

pub(crate) fn unwritable(message: &Message, detail: &'static str) -> Box<Unwritable> {
    Box::new(Unwritable {
        message: message.name.clone(),
        detail,
    })
}

const GARBLED: &str = "the bytes are not a message of this type";

impl<'s> Decoder<'s> {
    pub(crate) const fn new(schema: &'s Schema, style: Style) -> Self {
        Self {
            schema,
            style,
            opaque: false,
        }
    }

    /// The same, with the bytes of an `Any` of a type that is not known.
    pub(crate) const fn opaque(self) -> Self {
        Self {
            opaque: true,
            ..self
        }
    }

    pub(crate) fn message(
        self,
        id: MessageId,
        bytes: &[u8],
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Written {
        let message = self.schema.message(id);
        if depth > MAX_DEPTH {
            return Err(unwritable(message, "messages lie too deep in each other"));
        }
        if message.form != Form::Plain {
            return self.well_known(message, bytes, depth, out);
        }
        out.push(b'{');
        self.members(message, bytes, depth, out)?;
        close(out, b'}');
        Ok(())
    }

    /// The members of an object, each with a comma after it.
    pub(crate) fn members(
        self,
        message: &Message,
        bytes: &[u8],
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Written {
        let found = found(message, bytes)?;
        let of = |field, values| Values {
            message,
            field,
            values,
            depth,
        };
        let mut rest = &*found;
        if !self.style.defaults {
            while let Some((at, _)) = rest.first() {
                let end = rest.partition_point(|(other, _)| other <= at);
                let (values, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                if let Some(field) = message.fields.get(*at) {
                    self.member(&of(field, values), out)?;
                }
                rest = after;
            }
            return Ok(());
        }
        for (at, field) in message.fields.iter().enumerate() {
            let end = rest.partition_point(|(other, _)| *other <= at);
            let (values, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = after;
            if !values.is_empty() {
                self.member(&of(field, values), out)?;
            } else if !field.presence {
                self.absent(field, out);
                out.push(b',');
            }
        }
        Ok(())
    }

    /// A field that is not there, by its default.
    fn absent(self, field: &Field, out: &mut Vec<u8>) {
        self.name(field, out);
        self.default(field, out);
    }

    fn default(self, field: &Field, out: &mut Vec<u8>) {
        match field.label {
            Label::Repeated { .. } => out.extend_from_slice(b"[]"),
            Label::Map => out.extend_from_slice(b"{}"),
            Label::Singular => {
                self.scalar(field.kind, scalar::default(field.kind, self.schema), out);
            }
        }
    }

    fn name(self, field: &Field, out: &mut Vec<u8>) {
        let name = if self.style.proto_names {
            &field.name
        } else {
            &field.json
        };
        // A name in JSON may be any text (`json_name`).
        scalar::write(Value::Text(name), out);
        out.push(b':');
    }

    fn member(self, of: &Values<'_>, out: &mut Vec<u8>) -> Written {
        let begin = out.len();
        self.name(of.field, out);
        let named = out.len();
        self.held(of, out)?;
        let says_nothing = match of.field.label {
            // A default that was sent all the same says nothing without presence.
            Label::Singular => !of.field.presence && self.is_default(of.field, of.values),
            Label::Repeated { .. } | Label::Map => out.len() == named + 2,
        };
        if says_nothing && !self.style.defaults {
            out.truncate(begin);
            return Ok(());
        }
        out.push(b',');
        Ok(())
    }

    /// What a field holds.
    fn held(self, of: &Values<'_>, out: &mut Vec<u8>) -> Written {
        match of.field.label {
            Label::Singular => self.singular(of, out),
            Label::Repeated { .. } => {
                out.push(b'[');
                for (_, raw) in of.values {
                    self.elements(of.message, of.field.kind, *raw, of.depth, out)?;
                }
                close(out, b']');
                Ok(())
            }
            Label::Map => self.map(of, out),
        }
    }

    /// One field of a message, whether it is there or not: a message that is not there is `null`.
    pub(crate) fn only(
        self,
        id: MessageId,
        place: usize,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Written {
        let message = self.schema.message(id);
        let Some(field) = message.fields.get(place) else {
            return Err(unwritable(message, "there is no such field"));
        };
        let mut found = found(message, bytes)?;
        found.retain(|(at, _)| *at == place);
        match (found.is_empty(), field.label, field.kind) {
            (true, Label::Singular, Kind::Message(_) | Kind::Group(_)) => {
                out.extend_from_slice(b"null");
                Ok(())
            }
            (true, ..) => {
                self.default(field, out);
                Ok(())
            }
            (false, ..) => {
                let of = Values {
                    message,
                    field,
                    values: &found,
                    depth: 0,
                };
                self.held(&of, out)
            }
        }
    }

    fn is_default(self, field: &Field, values: &[(usize, Raw<'_>)]) -> bool {
        let last = values.last().map(|(_, raw)| *raw);
        match (field.kind, last) {
            (Kind::Message(_) | Kind::Group(_), _) | (_, None) => false,
            // An integer that is 0 however long it is written; -0.0 is no default.
            (_, Some(Raw::Fixed64(value))) => value == 0,
            (_, Some(Raw::Fixed32(value))) => value == 0,
            (kind, Some(raw)) => {
                scalar::decode(kind, raw) == Ok(scalar::default(kind, self.schema))
            }
        }
    }

    /// The last value; of messages, all of them merged.
    fn singular(self, of: &Values<'_>, out: &mut Vec<u8>) -> Written {
        let (message, kind) = (of.message, of.field.kind);
        let Some((_, last)) = of.values.last() else {
            return Ok(());
        };
        let is_message = matches!(kind, Kind::Message(_) | Kind::Group(_));
        if of.values.len() == 1 || !is_message {
            return self.value(message, kind, *last, of.depth, out);
        }
        // To merge messages is to read them one after the other.
        let mut merged = Vec::new();
        for (_, raw) in of.values {
            match raw {
                Raw::Bytes(bytes) | Raw::Group(bytes) => merged.extend_from_slice(bytes),
                _ => return Err(unwritable(message, GARBLED)),
            }
        }
        let merged = match kind {
            Kind::Group(_) => Raw::Group(&merged),
            _ => Raw::Bytes(&merged),
        };
        self.value(message, kind, merged, of.depth, out)
    }

    /// The values that one field on the wire holds, each with a comma after it.
    fn elements(
        self,
        message: &Message,
        kind: Kind,
        raw: Raw<'_>,
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Written {
        if let (true, Raw::Bytes(bytes)) = (kind.packable(), raw) {
            let mut packed = Fields(bytes);
            while !packed.0.is_empty() {
                let raw = scalar::unpack(kind, &mut packed);
                let raw = raw.map_err(|Garbled| unwritable(message, GARBLED))?;
                self.value(message, kind, raw, depth, out)?;
                out.push(b',');
            }
            return Ok(());
        }
        self.value(message, kind, raw, depth, out)?;
        out.push(b',');
        Ok(())
    }

    pub(crate) fn value(
        self,
        message: &Message,
        kind: Kind,
        raw: Raw<'_>,
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Written {
        match (kind, raw) {
            (Kind::Message(id), Raw::Bytes(bytes)) | (Kind::Group(id), Raw::Group(bytes)) => {
                self.message(id, bytes, depth + 1, out)
            }
            (kind, raw) => {
                let value = scalar::decode(kind, raw);
                let value = value.map_err(|Garbled| unwritable(message, GARBLED))?;
                self.scalar(kind, value, out);
                Ok(())
            }
        }
    }

    fn scalar(self, kind: Kind, value: Value<'_>, out: &mut Vec<u8>) {
        if let (Kind::Enum(id), Value::Enum(number)) = (kind, value) {
            let enumeration = self.schema.enumeration(id);
            if enumeration.null {
                out.extend_from_slice(b"null");
                return;
            }
            let name = enumeration.name(number);
            if let Some(name) = name.filter(|_| !self.style.enum_numbers) {
                // Names of values are identifiers.
                let _ = scalar::quoted(name, out);
                return;
            }
        }
        scalar::write(value, out);
    }

    fn map(self, of: &Values<'_>, out: &mut Vec<u8>) -> Written {
        let message = of.message;
        let Kind::Message(entry) = of.field.kind else {
            return Err(unwritable(message, GARBLED));
        };
        let entry = self.schema.message(entry);
        let (Some((_, key)), Some((_, value))) = (entry.numbered(1), entry.numbered(2)) else {
            return Err(unwritable(message, GARBLED));
        };
        let mut entries = Vec::with_capacity(of.values.len());
        for (_, raw) in of.values {
            let Raw::Bytes(bytes) = raw else {
                return Err(unwritable(message, GARBLED));
            };
            let found = found(entry, bytes)?;
            let mut name = Vec::new();
            self.key(entry, key, &found, &mut name)?;
            entries.push((name, found));
        }
        let last = last_of_each(&entries);
        out.push(b'{');
        for ((name, found), _) in entries.iter().zip(last).filter(|(_, last)| *last) {
            out.extend_from_slice(name);
            out.push(b':');
            self.entry_value(entry, value, found, of.depth, out)?;
            out.push(b',');
        }
        close(out, b'}');
        Ok(())
    }

    fn key(self, entry: &Message, key: &Field, found: &Found<'_>, out: &mut Vec<u8>) -> Written {
        let raw = found.iter().rev().find(|(at, _)| *at == 0);
        let value = match raw {
            Some((_, raw)) => {
                scalar::decode(key.kind, *raw).map_err(|Garbled| unwritable(entry, GARBLED))?
            }
            None => scalar::default(key.kind, self.schema),
        };
        let is_quoted = matches!(
            value,
            Value::Text(_) | Value::Long(_) | Value::UnsignedLong(_)
        );
        if is_quoted {
            scalar::write(value, out);
        } else {
            out.push(b'"');
            scalar::write(value, out);
            out.push(b'"');
        }
        Ok(())
    }

    fn entry_value(
        self,
        entry: &Message,
        value: &Field,
        found: &Found<'_>,
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Written {
        let begin = found.partition_point(|(at, _)| *at < 1);
        let values = found.get(begin..).unwrap_or_default();
        if !values.is_empty() {
            let of = Values {
                message: entry,
                field: value,
                values,
                depth,
            };
            return self.singular(&of, out);
        }
        match value.kind {
            Kind::Message(id) | Kind::Group(id) => self.message(id, &[], depth + 1, out),
            kind => {
                self.scalar(kind, scalar::default(kind, self.schema), out);
                Ok(())
            }
        }
    }
}

/// The member of a oneof that came last, and the place in the message from which on it alone came.
struct Chosen {
    oneof: u32,
    member: usize,
    since: usize,
}

/// Which entries are the last of their key: those count.
fn last_of_each(entries: &[(Vec<u8>, Found<'_>)]) -> Vec<bool> {
    let mut seen = std::collections::HashSet::new();
    let names = entries.iter().rev().map(|(name, _)| name);
    let mut last: Vec<bool> = names.map(|name| seen.insert(name)).collect();
    last.reverse();
    last
}

/// The fields of a message in the order of their declaration, values of one field in the order in
/// which they came. Of the members of a oneof, the last that came.
fn found<'a>(message: &Message, bytes: &'a [u8]) -> Result<Found<'a>, Box<Unwritable>> {
    let mut fields = Fields(bytes);
    let mut found: Found<'a> = SmallVec::new();
    let (mut sorted, mut changed) = (true, false);
    let mut chosen = SmallVec::<[Chosen; 4]>::new();
    loop {
        let field = fields.next();
        let Some((number, raw)) = field.map_err(|Garbled| unwritable(message, GARBLED))? else {
            break;
        };
        let Some((at, field)) = message.numbered(number) else {
            continue;
        };
        sorted &= found.last().is_none_or(|(last, _)| *last <= at);
        if let Some(oneof) = field.oneof {
            let now = Chosen {
                oneof,
                member: at,
                since: found.len(),
            };
            match chosen.iter_mut().find(|chosen| chosen.oneof == oneof) {
                Some(before) if before.member != at => {
                    *before = now;
                    changed = true;
                }
                Some(_) => {}
                None => chosen.push(now),
            }
        }
        found.push((at, raw));
    }
    if changed {
        let mut place = 0;
        found.retain(|(at, _)| {
            place += 1;
            let oneof = message.fields.get(*at).and_then(|field| field.oneof);
            let chosen = chosen.iter().find(|chosen| Some(chosen.oneof) == oneof);
            chosen.is_none_or(|chosen| chosen.member == *at && chosen.since < place)
        });
    }
    if !sorted {
        found.sort_by_key(|(at, _)| *at);
    }
    Ok(found)
}

/// Ends an object or array: the comma after its last value goes.
pub(crate) fn close(out: &mut Vec<u8>, end: u8) {
    match out.last_mut() {
        Some(last @ b',') => *last = end,
        _ => out.push(end),
    }
}
