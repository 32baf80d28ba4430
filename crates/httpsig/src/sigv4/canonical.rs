//! The canonical request.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Request, SIGNATURE};
use crate::Message;

/// All but the unreserved characters (RFC 3986 §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What is signed of a request; `None` if a signed header is no text.
pub(super) fn request(signed: &Request, message: &Message<'_>, payload: &str) -> Option<String> {
    let s3 = &*signed.service == "s3";
    let mut text = format!(
        "{}\n{}\n{}\n",
        message.method,
        path(message.path(), s3),
        query(message, signed.lifetime.is_some())
    );
    for name in &signed.signed_headers {
        text.push_str(name);
        text.push(':');
        if &**name == "host" {
            text.push_str(message.authority);
        } else {
            text.push_str(&header(message, name)?);
        }
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&signed.signed_headers.join(";"));
    text.push('\n');
    text.push_str(payload);
    Some(text)
}

/// The path, without `.`, `..` and empty segments, and encoded once more. S3 takes it as it is.
fn path(path: &str, s3: bool) -> String {
    if s3 {
        return path.to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut text = String::with_capacity(path.len() + 8);
    for segment in &kept {
        text.push('/');
        text.extend(utf8_percent_encode(segment, RESERVED));
    }
    if kept.is_empty() || path.ends_with('/') {
        text.push('/');
    }
    text
}

/// The parameters, decoded and encoded again, sorted by name and value.
fn query(message: &Message<'_>, presigned: bool) -> String {
    let mut all: Vec<(String, String)> = pairs(message)
        .map(|(name, value)| (again(name), again(value)))
        .filter(|(name, _)| !(presigned && name == SIGNATURE))
        .collect();
    all.sort();
    let all: Vec<String> = all
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    all.join("&")
}

fn again(text: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    percent_encoding::percent_encode(&bytes, RESERVED).to_string()
}

fn pairs<'a>(message: &Message<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let query = message.target.query().unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// A parameter of the query: whether it is there, and its value if it is there once and is text.
pub(super) fn parameter(message: &Message<'_>, name: &str) -> Option<Option<String>> {
    let mut all = pairs(message).filter(|(own, _)| percent_decode_str(own).eq(name.bytes()));
    let (_, first) = all.next()?;
    let once = all.next().is_none();
    let value = percent_decode_str(first).decode_utf8().ok();
    Some(value.filter(|_| once).map(|value| value.into_owned()))
}

/// All fields of a name: each trimmed, runs of spaces as one, with commas between them.
fn header(message: &Message<'_>, name: &str) -> Option<String> {
    let mut text = String::new();
    let mut all = message.headers.get_all(name).iter().peekable();
    all.peek()?;
    for (at, value) in all.enumerate() {
        if at > 0 {
            text.push(',');
        }
        let mut words = value
            .to_str()
            .ok()?
            .split(' ')
            .filter(|word| !word.is_empty());
        text.push_str(words.next().unwrap_or_default());
        for word in words {
            text.push(' ');
            text.push_str(word);
        }
    }
    Some(text)
}
