//! SOAP envelopes, 1.1 (W3C note of 8 May 2000) and 1.2 (part 1, second edition).

use lintel_kernel::json::{Mismatch, Read};

use crate::{Document, Element, write};

/// A version of SOAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 1.1, `text/xml`.
    V1_1,
    /// 1.2, `application/soap+xml`.
    V1_2,
}

impl Version {
    const ALL: [Self; 2] = [Self::V1_1, Self::V1_2];

    /// The namespace of its envelopes.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::V1_1 => "http://schemas.xmlsoap.org/soap/envelope/",
            Self::V1_2 => "http://www.w3.org/2003/05/soap-envelope",
        }
    }

    /// The media type of its messages.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::V1_1 => "text/xml",
            Self::V1_2 => "application/soap+xml",
        }
    }
}

/// Whose fault a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The message is wrong.
    Client,
    /// It is not, or not so far.
    Server,
    /// A header of the message that must be understood is not.
    MustUnderstand,
}

impl Blame {
    /// The code of 1.1 (§4.4.1) or 1.2 (§5.4.6).
    const fn code(self, version: Version) -> &'static str {
        match (self, version) {
            (Self::Client, Version::V1_1) => "Client",
            (Self::Client, Version::V1_2) => "Sender",
            (Self::Server, Version::V1_1) => "Server",
            (Self::Server, Version::V1_2) => "Receiver",
            (Self::MustUnderstand, _) => "MustUnderstand",
        }
    }
}

/// A message without its envelope.
#[derive(Debug)]
pub struct Opened<'d, 'a> {
    /// The version of the envelope.
    pub version: Version,
    /// What is in it.
    pub content: Content<'d, 'a>,
    /// Whether a header says that it must be understood.
    pub must_understand: bool,
}

/// What is in an envelope.
#[derive(Debug)]
pub enum Content<'d, 'a> {
    /// Nothing.
    Nothing,
    /// A message.
    Message(Element<'d, 'a>),
    /// The news of a failure.
    Fault(Fault<'d, 'a>),
}

/// A fault.
#[derive(Debug)]
pub struct Fault<'d, 'a> {
    /// The codes from the most general on, without prefixes: of 1.1 parts between dots, of 1.2 subcodes.
    pub codes: Vec<&'d str>,
    /// What happened, for people.
    pub reason: &'d str,
    /// More, as the service likes.
    pub detail: Option<Element<'d, 'a>>,
}

/// Takes the envelope off a message.
///
/// # Errors
/// There is none, or there is not one message in it.
pub fn open<'d, 'a>(document: &'d Document<'a>) -> Result<Opened<'d, 'a>, Box<Mismatch>> {
    let root = document.root().filter(|root| root.local() == "Envelope");
    let found = root.and_then(|root| {
        let mut versions = Version::ALL.into_iter();
        let version = versions.find(|version| root.namespace() == Some(version.namespace()))?;
        Some((root, version))
    });
    let Some((root, version)) = found else {
        return Err(Mismatch::at(0, "there is no SOAP envelope"));
    };
    let own = Some(version.namespace());
    let part = |name| {
        let mut parts = root.children();
        parts.find(move |part| part.local() == name && part.namespace() == own)
    };
    let must_understand = part("Header").is_some_and(|header| {
        let mut blocks = header.children();
        blocks.any(|block| matches!(block.attribute(own, "mustUnderstand"), Some("1" | "true")))
    });
    let body = part("Body").ok_or_else(|| Mismatch::at(0, "the SOAP envelope has no body"))?;
    let mut messages = body.children();
    let content = match (messages.next(), messages.next()) {
        (None, _) => Content::Nothing,
        (Some(only), None) => match only.local() == "Fault" && only.namespace() == own {
            true => Content::Fault(fault(only, version)),
            false => Content::Message(only),
        },
        (Some(_), Some(_)) => return Err(Mismatch::at(0, "the SOAP body has several elements")),
    };
    Ok(Opened {
        version,
        content,
        must_understand,
    })
}

fn fault<'d, 'a>(fault: Element<'d, 'a>, version: Version) -> Fault<'d, 'a> {
    let child = |of: Element<'d, 'a>, name: &str| of.children().find(|part| part.local() == name);
    match version {
        Version::V1_1 => Fault {
            codes: child(fault, "faultcode").map_or_else(Vec::new, |code| {
                unprefixed(code.text()).split('.').collect()
            }),
            reason: child(fault, "faultstring").map_or("", Element::text),
            detail: child(fault, "detail"),
        },
        Version::V1_2 => {
            let (mut codes, mut code) = (Vec::new(), child(fault, "Code"));
            while let Some(found) = code {
                codes.extend(child(found, "Value").map(|value| unprefixed(value.text())));
                code = child(found, "Subcode");
            }
            let reason = child(fault, "Reason").and_then(|reason| child(reason, "Text"));
            Fault {
                codes,
                reason: reason.map_or("", Element::text),
                detail: child(fault, "Detail"),
            }
        }
    }
}

/// A qualified name in a text, without its prefix.
fn unprefixed(text: &str) -> &str {
    let text = text.trim();
    text.split_once(':').map_or(text, |(_, local)| local)
}

/// Writes an envelope around what `message` writes.
///
/// # Errors
/// Those of `message`.
pub fn envelope<E>(
    version: Version,
    out: &mut Vec<u8>,
    message: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    out.extend_from_slice(b"<soap:Envelope xmlns:soap=\"");
    out.extend_from_slice(version.namespace().as_bytes());
    out.extend_from_slice(b"\"><soap:Body>");
    message(out)?;
    out.extend_from_slice(b"</soap:Body></soap:Envelope>");
    Ok(())
}

/// Writes a fault, for the inside of an envelope. `detail` is XML.
///
/// # Errors
/// XML has no writing for the reason.
pub fn write_fault(
    version: Version,
    blame: Blame,
    reason: &str,
    detail: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Box<Mismatch>> {
    let code = blame.code(version).as_bytes();
    out.extend_from_slice(b"<soap:Fault>");
    match version {
        Version::V1_1 => {
            out.extend_from_slice(b"<faultcode>soap:");
            out.extend_from_slice(code);
            out.extend_from_slice(b"</faultcode>");
            around("faultstring", reason, out)?;
            part("detail", detail, out);
        }
        Version::V1_2 => {
            out.extend_from_slice(b"<soap:Code><soap:Value>soap:");
            out.extend_from_slice(code);
            out.extend_from_slice(b"</soap:Value></soap:Code><soap:Reason>");
            out.extend_from_slice(b"<soap:Text xml:lang=\"en\">");
            write::text(reason, out)?;
            out.extend_from_slice(b"</soap:Text></soap:Reason>");
            part("soap:Detail", detail, out);
        }
    }
    out.extend_from_slice(b"</soap:Fault>");
    Ok(())
}

fn around(name: &str, text: &str, out: &mut Vec<u8>) -> Read<()> {
    let mut inside = Vec::with_capacity(text.len());
    write::text(text, &mut inside)?;
    element(name, &inside, out);
    Ok(())
}

fn part(name: &str, inside: &[u8], out: &mut Vec<u8>) {
    if !inside.is_empty() {
        element(name, inside, out);
    }
}

fn element(name: &str, inside: &[u8], out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
    out.extend_from_slice(inside);
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}
