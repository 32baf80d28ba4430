//! Asking over plain HTTP: as Envoy's HTTP service, NGINX's `auth_request` and Traefik's
//! `forwardAuth` do.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, uri::PathAndQuery};
use lintel_kernel::{Exchange, expr::Expr, expr::Scope};

use super::names::Names;
use crate::{
    Backend, Question, Reply, Unanswered,
    beginning::Beginning,
    verdict::{Allowed, Denied, Edit, How, Verdict, changeable},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const X_ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
/// Tells the service whether it sees all of the body.
const PARTIAL: HeaderName = HeaderName::from_static("x-envoy-auth-partial-body");

/// What the service is asked, and what is taken from its answers.
pub(super) struct Plain {
    pub(super) target: Target,
    /// Fields of the request that it gets.
    pub(super) headers: Names,
    /// Further fields that it gets.
    pub(super) add: Vec<(HeaderName, Expr)>,
    /// Fields of its answer that the upstream gets.
    pub(super) upstream: Vec<HeaderName>,
    /// Fields of its answer that clients get who are turned away.
    pub(super) denied: Names,
    /// Fields of its answer that clients get who pass.
    pub(super) allowed: Names,
}

/// Where it is asked.
pub(super) enum Target {
    /// Always there, by GET.
    Fixed(Uri),
    /// At the request's own path behind this, by its own method.
    Prefix(String),
}

impl Plain {
    /// The request about a request. None where its path behind the prefix is no path.
    pub(super) fn question(
        &self,
        backend: &Backend,
        exchange: &Exchange,
        body: Option<&Beginning>,
    ) -> Option<Question> {
        let request = &exchange.request;
        let target = request.uri.path_and_query();
        let target = target.map_or("/", PathAndQuery::as_str);
        let mut question = match &self.target {
            Target::Fixed(fixed) => backend.question(exchange, Method::GET, fixed.clone()),
            Target::Prefix(prefix) => {
                let target = format!("{prefix}{target}").parse().ok()?;
                backend.question(exchange, request.method.clone(), target)
            }
        };
        let headers = &mut question.head.headers;
        for (name, value) in &request.headers {
            if self.headers.has(name) && passes(name) {
                headers.append(name, value.clone());
            }
        }
        match &self.target {
            Target::Fixed(_) => tell_original(exchange, target, headers),
            Target::Prefix(_) => {
                if let Some(host) = request.headers.get(header::HOST) {
                    headers.insert(header::HOST, host.clone());
                }
            }
        }
        for (name, expr) in &self.add {
            headers.remove(name);
            let value = expr.text(Scope::request(exchange));
            if let Some(value) = value.and_then(|text| HeaderValue::from_str(&text).ok()) {
                headers.insert(name, value);
            }
        }
        if let Some(body) = body {
            let partial = if body.whole { "false" } else { "true" };
            headers.insert(PARTIAL, HeaderValue::from_static(partial));
            question.body = body.bytes.clone();
        }
        Some(question)
    }

    /// What the service says: 2xx lets the request pass, 5xx says nothing about it, and everything
    /// else turns it away.
    ///
    /// # Errors
    /// It says nothing about the request.
    pub(super) fn verdict(&self, reply: Reply) -> Result<Verdict, Unanswered> {
        let (status, headers) = (reply.head.status, &reply.head.headers);
        if status.is_success() {
            return Ok(Verdict::Allowed(Allowed {
                request: self.for_upstream(headers),
                response: taken(headers, &self.allowed),
                ..Allowed::default()
            }));
        }
        if status.is_server_error() || status.is_informational() {
            return Err(Unanswered {
                code: "answer_error",
                cause: format!("the check service answered with status {status}"),
                timeout: false,
            });
        }
        Ok(Verdict::Denied(Denied {
            status,
            headers: taken(headers, &self.denied),
            body: reply.body,
        }))
    }

    fn for_upstream(&self, headers: &HeaderMap) -> Vec<Edit> {
        let named = |name: &HeaderName| {
            let values = headers.get_all(name).iter().enumerate();
            let edits: Vec<Edit> = values
                .map(|(at, value)| Edit {
                    how: if at == 0 { How::Set } else { How::Add },
                    name: name.clone(),
                    value: value.clone(),
                })
                .collect();
            edits
        };
        self.upstream.iter().flat_map(named).collect()
    }
}

/// What the service can't see of the request that it is asked about.
fn tell_original(exchange: &Exchange, target: &str, headers: &mut HeaderMap) {
    let request = &exchange.request;
    let method = request.method.as_str();
    let client = exchange.client.to_canonical().to_string();
    let scheme = if exchange.secure { "https" } else { "http" };
    for (name, value) in [
        (X_FORWARDED_FOR, &*client),
        (X_FORWARDED_METHOD, method),
        (X_FORWARDED_PROTO, scheme),
        (X_FORWARDED_URI, target),
        (X_ORIGINAL_METHOD, method),
        (X_ORIGINAL_URI, target),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    match request.headers.get(header::HOST) {
        Some(host) => headers.insert(X_FORWARDED_HOST, host.clone()),
        None => headers.remove(X_FORWARDED_HOST),
    };
}

/// Whether a field of a request may stand in one about it.
fn passes(name: &HeaderName) -> bool {
    *name != header::EXPECT && changeable(name.as_str()).is_some()
}

/// Fields of an answer that clients get: cookies are added to theirs, others replace them.
fn taken(headers: &HeaderMap, names: &Names) -> Vec<Edit> {
    let fields = headers.iter().filter(|(name, _)| names.has(name));
    let mut last: Option<&HeaderName> = None;
    let edits = fields.filter_map(|(name, value)| {
        let name_known = changeable(name.as_str())?;
        let again = last.replace(name) == Some(name);
        let how = if again || *name == header::SET_COOKIE {
            How::Add
        } else {
            How::Set
        };
        Some(Edit {
            how,
            name: name_known,
            value: value.clone(),
        })
    });
    edits.collect()
}
