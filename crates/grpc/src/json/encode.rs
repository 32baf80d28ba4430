//! JSON → message: ProtoJSON is read and the wire format written in one go, without a tree between.

use lintel_kernel::json::{Lexer, MAX_DEPTH, Mismatch, Read};
use smallvec::SmallVec;

use super::scalar;
use crate::{
    schema::{Field, Form, Kind, Label, Message, MessageId, Schema},
    wire,
};

/// What becomes of names that a message does not have, and of names that an enum does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unknown {
    /// The text does not fit.
    #[default]
    Refuse,
    /// They are left out.
    Ignore,
}

/// Reads JSON into messages of a schema.
#[derive(Clone, Copy)]
pub(crate) struct Encoder<'s> {
    pub(crate) schema: &'s Schema,
    pub(crate) unknown: Unknown,
    /// Values of type `Any` around this one that do not begin with their type.
    pub(crate) late: u32,
}

/// Which of some things have been seen.
#[derive(Default)]
struct Seen(SmallVec<[u64; 2]>);

impl Seen {
    /// Whether it is the first time.
    fn first(&mut self, at: usize) -> bool {
        let (word, bit) = (at / 64, 1 << (at % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        match self.0.get_mut(word) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }
}

/// The members of an object that have been read.
#[derive(Default)]
struct Members {
    fields: Seen,
    oneofs: Seen,
}

impl Encoder<'_> {
    /// Writes the fields of a message of type `id`, read from JSON.
    pub(crate) fn message(
        self,
        id: MessageId,
        lexer: &mut Lexer<'_>,
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        if depth > MAX_DEPTH {
            return Err(lexer.too_deep());
        }
        let message = self.schema.message(id);
        if message.form == Form::Plain {
            return self.plain(message, None, lexer, depth, out);
        }
        self.well_known(message, lexer, depth, out)
    }

    /// An object whose members are fields. The member `except` is passed over.
    pub(crate) fn plain(
        self,
        message: &Message,
        except: Option<&str>,
        lexer: &mut Lexer<'_>,
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        let mut members = Members::default();
        lexer.object(|lexer, name| {
            if except.is_some_and(|except| name == except) {
                if !members.fields.first(message.fields.len()) {
                    return Err(lexer.error("the field is there twice").under(name));
                }
                return lexer.skip(depth);
            }
            let Some((at, field)) = message.field(&name) else {
                return match self.unknown {
                    Unknown::Ignore => lexer.skip(depth),
                    Unknown::Refuse => Err(lexer
                        .error(format!("there is no such field in `{}`", message.name))
                        .under(name)),
                };
            };
            if !members.fields.first(at) {
                return Err(lexer.error("the field is there twice").under(name));
            }
            self.member(field, &mut members, lexer, depth, out)
                .map_err(|mismatch| mismatch.under(name))
        })
    }

    fn member(
        self,
        field: &Field,
        members: &mut Members,
        lexer: &mut Lexer<'_>,
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        // Null is as good as not there, but where it is a value.
        if !self.takes_null(field) && lexer.null()? {
            return Ok(());
        }
        if let Some(oneof) = field.oneof
            && !members.oneofs.first(oneof as usize)
        {
            return Err(lexer.error("another field of the same oneof is there already"));
        }
        self.field(field, lexer, depth, out)
    }

    /// Writes a field with its tag, or nothing where its value says nothing.
    pub(crate) fn field(
        self,
        field: &Field,
        lexer: &mut Lexer<'_>,
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        match field.label {
            Label::Singular => self.value(field, !field.presence, lexer, depth, out),
            Label::Repeated { packed } => self.repeated(field, packed, lexer, depth, out),
            Label::Map => self.map(field, lexer, depth, out),
        }
    }

    fn takes_null(self, field: &Field) -> bool {
        field.label == Label::Singular
            && match field.kind {
                Kind::Message(id) => self.schema.message(id).form == Form::Value,
                Kind::Enum(id) => self.schema.enumeration(id).null,
                _ => false,
            }
    }

    /// One value with its tag. Where `implicit`, the default is not written.
    fn value(
        self,
        field: &Field,
        implicit: bool,
        lexer: &mut Lexer<'_>,
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        let number = field.number;
        match field.kind {
            Kind::Message(id) => {
                wire::tag(out, number, wire::BYTES);
                wire::delimited(out, |out| self.message(id, lexer, depth + 1, out))
            }
            Kind::Group(id) => {
                wire::tag(out, number, field.kind.wire());
                self.message(id, lexer, depth + 1, out)?;
                wire::end_group(out, number);
                Ok(())
            }
            kind => {
                let scalar = match kind {
                    Kind::Enum(_) => self.enumeration(kind, lexer)?,
                    kind => Some(scalar::read(kind, lexer)?),
                };
                if let Some(scalar) = scalar
                    && !(implicit && scalar.is_default())
                {
                    wire::tag(out, number, kind.wire());
                    scalar.write(out);
                }
                Ok(())
            }
        }
    }

    fn repeated(
        self,
        field: &Field,
        packed: bool,
        lexer: &mut Lexer<'_>,
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Read<()> {
        let begin = out.len();
        let mut at = 0_usize;
        let element = |out: &mut Vec<u8>, lexer: &mut Lexer<'_>| {
            if packed {
                let scalar = match field.kind {
                    Kind::Enum(_) => self.enumeration(field.kind, lexer)?,
                    kind => Some(scalar::read(kind, lexer)?),
                };
                if let Some(scalar) = scalar {
                    scalar.write(out);
                }
                return Ok(());
            }
            self.value(field, false, lexer, depth, out)
        };
        let mut elements = |out: &mut Vec<u8>| {
            lexer.array(|lexer| {
                element(out, lexer).map_err(|mismatch| mismatch.under(at))?;
                at += 1;
                Ok(())
            })
        };
        if !packed {
            return elements(out);
        }
        wire::tag(out, field.number, wire::BYTES);
        let tagged = out.len();
        wire::delimited(out, elements)?;
        // No element: no field.
        if out.len() == tagged + 1 {
            out.truncate(begin);
        }
        Ok(())
    }

    fn map(self, field: &Field, lexer: &mut Lexer<'_>, depth: u32, out: &mut Vec<u8>) -> Read<()> {
        let Kind::Message(entry) = field.kind else {
            return Err(lexer.error("the map has no entries"));
        };
        let entry = self.schema.message(entry);
        let (Some((_, key)), Some((_, value))) = (entry.numbered(1), entry.numbered(2)) else {
            return Err(lexer.error("the map has no entries"));
        };
        let mut keys = std::collections::HashSet::new();
        lexer.object(|lexer, name| {
            let begin = out.len();
            let at = lexer.offset();
            let parsed = scalar::parse(key.kind, &name, at);
            let parsed = parsed.map_err(|mismatch| mismatch.under(&name))?;
            wire::tag(out, field.number, wire::BYTES);
            let mut written = 0;
            wire::delimited(out, |out| {
                wire::tag(out, 1, key.kind.wire());
                parsed.write(out);
                written = out.len();
                self.value(value, false, lexer, depth, out)?;
                written = out.len() - written;
                Ok(())
            })
            .map_err(|mismatch: Box<Mismatch>| mismatch.under(&name))?;
            if !keys.insert(name.clone()) {
                return Err(Mismatch::at(at, "the key is there twice").under(name));
            }
            // An enum name that is not known, and passed over.
            if written == 0 {
                out.truncate(begin);
            }
            Ok(())
        })
    }

    /// The number of an enum's value, unless its name is not known and passed over.
    fn enumeration(
        self,
        kind: Kind,
        lexer: &mut Lexer<'_>,
    ) -> Read<Option<scalar::Scalar<'static>>> {
        let Kind::Enum(id) = kind else {
            return Ok(None);
        };
        let enumeration = self.schema.enumeration(id);
        if enumeration.null && lexer.null()? {
            return Ok(Some(scalar::Scalar::Varint(0)));
        }
        match lexer.peek() {
            Some(b'"') => {
                let at = lexer.offset();
                let name = lexer.string()?;
                match (enumeration.number(&name), self.unknown) {
                    (Some(number), _) => Ok(Some(enum_number(number))),
                    (None, Unknown::Ignore) => Ok(None),
                    (None, Unknown::Refuse) => {
                        Err(Mismatch::at(at, "the enum has no value of this name"))
                    }
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                let at = lexer.offset();
                let number = super::number::signed(lexer.number()?, at, 32)?;
                Ok(Some(scalar::Scalar::Varint(bits(number))))
            }
            _ => Err(lexer.unexpected("the name of an enum's value")),
        }
    }
}

/// The value of an enum, as it is written.
pub(crate) fn enum_number(number: i32) -> scalar::Scalar<'static> {
    scalar::Scalar::Varint(bits(number.into()))
}

#[expect(clippy::cast_sign_loss, reason = "the bits are what is written")]
const fn bits(number: i64) -> u64 {
    number as u64
}
