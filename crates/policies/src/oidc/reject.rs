//! How logins fail. What is wrong with one is for the log alone.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use lintel_kernel::Rejection;

use crate::challenge::quoted;

const NAME: &str = "oidc";

/// The callback was called without a login that began in this browser: a forged one, an old one,
/// one that was used before.
pub(super) const UNKNOWN: Rejection = Rejection::new(
    NAME,
    StatusCode::BAD_REQUEST,
    "login_unknown",
    "This login did not begin in this browser, took too long or was used before. Open the page again.",
);

/// The provider said no.
pub(super) const REFUSED: Rejection = Rejection::new(
    NAME,
    StatusCode::FORBIDDEN,
    "login_refused",
    "The identity provider refused the login.",
);

/// What came of the login can't be believed.
pub(super) const FAILED: Rejection = Rejection::new(
    NAME,
    StatusCode::BAD_GATEWAY,
    "login_failed",
    "The login could not be completed. Open the page again.",
);

/// The provider is away.
pub(super) const UNAVAILABLE: Rejection = Rejection::new(
    NAME,
    StatusCode::SERVICE_UNAVAILABLE,
    "provider_unavailable",
    "Nobody can log in at the moment.",
)
.with_retry_after(Duration::from_secs(5));

/// The tokens do not fit into cookies.
pub(super) const TOO_LARGE: Rejection = Rejection::new(
    NAME,
    StatusCode::BAD_GATEWAY,
    "session_too_large",
    "The identity provider says more of you than a browser can keep.",
)
.with_cause("session_too_large");

/// Another site wants to log the user out.
pub(super) const FOREIGN: Rejection = Rejection::new(
    NAME,
    StatusCode::FORBIDDEN,
    "foreign_logout",
    "A logout must come from a page of this site.",
);

/// Neither GET nor POST.
pub(super) fn method() -> Rejection {
    Rejection::new(
        NAME,
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "Logins and logouts take GET, logouts also POST.",
    )
    .with_header(header::ALLOW, HeaderValue::from_static("GET, POST"))
}

/// What a 401 tells programs: where browsers log in. There is no registered scheme for it; RFC 9110
/// §15.5.2 wants a challenge all the same. None where a text can't stand in a header field.
pub(super) fn challenge(realm: &str, login: &str) -> Option<HeaderValue> {
    let text = format!(
        "Cookie realm={}, form-action={}",
        quoted(realm)?,
        quoted(login)?
    );
    HeaderValue::from_str(&text).ok()
}
