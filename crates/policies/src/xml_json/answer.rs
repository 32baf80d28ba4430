//! Answers on their way out.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use lintel_http::{Body, media};
use lintel_kernel::{Exchange, Rejection, exchange::Refused};
use lintel_xml::{
    Document, Element, Mismatch,
    soap::{self, Blame, Content, Version},
};

use super::{Language, Terms, XmlJson, fault, fields, reject, request};
use crate::beginning::begin;

impl XmlJson {
    /// Puts an answer in the client's words.
    pub(super) async fn answer(
        &self,
        exchange: &mut Exchange,
        response: &mut Response<Body>,
    ) -> Result<(), Rejection> {
        if fields::encoded(response.headers()) {
            return Err(unfit(
                exchange,
                "the body of the answer is compressed".to_owned(),
            ));
        }
        let read = begin(response.body_mut(), self.max_body).await;
        let read = read.map_err(|error| {
            let rejection = reject::broken(&error);
            exchange.cause = Some(error.cause.into_boxed_str());
            rejection
        })?;
        if !read.whole {
            let cause = "the answer is larger than `max_body`".to_owned();
            return Err(unfit(exchange, cause));
        }
        let written = match self.service {
            Language::Xml => self.of_xml(exchange, response, &read.bytes),
            Language::Json => self.of_json(exchange, response, &read.bytes),
        };
        let written = written.map_err(|cause| unfit(exchange, cause))?;
        *response.body_mut() = Body::from(Bytes::from(written));
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("accept"));
        Ok(())
    }

    /// What a service says in XML, for a client that reads JSON.
    fn of_xml(
        &self,
        exchange: &Exchange,
        response: &mut Response<Body>,
        bytes: &[u8],
    ) -> Result<Vec<u8>, String> {
        let media = response.headers().get(header::CONTENT_TYPE);
        let charset = media.and_then(|media| media::parameter(media, "charset"));
        let text = lintel_xml::decode(bytes, charset)
            .map_err(|_undecodable| "its bytes are not in the encoding it names".to_owned())?;
        let depth = self.mapping.depth + request::envelope_depth(self.soap.is_some());
        let told = |error: Box<Mismatch>| error.describe(&text);
        let document = Document::read(&text, depth).map_err(told)?;
        let message = match self.soap {
            None => document.root(),
            Some(_) => match soap::open(&document).map_err(told)?.content {
                Content::Nothing => None,
                Content::Message(message) => Some(message),
                Content::Fault(fault) => {
                    return self.problem(exchange, response, &fault).map_err(told);
                }
            },
        };
        let mut out = Vec::with_capacity(bytes.len());
        self.write_message(message, response.status(), &mut out)
            .map_err(told)?;
        let media = HeaderValue::from_static("application/json");
        fields::describe(response.headers_mut(), media);
        Ok(out)
    }

    fn write_message(
        &self,
        message: Option<Element<'_, '_>>,
        status: StatusCode,
        out: &mut Vec<u8>,
    ) -> Result<(), Box<Mismatch>> {
        let root = self.response.as_ref().and_then(|side| side.root.as_deref());
        // An error has the root that it likes.
        let root = root.filter(|_| status.is_success());
        match message {
            Some(message) => self.mapping.write_json(message, root, out),
            None => {
                out.extend_from_slice(b"null");
                Ok(())
            }
        }
    }

    /// What a service says in JSON, for a client that reads XML.
    fn of_json(
        &self,
        exchange: &Exchange,
        response: &mut Response<Body>,
        bytes: &[u8],
    ) -> Result<Vec<u8>, String> {
        let json = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let status = response.status();
        if let Some(version) = Terms::noted(exchange).envelope
            && !status.is_success()
        {
            return Ok(fault::of_problem(version, response, json));
        }
        let media = response.headers().get(header::CONTENT_TYPE);
        let is_problem = media.and_then(media::essence).as_deref() == Some(fault::PROBLEM_JSON);
        let told = |error: Box<Mismatch>| error.describe(json);
        let mut out = Vec::with_capacity(bytes.len() * 2 + 256);
        out.extend_from_slice(request::DECLARATION);
        if is_problem {
            fault::write_problem(json, &mut out).map_err(told)?;
            let media = HeaderValue::from_static("application/problem+xml");
            fields::describe(response.headers_mut(), media);
            return Ok(out);
        }
        let root = self.response.as_ref().and_then(|side| side.root.as_deref());
        let write = |out: &mut Vec<u8>| self.mapping.write_xml(json, root, &[], out);
        let media = match Terms::noted(exchange).envelope {
            None => {
                write(&mut out).map_err(told)?;
                HeaderValue::from_static("application/xml")
            }
            Some(version) => {
                soap::envelope(version, &mut out, write).map_err(told)?;
                fields::of_envelope(version, None)
            }
        };
        fields::describe(response.headers_mut(), media);
        Ok(out)
    }

    /// An answer that has nothing to translate: to `HEAD`, an empty one, an error in another language.
    pub(super) fn unread(&self, exchange: &Exchange, response: &mut Response<Body>) {
        let status = response.status();
        let has_none = status.is_informational()
            || matches!(status, StatusCode::NOT_MODIFIED | StatusCode::ACCEPTED);
        if let Some(version) = Terms::noted(exchange).envelope
            && !has_none
            && exchange.request.method != http::Method::HEAD
        {
            if status.is_success() && http_body::Body::is_end_stream(response.body()) {
                enveloped(version, response);
            } else if !status.is_success() {
                let fault = fault::of_problem(version, response, "");
                *response.body_mut() = Body::from(Bytes::from(fault));
            }
            return;
        }
        let headers = response.headers_mut();
        let spoken = headers.get(header::CONTENT_TYPE).and_then(Language::of);
        if exchange.request.method == http::Method::HEAD && spoken == Some(self.service) {
            let media = HeaderValue::from_static(match self.service {
                Language::Xml => "application/json",
                Language::Json => "application/xml",
            });
            fields::describe(headers, media);
        }
    }
}

/// An envelope with nothing in it, for an answer that has no body.
fn enveloped(version: Version, response: &mut Response<Body>) {
    let mut out = request::DECLARATION.to_vec();
    let nothing = |_: &mut Vec<u8>| Ok::<(), std::convert::Infallible>(());
    let Ok(()) = soap::envelope(version, &mut out, nothing);
    *response.status_mut() = StatusCode::OK;
    fields::describe(response.headers_mut(), fields::of_envelope(version, None));
    *response.body_mut() = Body::from(Bytes::from(out));
}

/// A refusal as a fault: it has no other way to a client of SOAP.
pub(super) fn refused(
    exchange: &mut Exchange,
    response: &mut Response<Body>,
    version: Version,
    rejection: Rejection,
) {
    *response = Response::new(Body::empty());
    *response.status_mut() = rejection.status;
    let said = serde_json::json!({ "detail": rejection.detail }).to_string();
    let fault = fault::of_problem(version, response, &said);
    *response.body_mut() = Body::from(Bytes::from(fault));
    exchange.refused = Some(Refused {
        by: rejection.by,
        code: rejection.code,
        detail: rejection.detail,
    });
}

/// Whose fault an answer of this status is.
pub(super) fn blame(status: StatusCode) -> Blame {
    match status.is_client_error() {
        true => Blame::Client,
        false => Blame::Server,
    }
}

fn unfit(exchange: &mut Exchange, cause: String) -> Rejection {
    exchange.cause = Some(cause.into_boxed_str());
    reject::ANSWER_UNFIT
}
