//! Requests on their way in.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use lintel_http::{Body, media};
use lintel_kernel::{Exchange, Rejection, expr::Scope};
use lintel_xml::{
    Document, Mismatch,
    soap::{self, Content, Version},
};

use super::{Language, Side, Soap, Terms, XmlJson, fields, reject};
use crate::beginning::begin;

const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

/// What every document begins with.
pub(super) const DECLARATION: &[u8] = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>";

impl XmlJson {
    /// Puts the body in the service's words.
    pub(super) async fn translate(
        &self,
        exchange: &mut Exchange,
        body: &mut Body,
        terms: Terms,
    ) -> Result<(), Rejection> {
        let Some(side) = &self.request else {
            return Ok(());
        };
        if http_body::Body::size_hint(body).lower() > self.max_body as u64 {
            return Err(reject::TOO_LARGE);
        }
        let read = begin(body, self.max_body).await;
        let read = read.map_err(|error| reject::broken(&error))?;
        if !read.whole {
            return Err(reject::TOO_LARGE);
        }
        let written = match self.service {
            Language::Xml => self.called(exchange, side, &read.bytes)?,
            Language::Json => self.told(exchange, side, &read.bytes, terms)?,
        };
        *body = Body::from(Bytes::from(written));
        Ok(())
    }

    /// A client's JSON as XML, in an envelope where the service wants one.
    fn called(
        &self,
        exchange: &mut Exchange,
        side: &Side,
        bytes: &[u8],
    ) -> Result<Vec<u8>, Rejection> {
        let json = std::str::from_utf8(bytes).map_err(|_| unfit("Body: it is not UTF-8."))?;
        let scope = Scope::request(exchange);
        let mut values = Vec::with_capacity(side.fields.len());
        for (name, template) in &side.fields {
            let value = template.render(scope).ok_or(reject::NO_VALUE)?;
            values.push((&**name, Cow::Owned(value.into_owned())));
        }
        let action = match self.soap.as_ref().and_then(|soap| soap.action.as_ref()) {
            None => None,
            Some(action) => Some(action.render(scope).ok_or(reject::NO_VALUE)?.into_owned()),
        };
        let mut out = Vec::with_capacity(bytes.len() * 2 + 256);
        out.extend_from_slice(DECLARATION);
        let root = side.root.as_deref();
        let write = |out: &mut Vec<u8>| self.mapping.write_xml(json, root, &values, out);
        let written = match &self.soap {
            None => write(&mut out),
            Some(soap) => soap::envelope(soap.version, &mut out, write),
        };
        written.map_err(|mismatch| misfit(&mismatch, json))?;
        let headers = &mut exchange.request.headers;
        match &self.soap {
            None => fields::describe(headers, HeaderValue::from_static("application/xml")),
            Some(soap) => {
                exchange.request.method = Method::POST;
                address(headers, soap, action.as_deref())?;
            }
        }
        Ok(out)
    }

    /// A client's XML as JSON, without its envelope where it has one.
    fn told(
        &self,
        exchange: &mut Exchange,
        side: &Side,
        bytes: &[u8],
        terms: Terms,
    ) -> Result<Vec<u8>, Rejection> {
        let headers = &mut exchange.request.headers;
        let media = headers.get(header::CONTENT_TYPE);
        let charset = media.and_then(|media| media::parameter(media, "charset"));
        let text = lintel_xml::decode(bytes, charset)
            .map_err(|_undecodable| unfit("Body: its bytes are not in the encoding it names."))?;
        let depth = self.mapping.depth + envelope_depth(self.soap.is_some());
        let document = Document::read(&text, depth).map_err(|error| misfit(&error, &text))?;
        let message = match &self.soap {
            None => document.root(),
            Some(_) => message(&document, terms).map_err(|error| misfit(&error, &text))?,
        };
        let mut out = Vec::with_capacity(bytes.len());
        match message {
            Some(message) => self
                .mapping
                .write_json(message, side.root.as_deref(), &mut out)
                .map_err(|error| misfit(&error, &text))?,
            None => out.extend_from_slice(b"{}"),
        }
        fields::describe(headers, HeaderValue::from_static("application/json"));
        headers.remove(&SOAP_ACTION);
        Ok(out)
    }
}

/// How much deeper a message lies in an envelope.
pub(super) const fn envelope_depth(enveloped: bool) -> u32 {
    if enveloped { 2 } else { 0 }
}

/// What is in a client's envelope.
fn message<'d, 'a>(
    document: &'d Document<'a>,
    terms: Terms,
) -> Result<Option<lintel_xml::Element<'d, 'a>>, Box<Mismatch>> {
    let opened = soap::open(document)?;
    if terms
        .envelope
        .is_some_and(|version| version != opened.version)
    {
        return Err(Mismatch::at(
            0,
            "the envelope is not of the version that its media type says",
        ));
    }
    if opened.must_understand {
        return Err(Mismatch::at(0, "headers that must be understood are not"));
    }
    match opened.content {
        Content::Nothing => Ok(None),
        Content::Message(message) => Ok(Some(message)),
        Content::Fault(_) => Err(Mismatch::at(0, "a fault is not a request")),
    }
}

/// Says what the service is to do, where its version of SOAP says it (1.1 §6.1.1; RFC 3902).
fn address(
    headers: &mut http::HeaderMap,
    soap: &Soap,
    action: Option<&str>,
) -> Result<(), Rejection> {
    fields::describe(headers, fields::of_envelope(soap.version, action));
    headers.remove(&SOAP_ACTION);
    if soap.version == Version::V1_1 {
        let action = action.unwrap_or_default();
        if action.contains('"') {
            return Err(reject::NO_VALUE);
        }
        let field = HeaderValue::try_from(format!("\"{action}\""));
        headers.insert(SOAP_ACTION, field.map_err(|_| reject::NO_VALUE)?);
    }
    Ok(())
}

fn unfit(detail: &'static str) -> Rejection {
    reject::UNFIT.with_detail(detail)
}

fn misfit(mismatch: &Mismatch, text: &str) -> Rejection {
    reject::UNFIT.with_detail(format!("Body: {}", mismatch.describe(text)))
}
