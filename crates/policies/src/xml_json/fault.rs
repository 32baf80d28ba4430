//! Faults of SOAP as problem details (RFC 9457), and these as faults.

use http::{HeaderValue, Response, StatusCode, header};
use lintel_http::Body;
use lintel_kernel::Exchange;
use lintel_xml::{
    Mapping, Mismatch, Names, Paths,
    soap::{self, Fault, Version},
};
use serde_json::{Value, json};

use super::{XmlJson, answer::blame, fields, request};

pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// The root element of problem details, and its namespace (RFC 9457 appendix B).
const PROBLEM: &str = "problem";
const PROBLEMS: &str = "urn:ietf:rfc:7807";

impl XmlJson {
    /// What a client that reads JSON is told of a fault.
    pub(super) fn problem(
        &self,
        exchange: &Exchange,
        response: &mut Response<Body>,
        fault: &Fault<'_, '_>,
    ) -> Result<Vec<u8>, Box<Mismatch>> {
        let status = self.status(fault, response.status());
        *response.status_mut() = status;
        let mut detail = Vec::new();
        match fault.detail {
            Some(told) => self.mapping.write_held(told, &mut detail)?,
            None => detail.extend_from_slice(b"null"),
        }
        let problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "code": "soap_fault",
            "detail": fault.reason,
            "instance": exchange.id.as_str(),
            "fault": { "codes": fault.codes },
        });
        let media = HeaderValue::from_static(PROBLEM_JSON);
        fields::describe(response.headers_mut(), media);
        Ok(with_detail(&problem, &detail))
    }

    /// The status of a fault: what the configuration says of one of its codes, or of what is told of it;
    /// else by whom it blames.
    fn status(&self, fault: &Fault<'_, '_>, answered: StatusCode) -> StatusCode {
        let told = fault.detail.and_then(|detail| detail.children().next());
        let names = told.map(lintel_xml::Element::local).into_iter();
        let names = names.chain(fault.codes.iter().rev().copied());
        let known = self.soap.as_ref().map(|soap| &soap.faults);
        let declared = known.and_then(|known| names.into_iter().find_map(|name| known.get(name)));
        if let Some(status) = declared {
            return *status;
        }
        match fault.codes.first().copied() {
            Some("Client" | "Sender") => StatusCode::BAD_REQUEST,
            // What the gateway has sent was wrong.
            Some("VersionMismatch" | "MustUnderstand" | "DataEncodingUnknown") => {
                StatusCode::BAD_GATEWAY
            }
            _ if answered.is_server_error() => answered,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Adds the detail of a fault, which is JSON already, and whose numbers must keep their digits.
fn with_detail(problem: &Value, detail: &[u8]) -> Vec<u8> {
    let mut text = problem.to_string().into_bytes();
    if detail != b"null" && text.ends_with(b"}}") {
        text.truncate(text.len() - 2);
        text.extend_from_slice(b",\"detail\":");
        text.extend_from_slice(detail);
        text.extend_from_slice(b"}}");
    }
    text
}

/// An error as a fault, for a client of SOAP. Faults have statuses of their own: 500 in 1.1 (§6.2), in 1.2
/// 400 where the client is to blame (part 2 §7.5.2.2).
pub(super) fn of_problem(version: Version, response: &mut Response<Body>, json: &str) -> Vec<u8> {
    let status = response.status();
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    let members = ["detail", "message", "title", "error"];
    let said = members.iter().find_map(|name| value.get(name)?.as_str());
    let reason = said.or(status.canonical_reason()).unwrap_or("Error");
    let media = response.headers().get(header::CONTENT_TYPE);
    let is_problem =
        media.is_some_and(|media| media.as_bytes().starts_with(b"application/problem"));
    let mut detail = Vec::new();
    let written = match (&value, is_problem) {
        (Value::Null, _) => Ok(()),
        (_, true) => write_problem(json, &mut detail),
        (_, false) => plain(Names::Drop).write_xml(json, Some("error"), &[], &mut detail),
    };
    if written.is_err() {
        detail.clear();
    }
    let mut out = request::DECLARATION.to_vec();
    let begin = out.len();
    let write = |reason: &str, detail: &[u8], out: &mut Vec<u8>| {
        out.truncate(begin);
        soap::envelope(version, out, |out| {
            soap::write_fault(version, blame(status), reason, detail, out)
        })
    };
    if write(reason, &detail, &mut out).is_err() {
        // Characters that XML has no writing for.
        let _ = write("Error", &detail, &mut out);
    }
    *response.status_mut() = match (version, status.is_client_error()) {
        (Version::V1_2, true) => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    fields::describe(response.headers_mut(), fields::of_envelope(version, None));
    out
}

/// Problem details as XML (RFC 9457 appendix B).
pub(super) fn write_problem(json: &str, out: &mut Vec<u8>) -> Result<(), Box<Mismatch>> {
    let names = Names::Known(vec![("".into(), PROBLEMS.into())]);
    plain(names).write_xml(json, Some(PROBLEM), &[], out)
}

fn plain(names: Names) -> Mapping {
    Mapping {
        names,
        paths: Paths::default(),
        item: "i".into(),
        depth: lintel_xml::MAX_DEPTH,
    }
}
