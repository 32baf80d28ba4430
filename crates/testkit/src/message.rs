//! HTTP/1 messages, read in the plainest way there is.

use std::io::{self, BufRead, ErrorKind, Read};

/// Header fields, in the order they came.
#[derive(Debug, Clone, Default)]
pub struct Fields(pub(crate) Vec<(String, String)>);

/// A request as an origin saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The target, query included.
    pub target: String,
    /// The header fields.
    pub fields: Fields,
    /// The body, framing removed.
    pub body: Vec<u8>,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

impl Fields {
    /// The first field of this name, whatever its case.
    pub fn first(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        let found = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Every field of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    fn chunked(&self) -> bool {
        self.first("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }

    fn length(&self) -> Option<usize> {
        self.first("content-length")?.parse().ok()
    }
}

impl Seen {
    /// The first field of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.fields.first(name)
    }
}

/// The start line and the fields; `None` when the peer closes before the first byte.
pub(crate) fn head(reader: &mut impl BufRead) -> io::Result<Option<(String, Fields)>> {
    let Some(start) = line(reader)? else {
        return Ok(None);
    };
    let mut fields = Fields::default();
    loop {
        let line = line(reader)?.ok_or(ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(Some((start, fields)));
        }
        let (name, value) = line.split_once(':').ok_or(ErrorKind::InvalidData)?;
        fields.0.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// A body by its framing. What has arrived is kept even when the message breaks off.
pub(crate) fn body(
    reader: &mut impl BufRead,
    fields: &Fields,
    until_close: bool,
    into: &mut Vec<u8>,
) -> io::Result<()> {
    if fields.chunked() {
        return chunks(reader, into);
    }
    match fields.length() {
        Some(length) => exactly(reader, length, into),
        None if until_close => reader.read_to_end(into).map(drop),
        None => Ok(()),
    }
}

fn chunks(reader: &mut impl BufRead, into: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let size = line(reader)?.ok_or(ErrorKind::UnexpectedEof)?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
        if size == 0 {
            while !line(reader)?.ok_or(ErrorKind::UnexpectedEof)?.is_empty() {}
            return Ok(());
        }
        exactly(reader, size, into)?;
        if line(reader)?.as_deref() != Some("") {
            return Err(ErrorKind::InvalidData.into());
        }
    }
}

fn exactly(reader: &mut impl BufRead, length: usize, into: &mut Vec<u8>) -> io::Result<()> {
    let wanted = into.len() + length;
    reader.take(length as u64).read_to_end(into)?;
    if into.len() == wanted {
        Ok(())
    } else {
        Err(ErrorKind::UnexpectedEof.into())
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(Some(String::from_utf8_lossy(line).into_owned())),
        None => Err(ErrorKind::UnexpectedEof.into()),
    }
}
