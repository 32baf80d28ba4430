//! JSON text (RFC 8259), read value by value where it lies.

use std::borrow::Cow;

use super::{
    mismatch::{Mismatch, Read},
    scan,
};

/// How deep values may lie in each other: what protobuf's own implementations allow.
pub const MAX_DEPTH: u32 = 100;

/// A place in a JSON text.
#[derive(Clone)]
pub struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// At the beginning of a text.
    pub const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Byte offset within the text.
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// The byte at the place, and none after the last.
    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The text from the place on.
    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Goes on to where a rest of the text begins.
    #[inline]
    fn go_to(&mut self, rest: &[u8]) {
        self.at = self.text.len() - rest.len();
    }

    /// The byte that the next value begins with.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        let rest = scan::blank(self.rest());
        self.go_to(rest);
        rest.first().copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// That nothing follows but white space.
    ///
    /// # Errors
    /// Something does.
    pub fn end(&mut self) -> Read<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end")),
        }
    }

    /// What is wrong at the place.
    pub fn error(&self, detail: impl Into<Cow<'static, str>>) -> Box<Mismatch> {
        Mismatch::at(self.at, detail)
    }

    /// That something else was expected.
    pub fn unexpected(&mut self, expected: &str) -> Box<Mismatch> {
        let found = match self.peek() {
            None => "the text ends",
            Some(b'{') => "an object is there",
            Some(b'[') => "an array is there",
            Some(b'"') => "a string is there",
            Some(b'-' | b'0'..=b'9') => "a number is there",
            Some(b't' | b'f') => "a boolean is there",
            Some(b'n') => "null is there",
            Some(_) => "something else is there",
        };
        self.error(format!("{expected} is expected, and {found}"))
    }

    /// `null`, if it is there.
    ///
    /// # Errors
    /// Something else is there that begins as `null` does.
    pub fn null(&mut self) -> Read<bool> {
        if self.peek() == Some(b'n') {
            self.word("null")?;
            return Ok(true);
        }
        Ok(false)
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// Something else is there.
    pub fn boolean(&mut self) -> Read<bool> {
        match self.peek() {
            Some(b't') => self.word("true").map(|()| true),
            Some(b'f') => self.word("false").map(|()| false),
            _ => Err(self.unexpected("a boolean")),
        }
    }

    fn word(&mut self, word: &str) -> Read<()> {
        if self.rest().starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.error("this is not JSON"))
    }

    /// The text of a number, as RFC 8259 §6 has it.
    ///
    /// # Errors
    /// None is there.
    pub fn number(&mut self) -> Read<&'a str> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(self.unexpected("a number"));
        }
        let number = scan::number(self.rest());
        let (length, _) = number.ok_or_else(|| self.error("this is not a number"))?;
        let from = self.at;
        self.at += length;
        Ok(self.text.get(from..self.at).unwrap_or_default())
    }

    /// A string, borrowed where nothing in it is escaped.
    ///
    /// # Errors
    /// None is there, or one that is not as RFC 8259 §7 has it.
    pub fn string(&mut self) -> Read<Cow<'a, str>> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a string"));
        }
        self.at += 1;
        let run = self.run()?;
        if self.byte() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(run));
        }
        let mut owned = run.to_owned();
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(owned));
                }
                // A run ends only there.
                _ => {
                    self.at += 1;
                    owned.push(self.escape()?);
                    owned.push_str(self.run()?);
                }
            }
        }
    }

    /// Characters up to a quotation mark or an escape.
    fn run(&mut self) -> Read<&'a str> {
        let from = self.at;
        let rest = scan::unquoted(self.rest());
        self.go_to(rest);
        match rest {
            [b'"' | b'\\', ..] => Ok(self.text.get(from..self.at).unwrap_or_default()),
            [_, ..] => Err(self.error("a control character is not escaped")),
            [] => Err(self.error("the text ends within a string")),
        }
    }

    fn escape(&mut self) -> Read<char> {
        let byte = self.byte();
        self.at += 1;
        Ok(match byte {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.error("there is no such escape")),
        })
    }

    /// What follows `\u`: a character, or the first half of a pair of surrogates.
    fn unicode(&mut self) -> Read<char> {
        let unit = self.hex()?;
        let code = match unit {
            0xd800..0xdc00 => {
                if !self.rest().starts_with(b"\\u") {
                    return Err(self.error("half of a pair of surrogates is missing"));
                }
                self.at += 2;
                let second = self.hex()?;
                if !(0xdc00..0xe000).contains(&second) {
                    return Err(self.error("half of a pair of surrogates is missing"));
                }
                0x10000 + ((unit - 0xd800) << 10) + (second - 0xdc00)
            }
            unit => unit,
        };
        char::from_u32(code).ok_or_else(|| self.error("half of a pair of surrogates is missing"))
    }

    fn hex(&mut self) -> Read<u32> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.error("`\\u` takes four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }

    /// An object: `member` reads the value of each name.
    ///
    /// # Errors
    /// None is there, or `member` fails.
    pub fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Read<()>,
    ) -> Read<()> {
        if !self.take(b'{') {
            return Err(self.unexpected("an object"));
        }
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let name = self.string()?;
            if !self.take(b':') {
                return Err(self.unexpected("a colon"));
            }
            member(self, name)?;
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.unexpected("a comma or the end of the object"));
            }
        }
    }

    /// The string that the first member of an object holds, if that member has this name. Reads up
    /// to its end if so; otherwise nothing is read.
    ///
    /// # Errors
    /// It holds something else.
    pub fn leading_member(&mut self, name: &str) -> Read<Option<Cow<'a, str>>> {
        let begin = self.at;
        if self.take(b'{') && self.peek() == Some(b'"') && self.string()? == name && self.take(b':')
        {
            let value = self.string();
            return value.map(Some).map_err(|mismatch| mismatch.under(name));
        }
        self.at = begin;
        Ok(None)
    }

    /// An array: `element` reads each value.
    ///
    /// # Errors
    /// None is there, or `element` fails.
    pub fn array(&mut self, mut element: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        if !self.take(b'[') {
            return Err(self.unexpected("an array"));
        }
        if self.take(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.unexpected("a comma or the end of the array"));
            }
        }
    }

    /// Reads over a value, whatever it is.
    ///
    /// # Errors
    /// It is no JSON, or too deep.
    pub fn skip(&mut self, depth: u32) -> Read<()> {
        if depth > MAX_DEPTH {
            return Err(self.too_deep());
        }
        match self.peek() {
            Some(b'{') => self.object(|lexer, _| lexer.skip(depth + 1)),
            Some(b'[') => self.array(|lexer| lexer.skip(depth + 1)),
            Some(b'"') => self.string().map(drop),
            Some(b't' | b'f') => self.boolean().map(drop),
            Some(b'n') => self.word("null"),
            _ => self.number().map(drop),
        }
    }

    /// That values lie too deep in each other.
    pub fn too_deep(&self) -> Box<Mismatch> {
        self.error(format!(
            "values lie more than {MAX_DEPTH} deep in each other"
        ))
    }
}
