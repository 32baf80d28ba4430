//! Whose a certificate is.

use std::{fmt, fmt::Write as _, rc::Rc, sync::Arc};

use lintel_kernel::{ClientCertificate, Consumer, Fault, Identity};
use lintel_state::{Local, Memory};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::{CertificateConfig, directory::Twins};

/// Bytes of identities that each worker remembers; what one takes, in bytes, beside its names.
const MEMORY: usize = 2 << 20;
const ENTRY: usize = 1024;

/// Consumers by what their certificates say.
#[derive(Default)]
pub(crate) struct Certificates {
    by_fact: FxHashMap<Fact, Arc<Consumer>>,
    remembered: Local<Memory<[u8; 32], (u64, Whose)>>,
}

/// Whom a certificate stands for.
pub(super) type Whose = Result<Rc<Identity>, Ambiguous>;

/// Something that a certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fact {
    Fingerprint([u8; 32]),
    Uri(Box<str>),
    Dns(Box<str>),
    Email(Box<str>),
    Subject(Box<str>),
    CommonName(Box<str>),
}

/// A certificate that would be of two consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous;

impl Certificates {
    /// Adds the certificates of a consumer; the answer is what is wrong with them.
    pub(super) fn add(
        &mut self,
        consumer: &Arc<Consumer>,
        certificates: &[CertificateConfig],
    ) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (at, config) in certificates.iter().enumerate() {
            let added = Fact::read(config).and_then(|fact| {
                let other = self.by_fact.insert(fact, Arc::clone(consumer));
                other.map_or(Ok(()), |other| {
                    Err(Fault::new(format!(
                        "this certificate is already one of consumer `{}`",
                        other.name
                    ))
                    .with_hint("a certificate speaks for one consumer: remove one of them"))
                })
            });
            if let Err(fault) = added {
                faults.push(fault.under(at.to_string()).under("certificates"));
            }
        }
        faults
    }

    /// Whose something is that a certificate says.
    pub(super) fn owner(&self, fact: &Fact) -> Option<&Arc<Consumer>> {
        self.by_fact.get(fact)
    }

    /// What certificates say that is also said of others: of whom here and there.
    pub(super) fn twins<'a>(&'a self, others: &'a Self) -> impl Iterator<Item = Twins<'a>> {
        let facts = self.by_fact.iter();
        facts.filter_map(|(fact, own)| Some((own, others.owner(fact)?)))
    }

    /// Whom a certificate stands for, at a time in seconds since 1970; without a consumer if it is
    /// nobody's. `whose` tells whose a fact is, and `state` stands for all that it tells.
    ///
    /// # Errors
    /// What it says is said of two consumers.
    pub(super) fn identity<'a>(
        &self,
        certificate: &ClientCertificate,
        now: u64,
        state: u64,
        whose: impl Fn(&Fact) -> Option<&'a Arc<Consumer>>,
    ) -> Whose {
        let key = certificate.fingerprint;
        self.remembered.with(
            || Memory::new(MEMORY),
            |known| {
                match known.find(&key, now) {
                    Some((then, identity)) if *then == state => return identity.clone(),
                    _ => {}
                }
                let identity = consumer(certificate, whose).map(|consumer| {
                    Rc::new(Identity {
                        method: "mtls",
                        consumer,
                        claims: claims(certificate),
                        credential: Some(hex(&key).into()),
                        scopes: Vec::new(),
                    })
                });
                let size = ENTRY + certificate.der.len();
                known.remember(key, (state, identity.clone()), u64::MAX, size);
                identity
            },
        )
    }
}

fn consumer<'a>(
    certificate: &ClientCertificate,
    whose: impl Fn(&Fact) -> Option<&'a Arc<Consumer>>,
) -> Result<Option<Arc<Consumer>>, Ambiguous> {
    let mut found: Option<&Arc<Consumer>> = None;
    for fact in facts(certificate) {
        match (whose(&fact), found) {
            (Some(own), Some(other)) if own.name != other.name => return Err(Ambiguous),
            (Some(own), None) => found = Some(own),
            _ => {}
        }
    }
    Ok(found.map(Arc::clone))
}

impl Fact {
    fn read(config: &CertificateConfig) -> Result<Self, Fault> {
        let (key, text) = match config {
            CertificateConfig::Fingerprint(text) => ("fingerprint", text),
            CertificateConfig::Uri(text) => ("uri", text),
            CertificateConfig::Dns(text) => ("dns", text),
            CertificateConfig::Email(text) => ("email", text),
            CertificateConfig::Subject(text) => ("subject", text),
            CertificateConfig::CommonName(text) => ("common_name", text),
        };
        if text.trim().is_empty() {
            return Err(Fault::new("this would be the certificate of nobody")
                .with_hint("write what the certificate says, as `openssl x509 -text` shows it")
                .under(key));
        }
        Ok(match config {
            CertificateConfig::Fingerprint(text) => {
                Self::Fingerprint(fingerprint(text).map_err(|fault| fault.under(key))?)
            }
            CertificateConfig::Uri(text) => Self::Uri(text.as_str().into()),
            // RFC 4343: host names are compared without regard to case.
            CertificateConfig::Dns(text) => Self::Dns(text.to_ascii_lowercase().into()),
            CertificateConfig::Email(text) => Self::Email(text.as_str().into()),
            CertificateConfig::Subject(text) => Self::Subject(text.as_str().into()),
            CertificateConfig::CommonName(text) => Self::CommonName(text.as_str().into()),
        })
    }
}

fn facts(certificate: &ClientCertificate) -> impl Iterator<Item = Fact> {
    let dns = certificate.dns_names.iter();
    let dns = dns.map(|name| Fact::Dns(name.to_ascii_lowercase().into()));
    let uris = certificate.uris.iter();
    let emails = certificate.emails.iter();
    let common_name = certificate.common_name.iter();
    std::iter::once(Fact::Fingerprint(certificate.fingerprint))
        .chain(uris.map(|uri| Fact::Uri(uri.as_str().into())))
        .chain(dns)
        .chain(emails.map(|email| Fact::Email(email.as_str().into())))
        .chain([Fact::Subject(certificate.subject.as_str().into())])
        .chain(common_name.map(|name| Fact::CommonName(name.as_str().into())))
}

/// What expressions see as `claims`.
fn claims(certificate: &ClientCertificate) -> Map<String, Value> {
    let list = |texts: &[String]| Value::from(texts.to_vec());
    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("subject", certificate.subject.as_str().into());
    set("issuer", certificate.issuer.as_str().into());
    set("serial", certificate.serial.as_str().into());
    set("fingerprint", hex(&certificate.fingerprint).into());
    if let Some(name) = &certificate.common_name {
        set("common_name", name.as_str().into());
    }
    for (name, one, all) in [
        ("dns", "first_dns", &certificate.dns_names),
        ("uri", "first_uri", &certificate.uris),
        ("email", "first_email", &certificate.emails),
    ] {
        if let Some(first) = all.first() {
            set(name, list(all));
            set(one, first.as_str().into());
        }
    }
    claims
}

/// 64 hexadecimal digits, with or without colons between the bytes.
fn fingerprint(text: &str) -> Result<[u8; 32], Fault> {
    let digits = text.replace(':', "");
    super::keys::digest(&digits).map_err(|_| {
        Fault::new("a fingerprint has 64 hexadecimal digits")
            .with_hint("`openssl x509 -noout -fingerprint -sha256 -in client.pem` prints it")
    })
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("len", &self.by_fact.len())
            .finish_non_exhaustive()
    }
}
