//! What tokens say of themselves, for the list of what is revoked.

use std::time::{SystemTime, UNIX_EPOCH};

use lintel_kernel::Identity;
use lintel_state::revoked::{Bearer, Revoked};
use serde_json::{Map, Value};

/// Why a token is refused that is on the list; a stable word for the log.
pub(crate) const REVOKED: &str = "token_revoked";

/// Whether somebody's token is taken back now.
pub(crate) fn is_revoked(revoked: &Revoked, identity: &Identity) -> bool {
    if revoked.is_empty() {
        return false;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    revoked.means(&bearer(&identity.claims), now)
}

/// By a token's claims. A time may have a fraction (`NumericDate`, RFC 7519 §2).
pub(crate) fn bearer(claims: &Map<String, Value>) -> Bearer<'_> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let issued = claims.get("iat").and_then(|issued| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of a float ends at the bounds, and whatever is odd is taken for old"
        )]
        let whole = || issued.as_f64().map(|seconds| seconds as u64);
        issued.as_u64().or_else(whole)
    });
    Bearer {
        token: text("jti"),
        subject: text("sub"),
        issuer: text("iss"),
        issued,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_and_what_is_odd_is_old() {
        for (issued, read) in [
            (json!(1_700_000_000), Some(1_700_000_000)),
            (json!(1_700_000_000.9), Some(1_700_000_000)),
            (json!(-5), Some(0)),
            (json!("1700000000"), None),
            (json!(null), None),
        ] {
            let claims = json!({ "iat": issued, "jti": "t", "sub": 7 });
            let bearer = bearer(claims.as_object().unwrap());
            assert_eq!(bearer.issued, read, "{issued}");
            assert_eq!((bearer.token, bearer.subject), (Some("t"), None));
        }
    }
}
