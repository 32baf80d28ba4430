//! What somebody who was asked says of a request, and what follows from it.

mod names;
mod query;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use lintel_http::Body;
use lintel_kernel::{Exchange, Flow, Rejection, exchange::Refused};
use smallvec::SmallVec;

pub(crate) use names::{no_name, settable};

/// The stable code of requests that may not pass.
const DENIED: &str = "denied";
const DETAIL: &str = "The request is not allowed.";

/// More of what is said is no status message.
const LONGEST: usize = 1024;

/// Fields that frame or route a message: no service of the operator's may change them.
const PROTECTED: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What is said of a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    Allowed(Allowed),
    Denied(Denied),
}

/// It may pass, changed like this.
#[derive(Debug, Default)]
pub(crate) struct Allowed {
    pub(crate) request: Vec<Edit>,
    pub(crate) remove: Vec<HeaderName>,
    pub(crate) set_query: Vec<(String, String)>,
    pub(crate) remove_query: Vec<String>,
    /// Changes to the answer.
    pub(crate) response: Vec<Edit>,
}

/// It may not, and this is what the client gets.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<Edit>,
    pub(crate) body: Bytes,
}

/// A change to header fields.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) how: How,
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

/// What becomes of fields of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// They are replaced.
    Set,
    /// They stay, beside this one.
    Add,
    /// The value is added to theirs behind a comma; without one of the name nothing happens.
    Join,
    /// They stay, and this one is left out.
    AddIfAbsent,
    /// They are replaced; without one of the name nothing happens.
    SetIfPresent,
}

/// What is left to do when the answer comes, and which policy does it; travels with the request.
#[derive(Clone, Default)]
struct OnAnswer(SmallVec<[(&'static str, Arc<Verdict>); 1]>);

impl Verdict {
    /// Does to a request what was said of it; `by` is the policy that asked.
    pub(crate) fn apply(
        self: &Arc<Self>,
        by: &'static str,
        exchange: &mut Exchange,
    ) -> Flow<Response<Body>> {
        match &**self {
            Self::Allowed(allowed) => {
                allowed.apply(exchange);
                if !allowed.response.is_empty() {
                    let later = exchange
                        .request
                        .extensions
                        .get_or_insert_with(OnAnswer::default);
                    later.0.push((by, Arc::clone(self)));
                }
                Flow::Next
            }
            Self::Denied(denied) => denied.answer(by, exchange),
        }
    }

    /// Whether the request may pass.
    pub(crate) const fn allows(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        let edits = |edits: &[Edit]| -> usize {
            let one = |edit: &Edit| 64 + edit.name.as_str().len() + edit.value.len();
            edits.iter().map(one).sum()
        };
        match self {
            Self::Allowed(allowed) => {
                let set = allowed.set_query.iter();
                let set: usize = set.map(|(name, value)| 48 + name.len() + value.len()).sum();
                let removed = allowed.remove_query.iter();
                let removed: usize = removed.map(|name| 24 + name.len()).sum();
                edits(&allowed.request)
                    + edits(&allowed.response)
                    + 64 * allowed.remove.len()
                    + set
                    + removed
            }
            Self::Denied(denied) => edits(&denied.headers) + denied.body.len(),
        }
    }
}

/// Does to the answer of an allowed request what was said of it when this policy asked.
pub(crate) fn finish(by: &'static str, exchange: &Exchange, headers: &mut HeaderMap) {
    let Some(OnAnswer(verdicts)) = exchange.request.extensions.get::<OnAnswer>() else {
        return;
    };
    for (_, verdict) in verdicts.iter().filter(|(own, _)| *own == by) {
        if let Verdict::Allowed(allowed) = &**verdict {
            allowed.response.iter().for_each(|edit| edit.apply(headers));
        }
    }
}

impl Allowed {
    fn apply(&self, exchange: &mut Exchange) {
        let request = &mut exchange.request;
        for edit in &self.request {
            edit.apply(&mut request.headers);
        }
        for name in &self.remove {
            request.headers.remove(name);
        }
        if !self.set_query.is_empty() || !self.remove_query.is_empty() {
            let changed = query::changed(&request.uri, &self.set_query, &self.remove_query);
            if let Some(uri) = changed {
                request.uri = uri;
            }
        }
    }
}

impl Denied {
    /// A refusal of the gateway's own where there is nothing to show, and for callers that take
    /// nothing else.
    fn answer(&self, by: &'static str, exchange: &mut Exchange) -> Flow<Response<Body>> {
        let fails = self.status.is_client_error() || self.status.is_server_error();
        if exchange.grpc || (fails && self.body.is_empty()) {
            let text = std::str::from_utf8(&self.body).unwrap_or_default();
            let mut refusal = refusal(by, self.status, text);
            for edit in &self.headers {
                if !describes_body(&edit.name) {
                    refusal = refusal.with_header(edit.name.clone(), edit.value.clone());
                }
            }
            return Flow::Refuse(refusal);
        }
        exchange.refused = Some(Refused {
            by,
            code: DENIED,
            detail: DETAIL.into(),
        });
        let body = if self.body.is_empty() {
            Body::empty()
        } else {
            self.body.clone().into()
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        for edit in &self.headers {
            edit.apply(response.headers_mut());
        }
        if !self.body.is_empty() {
            let kind = response.headers_mut().entry(header::CONTENT_TYPE);
            kind.or_insert(HeaderValue::from_static("text/plain"));
        }
        Flow::Answer(response)
    }
}

/// A refusal, in these words for callers that get a message and no body.
pub(crate) fn refusal(by: &'static str, status: StatusCode, text: &str) -> Rejection {
    let refusal = Rejection::new(by, status, DENIED, DETAIL);
    if text.is_empty() || text.len() > LONGEST {
        refusal
    } else {
        refusal.with_detail(text.to_owned())
    }
}

/// Fields about a body that is not sent.
fn describes_body(name: &HeaderName) -> bool {
    *name == header::CONTENT_TYPE || *name == header::CONTENT_ENCODING
}

impl Edit {
    /// None where the field can't be, or may not be, changed.
    pub(crate) fn new(how: How, name: &str, value: &[u8]) -> Option<Self> {
        let name = changeable(name)?;
        let value = HeaderValue::from_bytes(value).ok()?;
        Some(Self { how, name, value })
    }

    fn apply(&self, headers: &mut HeaderMap) {
        let Self { how, name, value } = self;
        match how {
            How::Set => {
                headers.insert(name, value.clone());
            }
            How::Add => {
                headers.append(name, value.clone());
            }
            How::AddIfAbsent => {
                headers.entry(name).or_insert_with(|| value.clone());
            }
            How::SetIfPresent => {
                if headers.contains_key(name) {
                    headers.insert(name, value.clone());
                }
            }
            How::Join => {
                if let Some(first) = headers.get_mut(name) {
                    let joined = [first.as_bytes(), b",", value.as_bytes()].concat();
                    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
                        *first = joined;
                    }
                }
            }
        }
    }
}

/// The name of a field that may be changed.
pub(crate) fn changeable(name: &str) -> Option<HeaderName> {
    let name: HeaderName = name.parse().ok()?;
    (!PROTECTED.contains(&name)).then_some(name)
}
