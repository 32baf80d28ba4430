#![doc = include_str!("README.md")]

use std::rc::Rc;

use http::Response;
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow, Identity, config};

use crate::{Context, Policy};

/// Lets requests pass that bring no credentials.
pub struct Anonymous;

/// Nothing to set: `anonymous: {}`.
#[config]
#[derive(Default)]
#[schemars(rename = "Anonymous")]
pub struct Config {}

impl Policy for Anonymous {
    type Config = Config;

    fn build(_: &Config, _: &Context) -> Result<Self, Vec<Fault>> {
        Ok(Self)
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        exchange.identity.get_or_insert_with(|| {
            Rc::new(Identity {
                method: "anonymous",
                ..Identity::default()
            })
        });
        Flow::Next
    }
}
