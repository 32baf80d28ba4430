//! A configuration with stand-ins for everything that it names outside the process; for
//! `lintel test`.

use std::net::SocketAddr;

use crate::{
    loaded::Loaded,
    model::{Service, ServiceProtocol, Target},
    redact::HIDDEN,
    text::{Endpoint, HostRule, Scheme},
};

/// Shorter values from outside are left in texts: nobody keeps a secret of three characters, and
/// to hide every `1` would make them unreadable.
const SHORTEST_SECRET: usize = 4;

impl Loaded {
    /// The same configuration with every service at one plaintext HTTP/1.1 endpoint, without TLS
    /// towards clients, and with policies that open nothing outside the process. Routes, policies,
    /// limits and what services are told (`host`) stay what they are; where `host: endpoint` leaves
    /// a choice, it is the first endpoint's. Nothing is mirrored.
    #[must_use]
    pub fn rehearsal(mut self, stand_in: SocketAddr) -> Self {
        self.rehearsed = true;
        for listener in self.model.listeners.values_mut() {
            listener.tls = None;
        }
        for route in self.model.routes.values_mut() {
            // A copy would look to the stand-in like a second request.
            route.mirror = None;
        }
        for service in self.model.services.values_mut() {
            service.stand_in(stand_in);
        }
        self
    }

    /// A text with `***` for every value in it that came from outside or is a secret.
    pub fn masked(&self, text: &str) -> String {
        let secrets = self.sources.secrets();
        let hidden = self.outside.iter().map(String::as_str).chain(secrets);
        let mut hidden: Vec<&str> = hidden
            .filter(|value| value.len() >= SHORTEST_SECRET)
            .collect();
        // The longest first: one may be part of another.
        hidden.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
        hidden
            .into_iter()
            .fold(text.to_owned(), |text, value| text.replace(value, HIDDEN))
    }
}

impl Service {
    fn stand_in(&mut self, address: SocketAddr) {
        if self.host == HostRule::Endpoint
            && let Some(first) = self.endpoints.first()
        {
            self.host = HostRule::Fixed(authority(first.endpoint()));
        }
        self.endpoints = vec![Target::Url(Endpoint::Tcp {
            scheme: Scheme::Http,
            host: address.ip().to_string(),
            port: address.port(),
        })];
        self.protocol = ServiceProtocol::Http1;
        self.tls = None;
    }
}

/// Without the port where it is the scheme's default (RFC 9110 §4.2.1, §4.2.2).
fn authority(endpoint: &Endpoint) -> String {
    let Endpoint::Tcp { scheme, host, port } = endpoint else {
        return "localhost".to_owned();
    };
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.clone(),
    };
    match (scheme, port) {
        (Scheme::Http, 80) | (Scheme::Https, 443) => host,
        _ => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Loader;

    fn load(text: &str) -> Loaded {
        let loader = Loader::new().environment([("TOKEN", "s3cr3t"), ("N", "7")]);
        loader
            .without_files()
            .load_texts([("gateway.yaml".into(), text)])
            .unwrap()
    }

    #[test]
    fn services_stand_in_and_are_told_the_same_host() {
        let loaded = load(
            "version: 1\nlisteners: { a: { bind: 127.0.0.1:0 } }\nservices:\n\
             \x20 named: { endpoints: [https://api.internal], host: endpoint, tls: { ca: ca.pem } }\n\
             \x20 port: { endpoints: [\"http://[fd00::1]:81\"], host: endpoint, protocol: grpc }\n\
             \x20 kept: { endpoints: [http://b] }\n",
        );
        let rehearsal = loaded.rehearsal(([127, 0, 0, 1], 9).into());
        let hosts = rehearsal.model.services.values().map(|service| {
            assert_eq!(
                service.endpoints.first().unwrap().endpoint().to_string(),
                "http://127.0.0.1:9"
            );
            assert!(service.tls.is_none());
            service.host.to_string()
        });
        assert_eq!(
            hosts.collect::<Vec<_>>(),
            ["preserve", "api.internal", "[fd00::1]:81"]
        );
    }

    #[test]
    fn what_came_from_outside_is_masked() {
        let loaded = load(
            "version: 1\nlisteners: { a: { bind: 127.0.0.1:0 } }\n\
             routes: { a: { match: { path: /a }, to: { respond: { body: \"x-${env.TOKEN}-${env.N}\" } } } }\n",
        );
        assert_eq!(loaded.masked("7 s3cr3t 7"), "7 *** 7");
    }
}
