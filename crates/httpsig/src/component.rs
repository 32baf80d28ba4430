//! Components of a message, and the lines that they give to the base (RFC 9421 §2).

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use sfv::{Dictionary, FieldType, Item, List, ListEntry, Parser};

use crate::Message;

/// Why a base can't be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The same component stands there twice (§2.5).
    Repeated(Box<str>),
    /// No such component can be taken of a request here.
    Unsupported(Box<str>),
    /// The message has none, or none that is unambiguous.
    Absent(Box<str>),
}

/// Fields of which `sf` and `key` know that they are dictionaries.
const DICTIONARIES: [&str; 9] = [
    "accept-signature",
    "content-digest",
    "priority",
    "repr-digest",
    "signature",
    "signature-input",
    "cdn-cache-control",
    "want-content-digest",
    "want-repr-digest",
];
const LISTS: [&str; 4] = [
    "accept-ch",
    "cache-status",
    "client-cert-chain",
    "proxy-status",
];
const ITEMS: [&str; 1] = ["client-cert"];

/// What is percent-encoded in a form (application/x-www-form-urlencoded percent-encode set).
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'*')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_');

/// The name of a component, if it is one.
pub(crate) fn name(item: &Item) -> Option<&str> {
    item.bare_item.as_string().map(|name| name.as_str())
}

/// A component's value.
pub(crate) fn value(item: &Item, message: &Message<'_>) -> Result<String, Unfit> {
    let name = name(item).unwrap_or_default();
    if let Some(derived) = name.strip_prefix('@') {
        return derived_value(derived, item, message);
    }
    // §2.1: names of fields are lower case.
    let known = HeaderName::from_bytes(name.as_bytes()).is_ok();
    if !known || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(unsupported(item));
    }
    let (mut structured, mut binary, mut member) = (false, false, None);
    for (key, value) in &item.params {
        match (key.as_str(), value.as_boolean(), value.as_string()) {
            ("sf", Some(true), _) => structured = true,
            ("bs", Some(true), _) => binary = true,
            ("key", _, Some(key)) => member = Some(key.as_str()),
            // `tr` needs what comes behind the content, `req` is for answers.
            _ => return Err(unsupported(item)),
        }
    }
    let absent = || Unfit::Absent(name.into());
    match (structured, binary, member) {
        (false, false, None) => message
            .combined(name)
            .map(|text| text.into_owned())
            .ok_or_else(absent),
        (false, true, None) => wrapped(name, message).ok_or_else(absent),
        (_, false, Some(key)) => {
            let text = message.combined(name).ok_or_else(absent)?;
            member_of(&text, key).ok_or_else(absent)
        }
        (true, false, None) => {
            let text = message.combined(name).ok_or_else(absent)?;
            let strict = if DICTIONARIES.contains(&name) {
                parsed::<Dictionary>(&text).and_then(|own| own.serialize())
            } else if LISTS.contains(&name) {
                parsed::<List>(&text).and_then(|own| own.serialize())
            } else if ITEMS.contains(&name) {
                parsed::<Item>(&text).map(|own| own.serialize())
            } else {
                return Err(unsupported(item));
            };
            strict.ok_or_else(absent)
        }
        // §2.1: `bs` goes with neither of them.
        _ => Err(unsupported(item)),
    }
}

fn derived_value(name: &str, item: &Item, message: &Message<'_>) -> Result<String, Unfit> {
    if name == "query-param" {
        return parameter(item, message);
    }
    if !item.params.is_empty() {
        return Err(unsupported(item));
    }
    let target = message.target;
    Ok(match name {
        "method" => message.method.as_str().to_owned(),
        "scheme" => message.scheme().to_owned(),
        "authority" => message.normal_authority(),
        "path" => message.path().to_owned(),
        "query" => format!("?{}", target.query().unwrap_or_default()),
        "request-target" => target.as_str().to_owned(),
        "target-uri" => {
            let query = target.query().map(|query| format!("?{query}"));
            format!(
                "{}://{}{}{}",
                message.scheme(),
                message.normal_authority(),
                message.path(),
                query.unwrap_or_default()
            )
        }
        _ => return Err(unsupported(item)),
    })
}

/// `@query-param` (§2.2.8): the one parameter of the name, decoded and encoded again.
fn parameter(item: &Item, message: &Message<'_>) -> Result<String, Unfit> {
    let mut params = item.params.iter();
    let name = match (params.next(), params.next()) {
        (Some((key, value)), None) if key.as_str() == "name" => value.as_string(),
        _ => None,
    };
    let name = name.ok_or_else(|| unsupported(item))?;
    let query = message.target.query().unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut found = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(own, _)| encoded_again(own) == name.as_str());
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Ok(encoded_again(value)),
        // "MUST NOT be included" where there are several.
        _ => Err(Unfit::Absent("@query-param".into())),
    }
}

fn encoded_again(text: &str) -> String {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8_lossy();
    utf8_percent_encode(&decoded, FORM).to_string()
}

/// Each field by itself as a byte sequence (§2.1.3).
fn wrapped(name: &str, message: &Message<'_>) -> Option<String> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let all = message.headers.get_all(name).iter();
    let all: Vec<String> = all
        .map(|value| {
            let bytes = value.as_bytes().trim_ascii();
            format!(":{}:", STANDARD.encode(bytes))
        })
        .collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// One member of a dictionary, as strictly as it can be written (§2.1.2).
fn member_of(text: &str, key: &str) -> Option<String> {
    let mut dictionary = parsed::<Dictionary>(text)?;
    let member = dictionary.swap_remove(key)?;
    vec![member].serialize()
}

pub(crate) fn parsed<T: FieldType>(text: &str) -> Option<T> {
    Parser::new(text).parse::<T>().ok()
}

/// An identifier as it stands in the base: the name, and its parameters (§2.5).
pub(crate) fn identifier(item: &Item) -> String {
    item.serialize()
}

/// An inner list as one member.
pub(crate) fn list_text(list: &sfv::InnerList) -> Option<String> {
    vec![ListEntry::InnerList(list.clone())].serialize()
}

fn unsupported(item: &Item) -> Unfit {
    Unfit::Unsupported(identifier(item).into())
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeated(name) => write!(f, "{name} is covered twice"),
            Self::Unsupported(name) => write!(f, "{name} can't be covered"),
            Self::Absent(name) => write!(f, "{name} is covered and not there"),
        }
    }
}
