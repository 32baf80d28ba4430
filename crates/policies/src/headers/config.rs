use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use lintel_kernel::{Fault, config};

use super::runtime::{Edits, Value};
use crate::{Context, described};

/// Which way a message goes.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    Request,
    Response,
}

/// Changes to header fields. Fields are removed first, then set, then added.
#[config]
#[schemars(rename = "Headers")]
pub struct Config {
    /// Changes to the request before it goes upstream.
    #[serde(default)]
    pub request: Changes,
    /// Changes to the answer before it goes to the client.
    #[serde(default)]
    pub response: Changes,
}

/// Changes in one direction. Values may hold `${…}` expressions; a field whose expression has no
/// value for a request is not sent.
#[config]
#[derive(Default)]
#[schemars(rename = "HeaderChanges")]
pub struct Changes {
    /// Fields to replace, or to set where there are none. A `set` field whose value is absent is
    /// removed, so that a client can't supply it instead.
    #[serde(default)]
    #[schemars(with = "described::Fields")]
    pub set: BTreeMap<String, String>,
    /// Fields to add beside those of the same name.
    #[serde(default)]
    #[schemars(with = "described::Fields")]
    pub add: BTreeMap<String, String>,
    /// Names of fields to remove; a trailing `*` removes every field with that prefix.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// Fields that frame or route a message, and what to do instead of changing them by hand.
const PROTECTED: [(&str, &str); 9] = [
    ("connection", CONNECTION),
    ("keep-alive", CONNECTION),
    ("proxy-connection", CONNECTION),
    ("te", CONNECTION),
    ("upgrade", CONNECTION),
    ("transfer-encoding", FRAMING),
    ("content-length", FRAMING),
    ("trailer", FRAMING),
    ("host", "write `policies: { rewrite: { host: … } }` instead"),
];

const CONNECTION: &str = "remove it; it belongs to the connection, which is another one upstream";
const FRAMING: &str = "remove it; it frames the body, which the gateway does anew";

/// Why a field can't be written by hand, and what to do instead; nothing for one that can.
pub fn managed(name: &HeaderName) -> Option<&'static str> {
    let known = PROTECTED
        .iter()
        .find(|(protected, _)| *protected == name.as_str());
    known.map(|(_, instead)| *instead)
}

impl Changes {
    pub(super) fn build(
        &self,
        direction: Direction,
        context: &Context,
    ) -> Result<Edits, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut edits = Edits::default();
        for (place, text) in self.remove.iter().enumerate() {
            let at = |fault: Fault| fault.under(place.to_string()).under("remove");
            let (prefix, name) = match text.strip_suffix('*') {
                Some(prefix) => (true, prefix),
                None => (false, text.as_str()),
            };
            match field_name(name) {
                Ok(name) if prefix => edits.remove_prefixes.push(name.as_str().to_owned()),
                Ok(name) => edits.remove.push(name),
                Err(fault) => faults.push(at(fault)),
            }
        }
        for (key, texts, out) in [
            ("set", &self.set, &mut edits.set),
            ("add", &self.add, &mut edits.add),
        ] {
            for (name, text) in texts {
                match field_name(name).and_then(|name| Ok((name, value(text, direction, context)?)))
                {
                    Ok(field) => out.push(field),
                    Err(fault) => faults.push(fault.under(name).under(key)),
                }
            }
        }
        if faults.is_empty() {
            Ok(edits)
        } else {
            Err(faults)
        }
    }
}

fn field_name(text: &str) -> Result<HeaderName, Fault> {
    let name: HeaderName = text.parse().map_err(|_| {
        Fault::new(format!("`{text}` is not a header name"))
            .with_hint("use letters, digits and dashes, such as `X-Tenant`")
    })?;
    match managed(&name) {
        Some(instead) => {
            Err(Fault::new(format!("`{name}` can't be changed by hand")).with_hint(instead))
        }
        None => Ok(name),
    }
}

fn value(text: &str, direction: Direction, context: &Context) -> Result<Value, Fault> {
    let template = match direction {
        Direction::Request => context.request_template(text)?,
        Direction::Response => context.response_template(text)?,
    };
    match template.literal() {
        Some(literal) => HeaderValue::from_str(literal)
            .map(Value::Fixed)
            .map_err(|_| Fault::new("a header value can't hold control characters")),
        None => Ok(Value::Template(template)),
    }
}
