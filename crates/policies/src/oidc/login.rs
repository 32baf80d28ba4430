//! A login on its way: what the browser keeps of it, and where it is sent.

use aws_lc_rs::{constant_time, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method, uri::PathAndQuery};
use lintel_jose::fingerprint;
use lintel_kernel::expr::cookie;
use serde::{Deserialize, Serialize};

use super::{cookies::MAX_LOGINS, seal, session::Sessions};
use crate::{form::encoded, issuer::Url};

/// Characters of a page's address that a login remembers. A longer one ends at the start page.
const MAX_RETURN: usize = 1500;

/// What every login at the provider has in common.
#[derive(Debug)]
pub(super) struct Terms {
    /// Parameters of every authorization request that do not change.
    pub(super) parameters: Vec<(String, String)>,
    /// Seconds until a login must be finished.
    pub(super) timeout: u64,
}

/// A login that was begun. Kept encrypted by the browser, in a cookie of its own for each, so that
/// tabs do not disturb each other and replicas need not know of each other.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    #[serde(rename = "s")]
    state: String,
    #[serde(rename = "n")]
    pub(super) nonce: String,
    /// RFC 7636 §4.1.
    #[serde(rename = "v")]
    pub(super) verifier: String,
    /// Path and query to go back to.
    #[serde(rename = "t")]
    pub(super) to: String,
    /// When it was begun, in seconds since 1970.
    #[serde(rename = "b")]
    begun: u64,
}

/// A browser that is sent to the provider.
pub(super) struct Begun {
    pub(super) location: String,
    pub(super) cookies: Vec<HeaderValue>,
}

impl Terms {
    /// Begins a login that will lead back to a page. None if there are no random numbers.
    pub(super) fn begin(
        &self,
        sessions: &Sessions,
        authorization: &Url,
        (to, before): (&str, &HeaderMap),
        now: u64,
    ) -> Option<Begun> {
        let pending = Pending {
            state: seal::random()?,
            nonce: seal::random()?,
            verifier: seal::random()?,
            to: local(to).unwrap_or("/").to_owned(),
            begun: now,
        };
        let (cookies, mut fields) = (sessions.cookies(), Vec::new());
        let others = cookies.logins(before);
        if others.len() >= MAX_LOGINS {
            fields.extend(others.iter().filter_map(|name| cookies.gone(name)));
        }
        let name = cookies.login(&mark(&pending.state));
        let sealed = sessions.close_text(&name, serde_json::to_vec(&pending).ok()?)?;
        fields.push(cookies.set_login(&name, &sealed, self.timeout)?);
        Some(Begun {
            location: self.location(authorization, &pending),
            cookies: fields,
        })
    }

    /// OpenID Connect Core 1.0 §3.1.2.1, RFC 7636 §4.3.
    fn location(&self, authorization: &Url, pending: &Pending) -> String {
        let hash = digest::digest(&digest::SHA256, pending.verifier.as_bytes());
        let own = [
            ("state", pending.state.clone()),
            ("nonce", pending.nonce.clone()),
            ("code_challenge", URL_SAFE_NO_PAD.encode(hash)),
            ("code_challenge_method", "S256".to_owned()),
        ];
        let (common, own) = (encoded(&self.parameters), encoded(&own));
        with_query(authorization, &format!("{common}&{own}"))
    }

    /// The login that an answer of the provider is about, with the name of its cookie. None if it
    /// did not begin in this browser, or too long ago.
    pub(super) fn find(
        &self,
        sessions: &Sessions,
        state: &str,
        headers: &HeaderMap,
        now: u64,
    ) -> Option<(Pending, String)> {
        let name = sessions.cookies().login(&mark(state));
        let plain = sessions.open_text(&name, cookie(headers, &name)?)?;
        let pending: Pending = serde_json::from_slice(&plain).ok()?;
        let equal = constant_time::verify_slices_are_equal;
        equal(pending.state.as_bytes(), state.as_bytes()).ok()?;
        (now < pending.begun.saturating_add(self.timeout)).then_some((pending, name))
    }
}

/// A URL with more parameters in its query; those that it has stay (RFC 6749 §3.1).
pub(super) fn with_query(url: &Url, parameters: &str) -> String {
    let url = url.to_string();
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}{parameters}")
}

/// What tells the cookies of logins apart.
fn mark(state: &str) -> String {
    let print = fingerprint(state);
    let beginning = print.iter().take(4);
    beginning.map(|byte| format!("{byte:02x}")).collect()
}

/// A page's address if it is one of this site: a path, and nothing that a browser could take for
/// another host.
pub(super) fn local(to: &str) -> Option<&str> {
    let path = to.strip_prefix('/')?;
    let other = path.starts_with(['/', '\\']) || to.contains('\\');
    let fits = to.len() <= MAX_RETURN && to.parse::<PathAndQuery>().is_ok();
    (fits && !other).then_some(to)
}

/// Whether a person is looking at what this request asks for, so that another page makes sense for
/// an answer: browsers say so (Fetch Metadata), older ones ask for HTML. Programs, scripts, images
/// and what is fetched in advance get a plain 401.
pub(super) fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if *method != Method::GET
        || text("x-requested-with").is_some()
        || headers.contains_key("sec-purpose")
    {
        return false;
    }
    match text("sec-fetch-mode") {
        Some(mode) => {
            mode == "navigate" && text("sec-fetch-dest").is_none_or(|kind| kind == "document")
        }
        None => text("accept").is_some_and(|kinds| kinds.contains("text/html")),
    }
}
