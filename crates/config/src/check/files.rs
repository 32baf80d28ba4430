//! Files that are named must be there.

use std::path::PathBuf;

use super::Check;
use crate::{
    diagnostic::code,
    loaded::is_readable,
    model::{Certificate, Discover, ListenerTls, Model, Store, UpstreamTls},
    text::FilePath,
};

/// A file that the configuration names.
pub(crate) struct Named {
    pub(crate) path: PathBuf,
    /// Where it is named.
    pub(crate) place: Vec<String>,
    /// Whether it is a private key.
    pub(crate) key: bool,
}

/// Every file that the model names, but for those that are written to.
pub(crate) fn files(model: &Model) -> Vec<Named> {
    let mut found = Found(Vec::new());
    for (name, listener) in &model.listeners {
        if let Some(tls) = &listener.tls {
            found.listener(&["listeners", name.as_str(), "tls"], tls);
        }
    }
    if let Some(tls) = model.admin.as_ref().and_then(|admin| admin.tls.as_ref()) {
        found.listener(&["admin", "tls"], tls);
    }
    for (name, store) in &model.stores {
        let Store::Redis(redis) = store;
        if let Some(tls) = &redis.tls {
            found.upstream(&["stores", name.as_str(), "redis", "tls"], tls);
        }
    }
    for (name, service) in &model.services {
        for (at, file) in service.descriptors.iter().enumerate() {
            let base = ["services", name.as_str(), "descriptors"];
            found.maybe(&base, &at.to_string(), Some(file));
        }
        if let Some(tls) = &service.tls {
            found.upstream(&["services", name.as_str(), "tls"], tls);
        }
        if let Some(Discover::Kubernetes(source)) = &service.discover {
            let base = ["services", name.as_str(), "discover", "kubernetes"];
            found.maybe(&base, "kubeconfig", source.kubeconfig.as_ref());
        }
        if let Some(discover) = &service.discover
            && let (_, Some(tls)) = discover.servers()
        {
            let key = discover.key();
            found.upstream(&["services", name.as_str(), "discover", key, "tls"], tls);
        }
    }
    found.0
}

struct Found(Vec<Named>);

impl Found {
    fn listener(&mut self, base: &[&str], tls: &ListenerTls) {
        for (at, certificate) in tls.certificates.iter().enumerate() {
            self.certificate(
                &[base, &["certificates", &at.to_string()]].concat(),
                certificate,
            );
        }
        if let Some(auth) = &tls.client_auth {
            let base = [base, &["client_auth"]].concat();
            self.maybe(&base, "ca", Some(&auth.ca));
            self.maybe(&base, "crl", auth.crl.as_ref());
        }
    }

    fn upstream(&mut self, base: &[&str], tls: &UpstreamTls) {
        self.maybe(base, "ca", tls.ca.as_ref());
        if let Some(certificate) = &tls.client_certificate {
            self.certificate(&[base, &["client_certificate"]].concat(), certificate);
        }
    }

    fn certificate(&mut self, base: &[&str], certificate: &Certificate) {
        self.maybe(base, "cert", Some(&certificate.cert));
        self.maybe(base, "key", Some(&certificate.key));
        self.maybe(base, "ocsp", certificate.ocsp.as_ref());
    }

    fn maybe(&mut self, base: &[&str], key: &str, file: Option<&FilePath>) {
        let Some(file) = file else { return };
        self.0.push(Named {
            path: file.as_path().to_owned(),
            place: base
                .iter()
                .copied()
                .chain([key])
                .map(str::to_owned)
                .collect(),
            key: key == "key",
        });
    }
}

pub(super) fn check(check: &mut Check<'_>) {
    for file in files(&check.loaded.model) {
        let Err(reason) = is_readable(&file.path) else {
            continue;
        };
        let place: Vec<&str> = file.place.iter().map(String::as_str).collect();
        let shown = check.loaded.shown(&place, &file.path.display().to_string());
        let source = check.loaded.sources.get(check.loaded.locate(&place).source);
        let folder = source
            .map(|source| source.folder().display().to_string())
            .unwrap_or_default();
        let diagnostic = check
            .error(
                code::FILE_NOT_FOUND,
                &place,
                format!("the file {shown} can't be read: {reason}"),
            )
            .at(check.loaded.locate(&place), "named here")
            .help(format!(
                "paths start from the folder of the configuration file, here `{folder}`"
            ));
        check.push(diagnostic);
    }
}
