//! TLS towards services.

use lintel_tls::{ClientCertificate, ClientSettings, Roots};

use crate::model;

pub(crate) fn tls(tls: &model::UpstreamTls) -> ClientSettings {
    ClientSettings {
        roots: tls
            .ca
            .as_ref()
            .map_or(Roots::System, |ca| Roots::File(ca.as_path().to_owned())),
        server_name: tls.server_name.clone(),
        client_certificate: tls
            .client_certificate
            .as_ref()
            .map(|pair| ClientCertificate {
                cert: pair.cert.as_path().to_owned(),
                key: pair.key.as_path().to_owned(),
            }),
        verify: !tls.insecure_skip_verify,
        ..ClientSettings::default()
    }
}
