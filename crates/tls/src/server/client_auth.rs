use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, RootCertStore};

use super::settings::{ClientAuth, ClientCa};
use crate::error::TlsError;
use crate::material::Loader;

impl ClientAuth {
    pub(crate) fn authority(&self) -> Option<&ClientCa> {
        match self {
            Self::None => None,
            Self::Optional(ca) | Self::Required(ca) => Some(ca),
        }
    }
}

/// The verifier of client certificates, if the listener asks for them. What is wrong goes to the
/// loader.
pub(crate) fn verifier(
    loader: &mut Loader<'_>,
    auth: &ClientAuth,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn ClientCertVerifier>> {
    let authority = auth.authority()?;
    let roots = root_store(loader, &authority.ca);
    let lists = match &authority.crl {
        Some(path) => loader.revocation_lists(path)?,
        None => Vec::new(),
    };
    let mut builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots?), Arc::clone(provider));
    if !lists.is_empty() {
        // Lists cover the CAs that issue to clients; demanding one from each CA above them would
        // refuse everybody where the root publishes none.
        builder = builder.with_crls(lists).only_check_end_entity_revocation();
    }
    if matches!(auth, ClientAuth::Optional(_)) {
        builder = builder.allow_unauthenticated();
    }
    let built = builder.build().map_err(|error| {
        let file = authority.crl.as_ref().unwrap_or(&authority.ca);
        TlsError::of_file(
            file,
            format!("client certificates cannot be verified with this: {error}"),
            "export the CA certificates and revocation lists again from the CA",
        )
    });
    loader.keep(built)
}

/// The CAs of a PEM file as trust anchors.
pub(crate) fn root_store(loader: &mut Loader<'_>, path: &Path) -> Option<RootCertStore> {
    let authorities = loader.authorities(path)?;
    let mut roots = RootCertStore::empty();
    for (index, authority) in authorities.into_iter().enumerate() {
        if let Err(error) = roots.add(authority) {
            loader.errors.push(TlsError::of_file(
                path,
                match error {
                    rustls::Error::InvalidCertificate(CertificateError::BadEncoding) => {
                        format!("certificate {} in the file cannot be parsed", index + 1)
                    }
                    other => format!("certificate {} cannot serve as a CA: {other}", index + 1),
                },
                "leave only CA certificates in the file",
            ));
            return None;
        }
    }
    Some(roots)
}
