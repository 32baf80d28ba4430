#![doc = include_str!("README.md")]

mod config;
mod runtime;

use http::Response;
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow, expr::Scope};

use config::Direction;
pub use config::{Changes, Config, managed};
use runtime::Edits;

use crate::{Context, Policy};

/// Sets, adds and removes header fields, both ways.
pub struct Headers {
    request: Edits,
    response: Edits,
}

impl Policy for Headers {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        let under = |key: &'static str| {
            move |faults: Vec<Fault>| -> Vec<Fault> {
                faults.into_iter().map(|fault| fault.under(key)).collect()
            }
        };
        let request = config
            .request
            .build(Direction::Request, context)
            .map_err(under("request"));
        let response = config
            .response
            .build(Direction::Response, context)
            .map_err(under("response"));
        match (request, response) {
            (Ok(request), Ok(response)) => Ok(Self { request, response }),
            (request, response) => Err([request.err(), response.err()]
                .into_iter()
                .flatten()
                .flatten()
                .collect()),
        }
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        if !self.request.is_empty() {
            let computed = self.request.compute(Scope::request(exchange));
            computed.apply(&mut exchange.request.headers);
        }
        Flow::Next
    }

    fn on_response(&self, exchange: &mut Exchange, response: &mut Response<Body>) {
        if self.response.is_empty() {
            return;
        }
        let computed = self.response.compute(Scope::answer(exchange, response));
        computed.apply(response.headers_mut());
    }
}
