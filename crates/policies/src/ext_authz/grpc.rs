//! Asking over gRPC, as Envoy does: `envoy.service.auth.v3.Authorization/Check`.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version, header};
use lintel_kernel::{Exchange, expr::Expr, expr::Scope};
use lintel_upstream::deadline::GRPC_TIMEOUT;
use prost::Message as _;

use super::{
    messages::{
        Address, AppendAction, AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse,
        HeaderValueOption, HttpRequest, HttpResponse, OkHttpResponse, Peer, Request, SocketAddress,
        Timestamp,
    },
    names::Names,
};
use crate::{
    Backend, Question, Reply, Unanswered,
    beginning::Beginning,
    verdict::{Allowed, Denied, Edit, How, Verdict, changeable},
};

const METHOD: &str = "/envoy.service.auth.v3.Authorization/Check";
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";
/// The flag and the length before a message (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;
/// Tells the service whether it sees all of the body.
const PARTIAL: &str = "x-envoy-auth-partial-body";

/// What the service is told.
pub(super) struct Grpc {
    pub(super) headers: Names,
    pub(super) context: Vec<(String, Expr)>,
}

impl Grpc {
    pub(super) fn question(
        &self,
        backend: &Backend,
        exchange: &Exchange,
        body: Option<&Beginning>,
    ) -> Question {
        let check = CheckRequest {
            attributes: Some(self.attributes(exchange, body)),
        };
        let mut question = backend.question(exchange, Method::POST, Uri::from_static(METHOD));
        let headers = &mut question.head.headers;
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        // At most 8 digits (gRPC over HTTP/2, "Requests").
        let millis = backend.timeout().as_millis().min(99_999_999);
        if let Ok(timeout) = HeaderValue::from_str(&format!("{millis}m")) {
            headers.insert(GRPC_TIMEOUT, timeout);
        }
        question.body = framed(&check);
        question
    }

    fn attributes(&self, exchange: &Exchange, body: Option<&Beginning>) -> AttributeContext {
        let context = self.context.iter().filter_map(|(name, expr)| {
            let value = expr.text(Scope::request(exchange))?;
            Some((name.clone(), value.into_owned()))
        });
        AttributeContext {
            source: Some(source(exchange)),
            destination: Some(Peer::default()),
            request: Some(Request {
                time: Some(now()),
                http: Some(self.http(exchange, body)),
            }),
            context_extensions: context.collect(),
        }
    }

    fn http(&self, exchange: &Exchange, body: Option<&Beginning>) -> HttpRequest {
        let request = &exchange.request;
        let target = request.uri.path_and_query();
        let target = target.map_or("/", |target| target.as_str()).to_owned();
        let host = text(request.headers.get(header::HOST));
        let scheme = if exchange.secure { "https" } else { "http" };
        let mut headers = self.headers(&request.headers);
        for (name, value) in [
            (":authority", &*host),
            (":method", request.method.as_str()),
            (":path", &target),
            (":scheme", scheme),
        ] {
            headers.insert(name.to_owned(), value.to_owned());
        }
        if let Some(body) = body {
            headers.insert(PARTIAL.to_owned(), (!body.whole).to_string());
        }
        let bytes = body.map(|body| body.bytes.clone()).unwrap_or_default();
        // What is no text can't be in a field of text.
        let (body, raw_body) = match String::from_utf8(bytes.to_vec()) {
            Ok(text) => (text, Bytes::new()),
            Err(_) => (String::new(), bytes),
        };
        HttpRequest {
            id: exchange.id.as_str().to_owned(),
            method: request.method.as_str().to_owned(),
            headers,
            path: target,
            host,
            scheme: scheme.to_owned(),
            size: length(&request.headers),
            protocol: protocol(request.version).to_owned(),
            body,
            raw_body,
        }
    }

    /// Fields of one name are joined: the message has room for one value.
    fn headers(&self, headers: &HeaderMap) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in headers {
            if *name == header::HOST || !self.headers.has(name) {
                continue;
            }
            let value = text(Some(value));
            all.entry(name.as_str().to_owned())
                .and_modify(|joined| {
                    joined.push(',');
                    joined.push_str(&value);
                })
                .or_insert(value);
        }
        all
    }
}

/// Who is calling: the client by the rules of the listener, and the name in its certificate.
fn source(exchange: &Exchange) -> Peer {
    let port = exchange
        .peer
        .filter(|peer| canonical(peer.ip()) == canonical(exchange.client))
        .map_or(0, |peer| peer.port());
    let certificate = exchange.certificate.as_deref();
    let principal = certificate.map(|certificate| {
        let named = certificate.uris.first().or(certificate.dns_names.first());
        named.unwrap_or(&certificate.subject).clone()
    });
    Peer {
        address: Some(Address {
            socket_address: Some(SocketAddress {
                address: canonical(exchange.client).to_string(),
                port_value: port.into(),
            }),
        }),
        principal: principal.unwrap_or_default(),
        ..Peer::default()
    }
}

const fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default();
    Timestamp {
        seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(now.subsec_nanos()).unwrap_or(0),
    }
}

/// A field's value; `!` for what is no UTF-8, as Envoy writes it.
fn text(value: Option<&HeaderValue>) -> String {
    let bytes = value.map_or(&b""[..], HeaderValue::as_bytes);
    String::from_utf8_lossy(bytes).replace(char::REPLACEMENT_CHARACTER, "!")
}

/// What `Content-Length` says; -1 where it says nothing.
fn length(headers: &HeaderMap) -> i64 {
    let value = headers.get(header::CONTENT_LENGTH);
    let value = value.and_then(|value| value.to_str().ok()?.parse().ok());
    value.unwrap_or(-1)
}

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

fn framed(message: &CheckRequest) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // Fails only for want of room.
    let _ = message.encode(&mut bytes);
    bytes.freeze()
}

/// What the service says.
///
/// # Errors
/// It says nothing that can be understood.
pub(super) fn verdict(reply: &Reply) -> Result<Verdict, Unanswered> {
    if reply.head.status != StatusCode::OK {
        return Err(bad(format!("status {}", reply.head.status)));
    }
    let status = |headers: &HeaderMap| headers.get(GRPC_STATUS).cloned();
    match status(&reply.trailers).or_else(|| status(&reply.head.headers)) {
        None => return Err(bad("an answer without grpc-status".to_owned())),
        Some(status) if status == "0" => {}
        Some(status) => {
            let message = reply.trailers.get(GRPC_MESSAGE);
            let message = message.or_else(|| reply.head.headers.get(GRPC_MESSAGE));
            let status = text(Some(&status));
            return Err(bad(format!("grpc-status {status}: {}", text(message))));
        }
    }
    let message = unframed(&reply.body).ok_or_else(|| bad("no whole message".to_owned()))?;
    let answer = CheckResponse::decode(message);
    understood(answer.map_err(|error| bad(error.to_string()))?)
}

fn bad(cause: String) -> Unanswered {
    Unanswered {
        code: "answer_invalid",
        cause: format!("the check service answered with {cause}"),
        timeout: false,
    }
}

/// The one message of an answer; never compressed, for nothing was said of compression.
fn unframed(body: &Bytes) -> Option<Bytes> {
    let (prefix, message) = body.split_first_chunk::<PREFIX>()?;
    let [0, a, b, c, d] = *prefix else {
        return None;
    };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    (message.len() == length).then(|| body.slice(PREFIX..))
}

fn understood(answer: CheckResponse) -> Result<Verdict, Unanswered> {
    // Without a status it is that of success (proto3 defaults).
    let code = answer.status.map_or(0, |status| status.code);
    match (code, answer.http_response) {
        (0, Some(HttpResponse::Ok(ok))) => Ok(Verdict::Allowed(allowed(&ok))),
        (0, _) => Ok(Verdict::Allowed(Allowed::default())),
        (_, Some(HttpResponse::Denied(no))) => Ok(Verdict::Denied(denied(no)?)),
        (_, _) => Ok(Verdict::Denied(denied(DeniedHttpResponse::default())?)),
    }
}

fn allowed(ok: &OkHttpResponse) -> Allowed {
    let names = ok.headers_to_remove.iter();
    let parameters = ok.query_parameters_to_set.iter();
    Allowed {
        request: on_request(&ok.headers),
        remove: names.filter_map(|name| changeable(name)).collect(),
        set_query: parameters
            .map(|parameter| (parameter.key.clone(), parameter.value.clone()))
            .collect(),
        remove_query: ok.query_parameters_to_remove.clone(),
        response: ok
            .response_headers_to_add
            .iter()
            .filter_map(on_response)
            .collect(),
    }
}

fn denied(no: DeniedHttpResponse) -> Result<Denied, Unanswered> {
    let status = match no.status.map_or(0, |status| status.code) {
        0 => StatusCode::FORBIDDEN,
        code => u16::try_from(code)
            .ok()
            .filter(|code| (200..=599).contains(code))
            .and_then(|code| StatusCode::from_u16(code).ok())
            .ok_or_else(|| bad(format!("the status {code} for the client")))?,
    };
    // Several of one name, such as cookies, all go to the client.
    let headers = no.headers.iter();
    let headers = headers.filter_map(|field| edit(field, How::Add)).collect();
    Ok(Denied {
        status,
        headers,
        body: no.body,
    })
}

/// Fields of the request replace those of their name; those with `append` are then added to what is
/// there.
fn on_request(fields: &[HeaderValueOption]) -> Vec<Edit> {
    let appended = |field: &&HeaderValueOption| field.append.is_some_and(|append| append.value);
    let set = fields.iter().filter(|field| !appended(field));
    let set = set.filter_map(|field| edit(field, How::Set));
    let joined = fields.iter().filter(appended);
    set.chain(joined.filter_map(|field| edit(field, How::Join)))
        .collect()
}

/// A field of the answer goes by `append_action`, unless the older `append` is there.
fn on_response(field: &HeaderValueOption) -> Option<Edit> {
    let how = match (field.append, field.append_action()) {
        (Some(append), _) if append.value => How::Add,
        (Some(_), _) | (None, AppendAction::OverwriteIfExistsOrAdd) => How::Set,
        (None, AppendAction::AppendIfExistsOrAdd) => How::Add,
        (None, AppendAction::AddIfAbsent) => How::AddIfAbsent,
        (None, AppendAction::OverwriteIfExists) => How::SetIfPresent,
    };
    edit(field, how)
}

fn edit(field: &HeaderValueOption, how: How) -> Option<Edit> {
    let header = field.header.as_ref()?;
    let value = match header.raw_value.is_empty() {
        true => header.value.as_bytes(),
        false => &header.raw_value,
    };
    Edit::new(how, &header.key, value)
}
