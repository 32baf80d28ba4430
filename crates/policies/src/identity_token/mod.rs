#![doc = include_str!("README.md")]

mod config;
mod keys;
mod mint;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Instant, UNIX_EPOCH},
};

use http::{HeaderName, Response};
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow, wall::time_at};
use lintel_upstream::Control;

pub use config::Config;
pub use keys::identity_keys;
use mint::Mint;

use crate::{Context, Policy, forward};

/// Tells services who is calling, in a token that the gateway signs.
pub struct IdentityToken {
    name: HeaderName,
    /// None where requests go nowhere.
    mint: Option<Arc<Mint>>,
}

impl Policy for IdentityToken {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn describe(&self) -> Vec<String> {
        let Some(mint) = &self.mint else {
            return vec!["signs nothing: the route sends requests nowhere".to_owned()];
        };
        let settings = mint.settings();
        vec![format!(
            "`{}` of {} for {}, valid for {} s",
            self.name,
            settings.issuer,
            settings.audience.join(", "),
            settings.lifetime
        )]
    }

    fn start(&self, control: &Control) {
        if let Some(mint) = &self.mint {
            mint.settings().keys.start(control);
        }
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        let headers = &mut exchange.request.headers;
        forward::remove_alike(headers, || std::iter::once(&self.name));
        let (Some(mint), Some(whose)) = (&self.mint, &exchange.identity) else {
            return Flow::Next;
        };
        // Not when it was received: it may have waited since.
        let now = time_at(Instant::now()).duration_since(UNIX_EPOCH);
        if let Some(field) = mint.field(whose, now.unwrap_or_default().as_secs()) {
            headers.insert(self.name.clone(), field);
        }
        Flow::Next
    }

    fn needs_identity(&self) -> bool {
        true
    }
}
