use std::collections::BTreeMap;

use lintel_kernel::{Fault, config};

use super::{Mtls, reject::Refusals, tell::Tell};
use crate::{Context, challenge, described, forward::Forward};

/// Which certificates will do, and what the upstream is told of them. Listeners ask for certificates
/// with `tls.client_auth`; whose they are belongs to `consumers`.
#[config]
#[schemars(rename = "Mtls")]
pub struct Config {
    /// Whether any certificate will do that the listener accepts. Without it, it must be one of a
    /// declared consumer.
    #[serde(default)]
    pub allow_unknown: bool,

    /// Header fields that tell the upstream who is calling: names, and the expressions that give
    /// their values. What clients send under these names is always removed.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, described::Expression>")]
    #[schemars(example = serde_json::json!({ "X-Consumer": "consumer.name" }))]
    pub forward: BTreeMap<String, String>,

    /// The header field that tells the upstream of the certificate itself. Whether it is set or not,
    /// what clients send as `Client-Cert`, `Client-Cert-Chain` and `X-Forwarded-Client-Cert` is
    /// removed.
    #[serde(default)]
    pub forward_certificate: Option<CertificateField>,

    /// What the certificate is for, as a 401 tells callers.
    #[serde(default = "realm")]
    pub realm: String,
}

fn realm() -> String {
    "api".to_owned()
}

/// A header field that holds a certificate.
#[config]
#[derive(Copy)]
pub enum CertificateField {
    /// `Client-Cert` (RFC 9440): the whole certificate.
    ClientCert,
    /// `X-Forwarded-Client-Cert` as Envoy writes it: its SHA-256, subject, URIs and host names.
    Xfcc,
}

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<Mtls, Vec<Fault>> {
        let mut faults = Vec::new();
        let forward = Forward::build(&self.forward, context);
        let forward = forward.map_err(|found| faults.extend(found));
        let refusals = Refusals::new(&self.realm);
        if refusals.is_none() {
            faults.push(challenge::unquotable("realm"));
        }
        match (forward, refusals) {
            (Ok(forward), Some(refusals)) => Ok(Mtls {
                roll: context.roll(),
                refusals,
                forward,
                tell: self.forward_certificate.map(|field| match field {
                    CertificateField::ClientCert => Tell::Rfc9440,
                    CertificateField::Xfcc => Tell::Xfcc,
                }),
                anyone: self.allow_unknown,
            }),
            _ => Err(faults),
        }
    }
}
