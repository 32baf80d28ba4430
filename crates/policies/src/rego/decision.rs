//! What a rule's value means: the forms of decisions that OPA's plugin for Envoy knows, too
//! (<https://www.openpolicyagent.org/docs/envoy>).

use bytes::Bytes;
use http::{HeaderName, StatusCode};
use serde_json::{Map, Value};

use crate::verdict::{Allowed, Denied, Edit, How, Verdict};

/// More of a reason is not logged, in characters.
const LONGEST: usize = 256;

/// What policies say of a request.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) verdict: Verdict,
    /// Why, for the log.
    pub(super) reason: String,
}

impl Decision {
    /// Reads the value of the rule that decides; it may have none. Fields for the upstream other
    /// than those in `settable` are refused.
    ///
    /// # Errors
    /// It is no decision, for this reason.
    pub(super) fn read(value: Option<&Value>, settable: &[HeaderName]) -> Result<Self, String> {
        match value {
            None => Ok(Self::denied("undefined")),
            Some(Value::Bool(false)) => Ok(Self::denied("false")),
            Some(Value::Bool(true)) => Ok(Self {
                verdict: Verdict::Allowed(Allowed::default()),
                reason: String::new(),
            }),
            Some(Value::Object(members)) => Self::read_object(members, settable),
            Some(_) => Err("neither true nor false, nor an object".to_owned()),
        }
    }

    fn denied(reason: &str) -> Self {
        Self {
            verdict: Verdict::Denied(Denied {
                status: StatusCode::FORBIDDEN,
                headers: Vec::new(),
                body: Bytes::new(),
            }),
            reason: reason.to_owned(),
        }
    }

    fn read_object(members: &Map<String, Value>, settable: &[HeaderName]) -> Result<Self, String> {
        let mut seen = Seen::default();
        for (name, value) in members {
            seen.take(name, value)
                .ok_or_else(|| format!("`{name}` has a value that it can't have"))??;
        }
        let Some(allow) = seen.allow else {
            return Err("an object without `allow`".to_owned());
        };
        let verdict = if allow {
            Verdict::Allowed(seen.allowed(settable)?)
        } else {
            Verdict::Denied(seen.denied())
        };
        let reason = if seen.reason.is_empty() {
            "false".to_owned()
        } else {
            seen.reason
        };
        Ok(Self { verdict, reason })
    }
}

/// The members of a decision.
#[derive(Default)]
struct Seen {
    allow: Option<bool>,
    reason: String,
    status: Option<StatusCode>,
    headers: Vec<(String, Vec<String>)>,
    answer_headers: Vec<(String, Vec<String>)>,
    remove: Vec<String>,
    set_query: Vec<(String, Vec<String>)>,
    remove_query: Vec<String>,
    body: String,
}

impl Seen {
    /// `None` where the value is of no use under this name.
    fn take(&mut self, name: &str, value: &Value) -> Option<Result<(), String>> {
        match name {
            "allow" | "allowed" => {
                let allow = value.as_bool()?;
                // Two that disagree deny.
                self.allow = Some(allow && self.allow.unwrap_or(true));
            }
            "reason" => {
                let reason = texts(value)?.join("; ");
                self.reason = reason.chars().take(LONGEST).collect();
            }
            "status" | "http_status" => {
                let status = u16::try_from(value.as_u64()?).ok()?;
                let status = StatusCode::from_u16(status).ok();
                self.status = Some(status.filter(|status| status.as_u16() >= 200)?);
            }
            "headers" => self.headers = fields(value)?,
            "response_headers_to_add" => self.answer_headers = fields(value)?,
            "request_headers_to_remove" => self.remove = texts(value)?,
            "query_parameters_to_set" => self.set_query = fields(value)?,
            "query_parameters_to_remove" => self.remove_query = texts(value)?,
            "body" => value.as_str()?.clone_into(&mut self.body),
            // For Envoy's other filters, which are not here.
            "dynamic_metadata" => {}
            _ => return Some(Err(format!("`{name}` means nothing here"))),
        }
        Some(Ok(()))
    }

    fn allowed(&self, settable: &[HeaderName]) -> Result<Allowed, String> {
        let mut allowed = Allowed {
            response: edits(&self.answer_headers)?,
            ..Allowed::default()
        };
        for edit in edits(&self.headers)? {
            if !settable.contains(&edit.name) {
                return Err(format!(
                    "the field {} is not among `upstream_headers`",
                    edit.name
                ));
            }
            allowed.request.push(edit);
        }
        for name in &self.remove {
            let removable = crate::verdict::changeable(name);
            allowed
                .remove
                .push(removable.ok_or_else(|| format!("the field {name} may not be removed"))?);
        }
        for (name, values) in &self.set_query {
            let [value] = values.as_slice() else {
                return Err(format!("the parameter `{name}` needs one value"));
            };
            allowed.set_query.push((name.clone(), value.clone()));
        }
        allowed.remove_query.clone_from(&self.remove_query);
        Ok(allowed)
    }

    fn denied(&mut self) -> Denied {
        // A field that can't be sent is left out: the request is refused either way.
        let all = self.headers.iter().chain(&self.answer_headers);
        let fields = all.flat_map(|(name, values)| edits_of(name, values));
        Denied {
            status: self.status.unwrap_or(StatusCode::FORBIDDEN),
            headers: fields.flatten().collect(),
            body: Bytes::from(std::mem::take(&mut self.body)),
        }
    }
}

fn edits(fields: &[(String, Vec<String>)]) -> Result<Vec<Edit>, String> {
    let mut edits = Vec::new();
    for (name, values) in fields {
        for edit in edits_of(name, values) {
            edits.push(edit.ok_or_else(|| format!("the field {name} may not be set so"))?);
        }
    }
    Ok(edits)
}

/// The first value takes the place of what is there, the others stand beside it.
fn edits_of<'a>(
    name: &'a str,
    values: &'a [String],
) -> impl Iterator<Item = Option<Edit>> + use<'a> {
    let hows = std::iter::once(How::Set).chain(std::iter::repeat(How::Add));
    let values = hows.zip(values);
    values.map(move |(how, value)| Edit::new(how, name, value.as_bytes()))
}

/// A text, or a list of them.
fn texts(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        value => Some(vec![text(value)?]),
    }
}

/// Names, and a text or a list of them for each.
fn fields(value: &Value) -> Option<Vec<(String, Vec<String>)>> {
    let members = value.as_object()?.iter();
    let fields = members.map(|(name, value)| Some((name.clone(), texts(value)?)));
    fields.collect()
}
