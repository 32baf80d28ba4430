//! Protobuf's wire format (<https://protobuf.dev/programming-guides/encoding/>).

use crate::schema::Kind;

/// How deep groups may lie in each other.
const MAX_GROUPS: u32 = 100;

/// A value as it lies on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Raw<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
    /// Its fields, up to the tag that ends it.
    Group(&'a [u8]),
}

pub(crate) const VARINT: u32 = 0;
pub(crate) const FIXED64: u32 = 1;
pub(crate) const BYTES: u32 = 2;
const GROUP: u32 = 3;
const END_GROUP: u32 = 4;
pub(crate) const FIXED32: u32 = 5;

/// Reads the fields of a message one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

/// Bytes that are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

impl<'a> Fields<'a> {
    /// Number and value of the next field.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Raw<'a>)>, Garbled> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (number, wire) = self.tag()?;
        Ok(Some((number, self.value(number, wire, 0)?)))
    }

    fn tag(&mut self) -> Result<(u32, u32), Garbled> {
        let tag = u32::try_from(self.varint()?).map_err(|_| Garbled)?;
        match tag >> 3 {
            0 => Err(Garbled),
            number => Ok((number, tag & 7)),
        }
    }

    fn value(&mut self, number: u32, wire: u32, depth: u32) -> Result<Raw<'a>, Garbled> {
        Ok(match wire {
            VARINT => Raw::Varint(self.varint()?),
            FIXED64 => Raw::Fixed64(u64::from_le_bytes(self.array()?)),
            FIXED32 => Raw::Fixed32(u32::from_le_bytes(self.array()?)),
            BYTES => {
                let length = usize::try_from(self.varint()?).map_err(|_| Garbled)?;
                Raw::Bytes(self.take(length)?)
            }
            GROUP if depth < MAX_GROUPS => {
                let whole = self.0;
                loop {
                    let before = self.0;
                    let (inner, wire) = self.tag()?;
                    if wire != END_GROUP {
                        self.value(inner, wire, depth + 1)?;
                    } else if inner == number {
                        let length = whole.len() - before.len();
                        return Ok(Raw::Group(whole.get(..length).ok_or(Garbled)?));
                    } else {
                        return Err(Garbled);
                    }
                }
            }
            _ => return Err(Garbled),
        })
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Garbled> {
        let mut value = 0_u64;
        for (at, byte) in self.0.iter().take(10).enumerate() {
            // The tenth byte holds the last bit.
            if at == 9 && *byte > 1 {
                return Err(Garbled);
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = self.0.get(at + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(Garbled)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Garbled> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Garbled)?;
        self.0 = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Garbled> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Garbled)?;
        self.0 = rest;
        Ok(taken)
    }
}

impl Kind {
    /// How a value of this kind is written.
    pub(crate) const fn wire(self) -> u32 {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => FIXED64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => FIXED32,
            Self::String | Self::Bytes | Self::Message(_) => BYTES,
            Self::Group(_) => GROUP,
            _ => VARINT,
        }
    }

    /// Whether values of this kind may follow each other without tags.
    pub(crate) const fn packable(self) -> bool {
        !matches!(self.wire(), BYTES | GROUP)
    }
}

pub(crate) fn tag(out: &mut Vec<u8>, number: u32, wire: u32) {
    varint(out, u64::from(number << 3 | wire));
}

pub(crate) fn end_group(out: &mut Vec<u8>, number: u32) {
    tag(out, number, END_GROUP);
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[expect(clippy::cast_sign_loss, reason = "the bits are what is written")]
pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[expect(clippy::cast_possible_wrap, reason = "the bits are what is read")]
pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

pub(crate) fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// What `write` writes, with its length before it.
pub(crate) fn delimited<E>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    // Most are shorter than 128 bytes: their length takes one byte, which is kept free.
    let at = out.len();
    out.push(0);
    write(out)?;
    let length = out.len() - at - 1;
    let mut prefix = Vec::new();
    if let (Ok(short @ 0..0x80), Some(byte)) = (u8::try_from(length), out.get_mut(at)) {
        *byte = short;
    } else {
        varint(&mut prefix, length as u64);
        out.splice(at..=at, prefix);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn varints_round_trip(value: u64, signed: i64) {
            let mut out = Vec::new();
            varint(&mut out, value);
            prop_assert_eq!(Fields(&out).varint(), Ok(value));
            prop_assert_eq!(unzigzag(zigzag(signed)), signed);
        }

        #[test]
        fn lengths_round_trip(size in 0..20_000_usize) {
            let mut out = vec![7];
            delimited(&mut out, |out| { out.resize(out.len() + size, 1); Ok::<(), ()>(()) }).unwrap();
            let mut fields = Fields(&out[1..]);
            prop_assert_eq!(fields.varint(), Ok(size as u64));
            prop_assert_eq!(fields.0.len(), size);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut fields = Fields(&bytes);
            while let Ok(Some(_)) = fields.next() {}
        }
    }

    #[test]
    fn groups_end_where_they_should() {
        let mut fields = Fields(&[0x0b, 0x10, 0x01, 0x0c, 0x18, 0x05]);
        assert_eq!(fields.next(), Ok(Some((1, Raw::Group(&[0x10, 0x01])))));
        assert_eq!(fields.next(), Ok(Some((3, Raw::Varint(5)))));
        assert_eq!(Fields(&[0x0b, 0x14]).next(), Err(Garbled));
        assert_eq!(Fields(&vec![0x0b; 100_000]).next(), Err(Garbled));
    }
}
