//! Whether there is a token to exchange.

use lintel_kernel::Fault;

use super::NAME;
use crate::{RoutePolicies, Setting};

/// What is wrong with a route whose callers' tokens are gone before they can be exchanged.
pub(crate) fn without_token(policies: &RoutePolicies) -> Option<Fault> {
    policies.token_exchange.as_ref().and_then(Setting::on)?;
    let jwt = policies.jwt.as_ref().and_then(Setting::on);
    let asked = policies.oauth2_introspection.as_ref().and_then(Setting::on);
    let oidc = policies.oidc.as_ref().and_then(Setting::on);
    let takers = [
        jwt.map(|own| ("jwt", "keep_token", own.keep_token)),
        asked.map(|own| ("oauth2_introspection", "keep_token", own.keep_token)),
        oidc.map(|own| ("oidc", "forward_access_token", own.forward_access_token)),
    ];
    let mut takers = takers.into_iter().flatten().peekable();
    let Some((policy, key, _)) = takers.peek().copied() else {
        return Some(
            Fault::new("no policy of this route takes tokens that could be exchanged")
                .with_hint("add `jwt` or `oauth2_introspection`, or remove it")
                .discreet()
                .under(NAME),
        );
    };
    if takers.any(|(_, _, kept)| kept) {
        return None;
    }
    Some(
        Fault::new(format!(
            "`{policy}` takes the token away before it can be exchanged"
        ))
        .with_hint(format!(
            "add `{key}: true` to `{policy}`; upstream goes what it is exchanged for, and never the token itself"
        ))
        .discreet()
        .under(NAME),
    )
}
