//! What is logged of a request.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime},
};

use http::{Method, Version, header::USER_AGENT};
use lintel_kernel::{
    Exchange, LegRecord,
    exchange::{Ending, Faults, Outcome},
};

/// One request as the access log shows it. Empty texts and `None` mean "not known" and are left
/// out. Texts that come from the client may hold any bytes.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// When the request came to its end.
    pub time: SystemTime,
    /// Its id.
    pub request_id: &'a str,
    /// Its W3C trace id; 0 for none.
    pub trace_id: u128,
    /// The gateway's span in that trace; 0 for none.
    pub span_id: u64,
    /// The client by the trusted-proxy rules.
    pub client: IpAddr,
    /// The listener's name.
    pub listener: &'a str,
    /// Version of HTTP the client spoke.
    pub protocol: Version,
    /// Version of TLS, `TLSv1.3`; empty for plaintext.
    pub tls: &'a str,
    /// Method.
    pub method: &'a str,
    /// Host it asked for.
    pub host: &'a [u8],
    /// Path and query as sent.
    pub target: &'a [u8],
    /// `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// Status of the answer; 0 if there was none.
    pub status: u16,
    /// Whether it ended well.
    pub outcome: Outcome,
    /// Policy or step that refused it, and the stable code.
    pub refused: Option<(&'a str, &'a str)>,
    /// Why in truth, where neither the status nor the code says it: why there was no answer from
    /// upstream, or what is wrong with a credential.
    pub cause: &'a str,
    /// The consumer that called.
    pub consumer: &'a str,
    /// The policy that proved who is calling.
    pub auth: &'a str,
    /// Id of the credential, or the subject of the token.
    pub credential: &'a str,
    /// The matched route's name.
    pub route: &'a str,
    /// The service's name.
    pub service: &'a str,
    /// The endpoint that answered, or was tried last.
    pub endpoint: Option<SocketAddr>,
    /// Tries sent upstream.
    pub attempts: u8,
    /// The service that a split chose.
    pub variant: &'a str,
    /// Why the route's fallback answered.
    pub fallback: &'a str,
    /// Whether a second try beside a slow first one gave the answer, where there was one.
    pub hedge: &'a str,
    /// Whether it has the answer that another request has asked for.
    pub coalesced: bool,
    /// What fault injection did.
    pub faults: Faults,
    /// The legs of the composition that answered, with the names of their services.
    pub legs: Vec<(&'a LegRecord, &'a str)>,
    /// Bytes of request body.
    pub bytes_in: u64,
    /// Bytes of response body.
    pub bytes_out: u64,
    /// From the complete request head to the last byte of the answer.
    pub duration: Duration,
    /// Of it, time spent waiting for upstreams until the answer's head.
    pub upstream_duration: Option<Duration>,
    /// Of it, time until the answer's head that the gateway itself spent, as far as that is known.
    pub overhead: Option<Duration>,
}

impl<'a> Record<'a> {
    /// The record of a request that ended at `time`. What the exchange does not know (`tls`) is
    /// left empty; where the head was changed on its way upstream, so are `protocol`, `method` and
    /// `user_agent`: set the fields to say otherwise.
    pub fn of(exchange: &'a Exchange, ending: &Ending, time: SystemTime) -> Self {
        let request = &exchange.request;
        let refused = exchange.refused.as_ref();
        let identity = exchange.identity.as_deref();
        Self {
            time,
            request_id: exchange.id.as_str(),
            trace_id: exchange.trace.trace_id,
            span_id: exchange.trace.span_id,
            client: exchange.client,
            listener: exchange.names.listener(exchange.listener),
            protocol: request.version,
            tls: "",
            method: exchange.known_method().map_or("", Method::as_str),
            host: &exchange.host,
            target: exchange.known_target().unwrap_or("").as_bytes(),
            user_agent: request
                .headers
                .get(USER_AGENT)
                .map(|value| value.as_bytes()),
            status: exchange.status,
            outcome: ending.outcome,
            refused: refused.map(|refused| (refused.by, refused.code)),
            cause: exchange.cause.as_deref().unwrap_or_default(),
            consumer: exchange.consumer().map_or("", |consumer| &consumer.name),
            auth: identity.map_or("", |identity| identity.method),
            credential: identity
                .and_then(|identity| identity.credential.as_deref())
                .unwrap_or(""),
            route: exchange.route_name(),
            service: exchange.service_name(),
            endpoint: exchange.endpoint,
            attempts: exchange.attempts,
            variant: exchange.variant_name(),
            fallback: exchange.detour.fallback.unwrap_or_default(),
            hedge: exchange.detour.hedge.unwrap_or_default(),
            coalesced: exchange.detour.coalesced,
            faults: exchange.detour.faults,
            legs: legs(exchange),
            bytes_in: ending.bytes_in,
            bytes_out: ending.bytes_out,
            duration: ending.duration,
            upstream_duration: (exchange.attempts > 0).then_some(exchange.upstream_time),
            overhead: ending.overhead,
        }
    }

    /// The protocol as a request line writes it.
    pub(super) fn protocol_name(&self) -> &'static str {
        match self.protocol {
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2",
            Version::HTTP_3 => "HTTP/3",
            _ => "HTTP/1.1",
        }
    }
}

fn legs(exchange: &Exchange) -> Vec<(&LegRecord, &str)> {
    let legs = exchange.legs.iter().flat_map(|legs| &legs.0);
    let service = |leg: &LegRecord| {
        leg.service
            .map_or("", |index| exchange.names.service(index))
    };
    legs.map(|leg| (leg, service(leg))).collect()
}
