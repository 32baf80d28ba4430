#![doc = include_str!("README.md")]

mod answer;
mod config;
mod fault;
mod fields;
mod negotiate;
mod reject;
mod request;
mod sides;
#[cfg(test)]
mod tests;

use http::{HeaderValue, Response, header};
use http_body::Body as _;
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow, Rejection};
use lintel_xml::Mapping;

pub use config::Config;
use negotiate::{Language, Terms};
use sides::{Side, Soap};

use crate::{Context, Policy, Wait};

const NAME: &str = "xml_json";

/// Lets clients that speak JSON use services that speak XML or SOAP, and the other way round.
pub struct XmlJson {
    /// What the service speaks; the clients speak the other.
    service: Language,
    soap: Option<Soap>,
    request: Option<Side>,
    response: Option<Side>,
    mapping: Mapping,
    /// Largest body that is read, in bytes.
    max_body: usize,
}

impl Policy for XmlJson {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn describe(&self) -> Vec<String> {
        let clients = match self.service {
            Language::Xml => Language::Json,
            Language::Json => Language::Xml,
        };
        let envelope = if self.soap.is_some() { " (SOAP)" } else { "" };
        let (service, clients) = (self.service.name(), clients.name());
        vec![match self.service {
            Language::Xml => format!("clients {clients}, service {service}{envelope}"),
            Language::Json => format!("clients {clients}{envelope}, service {service}"),
        }]
    }

    fn on_request(&self, exchange: &mut Exchange, body: &mut Body) -> Flow<Response<Body>> {
        if exchange.grpc {
            return Flow::Next;
        }
        let empty = body.is_end_stream();
        let terms = self.terms(&exchange.request.headers, empty);
        terms.note(exchange);
        let headers = &exchange.request.headers;
        if self.request.is_none() || (empty && !self.calls()) {
            self.ask(&mut exchange.request.headers, terms);
            return Flow::Next;
        }
        let media = headers.get(header::CONTENT_TYPE);
        let spoken = media.and_then(Language::of);
        match spoken {
            _ if empty => Flow::Wait,
            Some(spoken) if spoken == self.service => {
                self.ask(&mut exchange.request.headers, terms);
                Flow::Next
            }
            Some(_) if fields::encoded(headers) => Flow::Refuse(reject::encoded()),
            Some(_) => Flow::Wait,
            None => Flow::Refuse(reject::unsupported(self.service)),
        }
    }

    async fn resume(
        &self,
        exchange: &mut Exchange,
        body: &mut Body,
        _: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        let terms = Terms::noted(exchange);
        match self.translate(exchange, body, terms).await {
            Ok(()) => {
                self.ask(&mut exchange.request.headers, terms);
                Flow::Next
            }
            Err(rejection) => Flow::Refuse(rejection),
        }
    }

    fn remakes(&self, exchange: &Exchange, response: &Response<Body>) -> bool {
        // What the gateway answers itself is looked at, too: it may be a client of SOAP that is told.
        let translates = exchange.detour.translates.is_some() && Terms::noted(exchange).translates;
        let spoken = response.headers().get(header::CONTENT_TYPE);
        translates
            && !response.body().is_end_stream()
            && spoken.and_then(Language::of) == Some(self.service)
    }

    async fn remake(
        &self,
        exchange: &mut Exchange,
        response: &mut Response<Body>,
    ) -> Result<(), Rejection> {
        let answered = self.answer(exchange, response).await;
        match (answered, Terms::noted(exchange).envelope) {
            (Err(rejection), Some(version)) => {
                self::answer::refused(exchange, response, version, rejection);
                Ok(())
            }
            (answered, _) => answered,
        }
    }

    fn on_response(&self, exchange: &mut Exchange, response: &mut Response<Body>) {
        if exchange.detour.translates.is_none() || self.response.is_none() {
            return;
        }
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("accept"));
        if Terms::noted(exchange).translates {
            self.unread(exchange, response);
        }
    }
}
