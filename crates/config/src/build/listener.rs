//! Listeners: where requests come in, and what is demanded of them.

use std::{path::Path, sync::Arc};

use lintel_http::{
    forwarded::{ForwardRules, Mode, Via},
    http1::server::Options,
    path,
};
use lintel_proxy::snapshot::{ListenerRules, Peers};
use lintel_server::{Bind, H2Limits, Limits, ListenerSpec, Protocols};
use lintel_tls::{
    Acceptor, Alpn, CertificateSource, ClientAuth, ClientCa, Resumption, ServerSettings, TlsError,
    TlsVersion, UnmatchedName,
};

use super::Builder;
use crate::{
    check,
    diagnostic::{Diagnostic, code},
    model::{self, Listener, Protocol},
    span::Span,
    text,
};

/// The pseudonym in `Via`.
const PSEUDONYM: &str = "lintel";

pub(super) fn build(builder: &mut Builder<'_>) -> Vec<Arc<ListenerSpec>> {
    let model = &builder.loaded.model;
    let mut specs = Vec::with_capacity(model.listeners.len());
    for (name, listener) in &model.listeners {
        let before = builder
            .previous_listener(name.as_str())
            .and_then(|spec| spec.tls.clone());
        let tls = match &listener.tls {
            None => None,
            Some(tls) => match acceptor(&settings(tls, listener.protocols()), before) {
                Ok(acceptor) => Some(acceptor),
                Err(errors) => {
                    let place = ["listeners", name.as_str(), "tls"];
                    let found = errors
                        .iter()
                        .map(|error| tls_error(builder, &place, error))
                        .collect::<Vec<_>>();
                    builder.out.extend(found);
                    continue;
                }
            },
        };
        specs.push(Arc::new(spec(name.as_str(), listener, &model.tracing, tls)));
    }
    specs
}

/// Keeps the previous acceptor where only the files behind it changed: its ticket keys live on.
fn acceptor(
    settings: &ServerSettings,
    before: Option<Arc<Acceptor>>,
) -> Result<Arc<Acceptor>, Vec<TlsError>> {
    match before.filter(|before| before.settings() == settings) {
        Some(before) => before.reload().map(|_changed| before),
        None => Acceptor::build(settings).map(Arc::new),
    }
}

/// What is wrong with a certificate or its like, shown where the configuration names the file.
pub(super) fn tls_error(builder: &Builder<'_>, place: &[&str], error: &TlsError) -> Diagnostic {
    let span = error.file.as_deref().and_then(|file| named(builder, file));
    let message = match &error.file {
        Some(file) => format!("{}: {}", file.display(), error.problem),
        None => error.problem.clone(),
    };
    let span = span.unwrap_or_else(|| builder.loaded.locate(place));
    Diagnostic::error(code::TLS, message)
        .at(span, "")
        .help(error.help.clone())
        .path(place.join("."))
}

/// Where the configuration names a file.
fn named(builder: &Builder<'_>, file: &Path) -> Option<Span> {
    let files = check::files(&builder.loaded.model);
    let named = files.into_iter().find(|named| named.path == file)?;
    Some(builder.loaded.locate(&named.place))
}

/// The TLS settings of a listener that speaks these versions of HTTP.
pub fn settings(tls: &model::ListenerTls, protocols: &[Protocol]) -> ServerSettings {
    let alpn = protocols.iter().filter_map(|protocol| match protocol {
        Protocol::H2 => Some(Alpn::H2),
        Protocol::Http1 => Some(Alpn::Http1),
        Protocol::H2c => None,
    });
    let mut alpn: Vec<Alpn> = alpn.collect();
    // The server's order counts: HTTP/2 first.
    alpn.sort_by_key(|protocol| *protocol != Alpn::H2);
    ServerSettings {
        certificates: tls
            .certificates
            .iter()
            .map(|pair| CertificateSource {
                cert: pair.cert.as_path().to_owned(),
                key: pair.key.as_path().to_owned(),
                ocsp: pair.ocsp.as_ref().map(|path| path.as_path().to_owned()),
            })
            .collect(),
        unmatched_name: if tls.strict_sni {
            UnmatchedName::Refuse
        } else {
            UnmatchedName::ShowDefault
        },
        min_version: match tls.min_version {
            model::TlsVersion::V1_2 => TlsVersion::V1_2,
            model::TlsVersion::V1_3 => TlsVersion::V1_3,
        },
        alpn,
        client_auth: tls
            .client_auth
            .as_ref()
            .map_or(ClientAuth::None, client_auth),
        resumption: if tls.session_tickets {
            Resumption::default()
        } else {
            Resumption::Off
        },
        handshake_timeout: tls.handshake_timeout.to_std(),
        ..ServerSettings::default()
    }
}

fn client_auth(auth: &model::ClientAuth) -> ClientAuth {
    let ca = ClientCa {
        ca: auth.ca.as_path().to_owned(),
        crl: auth.crl.as_ref().map(|path| path.as_path().to_owned()),
    };
    match auth.mode {
        model::ClientAuthMode::Optional => ClientAuth::Optional(ca),
        model::ClientAuthMode::Required => ClientAuth::Required(ca),
    }
}

fn spec(
    name: &str,
    listener: &Listener,
    tracing: &model::Tracing,
    tls: Option<Arc<Acceptor>>,
) -> ListenerSpec {
    let limits = &listener.limits;
    let protocols = listener.protocols();
    let binds = listener.bind.as_slice().iter().map(|bind| match bind {
        text::Bind::Tcp(address) => Bind::Tcp(*address),
        text::Bind::Unix(path) => Bind::Unix {
            path: path.clone(),
            mode: listener.socket_mode.map(text::FileMode::bits),
        },
    });
    ListenerSpec {
        tls,
        protocols: Protocols {
            http1: protocols.contains(&Protocol::Http1),
            h2: protocols
                .iter()
                .any(|protocol| *protocol != Protocol::Http1),
        },
        http1: Options {
            max_header_bytes: limits.header_bytes.as_usize(),
            max_headers: usize::from(limits.header_count),
            max_uri_bytes: limits.uri_bytes.as_usize(),
            header_timeout: limits.header_timeout.to_std(),
            idle_timeout: limits.idle.to_std(),
            body_idle_timeout: limits.body_idle.to_std(),
            write_timeout: limits.body_idle.to_std(),
            max_requests: limits.requests_per_connection,
            half_close: listener.half_close == model::HalfClose::Finish,
        },
        h2: H2Limits {
            max_concurrent_streams: limits.h2.concurrent_streams,
            max_header_list_bytes: u32::try_from(limits.h2.header_list.as_u64())
                .unwrap_or(u32::MAX),
            max_pending_accept_reset_streams: limits.h2.pending_resets as usize,
            max_local_resets: limits.h2.errors as usize,
            ..H2Limits::default()
        },
        limits: Limits {
            connections: limits.connections,
            connections_per_client: limits.connections_per_client,
            uncounted: listener.trusted_proxies.iter().map(|cidr| cidr.0).collect(),
            ..Limits::default()
        },
        proxy_protocol: listener
            .proxy_protocol
            .as_ref()
            .map(|rules| rules.from.iter().map(|cidr| cidr.0).collect()),
        ..ListenerSpec::new(binds.collect(), Arc::new(rules(name, listener, tracing)))
    }
}

fn rules(name: &str, listener: &Listener, tracing: &model::Tracing) -> ListenerRules {
    ListenerRules {
        name: name.into(),
        path: path_rules(&listener.path),
        forward: ForwardRules {
            trusted: listener.trusted_proxies.iter().map(|cidr| cidr.0).collect(),
            x_forwarded: mode(listener.forwarded.x_forwarded),
            forwarded: mode(listener.forwarded.forwarded),
            via: listener
                .forwarded
                .via
                .then(|| Via::new(PSEUDONYM))
                .flatten(),
        },
        request_id: listener.request_id.header.0.clone(),
        accept_request_id: listener.request_id.accept_from_trusted,
        accept_trace: peers(tracing.accept_from),
        accept_deadline: peers(listener.deadline_from),
        trace_sample: tracing.sample.fraction(),
        server: listener.server_header.as_ref().map(|value| value.0.clone()),
        max_body: listener.limits.body.bytes().unwrap_or(u64::MAX),
        tunnel_idle: listener.limits.tunnel_idle.to_std(),
    }
}

const fn peers(peers: model::Peers) -> Peers {
    match peers {
        model::Peers::Anyone => Peers::Anyone,
        model::Peers::Trusted => Peers::Trusted,
        model::Peers::Nobody => Peers::Nobody,
    }
}

const fn mode(mode: model::ForwardMode) -> Mode {
    match mode {
        model::ForwardMode::Append => Mode::Append,
        model::ForwardMode::Set => Mode::Set,
        model::ForwardMode::Off => Mode::Off,
    }
}

fn path_rules(rules: &model::PathRules) -> path::PathRules {
    path::PathRules {
        encoded_slash: match rules.encoded_slash {
            model::EncodedSlash::Keep => path::EncodedSlash::Keep,
            model::EncodedSlash::Reject => path::EncodedSlash::Reject,
            model::EncodedSlash::Decode => path::EncodedSlash::Decode,
        },
        merge_slashes: rules.merge_slashes,
        resolve_dots: rules.dot_segments == model::DotSegments::Resolve,
        require_utf8: rules.invalid_utf8 == model::Check::Reject,
        observe: rules.mode == model::PathMode::Observe,
    }
}

impl Builder<'_> {
    fn previous_listener(&self, name: &str) -> Option<&Arc<ListenerSpec>> {
        self.previous?
            .generation
            .listeners
            .iter()
            .find(|spec| &*spec.name == name)
    }
}
