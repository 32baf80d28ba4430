//! Signatures of a message, and what they were made over (RFC 9421 §2.5, §4).

use sfv::{BareItem, Dictionary, InnerList, ListEntry};

use crate::{
    Algorithm, Message, Unfit,
    component::{identifier, list_text, name, parsed, value},
};

/// The longest `Signature-Input` or `Signature` that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;
/// The most signatures of a message.
const MOST: usize = 8;
/// The most components of a signature.
const MOST_COMPONENTS: usize = 64;

/// A signature of a message, not yet believed.
#[derive(Clone, Debug)]
pub struct Signature {
    /// What it is called in the message.
    pub label: Box<str>,
    /// The signature itself.
    pub bytes: Vec<u8>,
    /// `created`, in seconds since 1970.
    pub created: Option<u64>,
    /// `expires`, in seconds since 1970.
    pub expires: Option<u64>,
    /// `nonce`.
    pub nonce: Option<Box<str>>,
    /// `alg`, which is only to be compared with what the key is for.
    pub algorithm: Option<Box<str>>,
    /// `keyid`.
    pub key_id: Option<Box<str>>,
    /// `tag`.
    pub tag: Option<Box<str>>,
    list: InnerList,
}

/// The fields are no signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// The signatures of a message, in their order; none if it has neither field.
///
/// # Errors
/// A field is malformed, or one has what the other lacks.
pub fn signatures(message: &Message<'_>) -> Result<Vec<Signature>, Malformed> {
    let both = ["signature-input", "signature"];
    if both.iter().all(|name| !message.headers.contains_key(*name)) {
        return Ok(Vec::new());
    }
    let read = |name: &str| {
        let text = message.combined(name)?;
        (text.len() <= LONGEST).then(|| parsed::<Dictionary>(&text))?
    };
    let bad = Malformed("`Signature-Input` and `Signature` must both be dictionaries");
    let inputs: Dictionary = read("signature-input").ok_or(bad)?;
    let mut values: Dictionary = read("signature").ok_or(bad)?;
    if inputs.len() != values.len() || inputs.len() > MOST {
        return Err(Malformed(
            "each signature needs one input, and there are few",
        ));
    }
    let mut found = Vec::with_capacity(inputs.len());
    for (label, input) in inputs {
        let (ListEntry::InnerList(list), Some(ListEntry::Item(item))) =
            (input, values.swap_remove(label.as_str()))
        else {
            return Err(Malformed("an input is no inner list, or has no signature"));
        };
        let BareItem::ByteSequence(bytes) = item.bare_item else {
            return Err(Malformed("a signature is no byte sequence"));
        };
        found.push(Signature::new(label.as_str(), bytes, list)?);
    }
    Ok(found)
}

impl Signature {
    fn new(label: &str, bytes: Vec<u8>, list: InnerList) -> Result<Self, Malformed> {
        if list.items.len() > MOST_COMPONENTS || list.items.iter().any(|item| name(item).is_none())
        {
            return Err(Malformed("components are strings, and few"));
        }
        let text = |key: &str| match list.params.get(key) {
            None => Ok(None),
            Some(value) => value
                .as_string()
                .map(|text| Some(text.as_str().into()))
                .ok_or(Malformed("a parameter is no string")),
        };
        let time = |key: &str| match list.params.get(key) {
            None => Ok(None),
            Some(value) => value
                .as_integer()
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(Some)
                .ok_or(Malformed("a time is no count of seconds")),
        };
        Ok(Self {
            label: label.into(),
            bytes,
            created: time("created")?,
            expires: time("expires")?,
            nonce: text("nonce")?,
            algorithm: text("alg")?,
            key_id: text("keyid")?,
            tag: text("tag")?,
            list,
        })
    }

    /// Whether a change of this component is noticed: it is covered as a whole, itself or by a
    /// component that holds it. The components that hold others are `@target-uri` and
    /// `@request-target`.
    pub fn covers(&self, wanted: &str) -> bool {
        self.list.items.iter().any(|item| {
            // A part of a field, or another's, does not stand for all of it.
            let whole = !item
                .params
                .keys()
                .any(|key| matches!(key.as_str(), "key" | "tr" | "req" | "name"));
            let holds = match name(item).unwrap_or_default() {
                "@target-uri" => matches!(
                    wanted,
                    "@target-uri"
                        | "@scheme"
                        | "@authority"
                        | "@path"
                        | "@query"
                        | "@request-target"
                ),
                "@request-target" => matches!(wanted, "@request-target" | "@path" | "@query"),
                own => own == wanted,
            };
            whole && holds
        })
    }

    /// Whether `alg` is that of a key, or absent.
    pub fn is_for(&self, algorithm: Algorithm) -> bool {
        let own = self.algorithm.as_deref();
        own.is_none_or(|own| own == algorithm.name())
    }

    /// What it was made over, as far as the message goes (§2.5).
    ///
    /// # Errors
    /// A component stands there twice, is not there, or can't be covered.
    pub fn base(&self, message: &Message<'_>) -> Result<String, Unfit> {
        let mut base = String::with_capacity(512);
        for (at, item) in self.list.items.iter().enumerate() {
            let identifier = identifier(item);
            // Whatever order their parameters stand in.
            if self.list.items.iter().take(at).any(|other| other == item) {
                return Err(Unfit::Repeated(identifier.into()));
            }
            let value = value(item, message)?;
            base.push_str(&identifier);
            base.push_str(": ");
            base.push_str(&value);
            base.push('\n');
        }
        let parameters = list_text(&self.list);
        base.push_str("\"@signature-params\": ");
        base.push_str(&parameters.unwrap_or_default());
        Ok(base)
    }
}
