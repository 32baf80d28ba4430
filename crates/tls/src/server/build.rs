use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    NoClientAuth, NoServerSessionStorage, ProducesTickets, ServerSessionMemoryCache,
    StoresServerSessions,
};

use super::client_auth;
use super::settings::{CipherPolicy, ClientAuth, Resumption, ServerSettings};
use super::sni::{Duplicate, SniResolver};
use super::tickets::FileTickets;
use crate::error::{TlsError, TlsWarning, TlsWarningKind};
use crate::info::{Fingerprint, TlsVersion};
use crate::material::{self, Certified, Files, Loader};
use crate::provider::{alpn_names, provider, versions};

/// Sessions of TLS 1.2 clients without ticket support that are remembered: a rare kind.
const REMEMBERED_SESSIONS: usize = 1024;

/// TLS 1.3 tickets for a client that does not say how many it wants. One is enough to resume one
/// connection; a browser that opens several says so, or opens them before the first ticket.
const TICKETS: usize = 1;

/// TLS 1.3 tickets for a client that asks for that many (RFC 9149).
const MAX_TICKETS: usize = 4;

/// Everything that one reading of the files leads to.
pub(crate) struct State {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) verifier: Option<Arc<dyn ClientCertVerifier>>,
    pub(crate) resolver: Arc<SniResolver>,
    pub(crate) warnings: Vec<TlsWarning>,
    fingerprint: Fingerprint,
    stale_at: Option<SystemTime>,
    /// A digest of the rules for clients, on which resumed sessions rely.
    binding: Fingerprint,
}

/// Every file that the settings name.
pub(crate) fn paths(settings: &ServerSettings) -> impl Iterator<Item = &Path> {
    let certificates = settings.certificates.iter().flat_map(|source| {
        let both = [source.cert.as_path(), source.key.as_path()];
        both.into_iter().chain(source.ocsp.as_deref())
    });
    let client_auth = client_auth_paths(&settings.client_auth);
    let tickets = match &settings.resumption {
        Resumption::Off => &[],
        Resumption::Tickets { keys } => keys.as_slice(),
    };
    certificates
        .chain(client_auth)
        .chain(tickets.iter().map(AsRef::as_ref))
}

pub(crate) fn read_files(settings: &ServerSettings) -> Files {
    Files::read_all(paths(settings))
}

fn client_auth_paths(auth: &ClientAuth) -> impl Iterator<Item = &Path> {
    auth.authority()
        .into_iter()
        .flat_map(|ca| std::iter::once(ca.ca.as_path()).chain(ca.crl.as_deref()))
}

impl State {
    pub(crate) fn build(
        settings: &ServerSettings,
        now: SystemTime,
        previous: Option<&Self>,
    ) -> Result<Self, Vec<TlsError>> {
        Self::build_from(settings, &read_files(settings), now, previous)
    }

    /// Builds from files that have been read. Resumption goes on from `previous` where that is
    /// sound.
    pub(crate) fn build_from(
        settings: &ServerSettings,
        files: &Files,
        now: SystemTime,
        previous: Option<&Self>,
    ) -> Result<Self, Vec<TlsError>> {
        let mut loader = Loader::new(files, now);
        let provider = provider();
        let versions = loader.keep(enabled_versions(settings));
        let resolver = resolver(&mut loader, settings);
        let verifier = client_auth::verifier(&mut loader, &settings.client_auth, &provider);
        let binding = binding(&settings.client_auth, files);
        let resumption = resumption(&mut loader, settings, binding, previous);
        let (Some(versions), Some(resolver), Some(resumption), true) =
            (versions, resolver, resumption, loader.errors.is_empty())
        else {
            return Err(loader.errors);
        };
        let resolver = Arc::new(resolver);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|error| {
                vec![TlsError::of_settings(
                    error.to_string(),
                    "change the versions",
                )]
            })?
            .with_client_cert_verifier(verifier.clone().unwrap_or_else(|| Arc::new(NoClientAuth)))
            .with_cert_resolver(Arc::clone(&resolver) as _);
        config.alpn_protocols = alpn_names(&settings.alpn);
        config.ticketer = resumption.ticketer;
        config.session_storage = resumption.sessions;
        config.send_tls13_tickets = resumption.tickets;
        config.max_tls13_tickets = resumption.max_tickets;
        Ok(Self {
            config: Arc::new(config),
            verifier,
            resolver,
            warnings: loader.warnings,
            fingerprint: files.fingerprint(),
            stale_at: loader.stale_at,
            binding,
        })
    }

    /// Whether these files, or the time that has passed, lead to another outcome.
    pub(crate) fn is_outdated(&self, files: &Files, now: SystemTime) -> bool {
        self.fingerprint != files.fingerprint() || self.stale_at.is_some_and(|at| at <= now)
    }
}

fn enabled_versions(
    settings: &ServerSettings,
) -> Result<Vec<&'static rustls::SupportedProtocolVersion>, TlsError> {
    let min = match settings.ciphers {
        CipherPolicy::Modern => TlsVersion::V1_3,
        CipherPolicy::Intermediate => settings.min_version,
    };
    versions(min, settings.max_version)
}

fn resolver(loader: &mut Loader<'_>, settings: &ServerSettings) -> Option<SniResolver> {
    let provider = provider();
    let certified: Vec<Option<Certified>> = settings
        .certificates
        .iter()
        .map(|source| material::certified(loader, source, &provider))
        .collect();
    if settings.default_certificate >= settings.certificates.len() {
        loader.errors.push(if settings.certificates.is_empty() {
            TlsError::of_settings(
                "no certificate is given",
                "name at least one certificate with its key",
            )
        } else {
            TlsError::of_settings(
                format!("there is no certificate {}", settings.default_certificate),
                "choose the default certificate among those given",
            )
        });
    }
    let certified = certified.into_iter().collect::<Option<Vec<_>>>()?;
    let (resolver, duplicates) = SniResolver::new(
        &certified,
        settings.default_certificate,
        settings.unmatched_name,
    );
    for Duplicate { index, name } in duplicates {
        if let Some(source) = settings.certificates.get(index) {
            loader.warn(
                TlsWarningKind::DuplicateName,
                &source.cert,
                format!(
                    "an earlier certificate of the same key type is for {name} too, and is \
                         shown instead"
                ),
                "remove one of them",
            );
        }
    }
    Some(resolver)
}

struct ResumptionParts {
    ticketer: Arc<dyn ProducesTickets>,
    sessions: Arc<dyn StoresServerSessions>,
    tickets: usize,
    max_tickets: usize,
}

fn resumption(
    loader: &mut Loader<'_>,
    settings: &ServerSettings,
    binding: Fingerprint,
    previous: Option<&State>,
) -> Option<ResumptionParts> {
    let reusable = previous.filter(|previous| previous.binding == binding);
    let keys = match &settings.resumption {
        Resumption::Off => {
            return Some(ResumptionParts {
                ticketer: Arc::new(NoTickets),
                sessions: Arc::new(NoServerSessionStorage {}),
                tickets: 0,
                max_tickets: 0,
            });
        }
        Resumption::Tickets { keys } => keys,
    };
    let ticketer = match (reusable, keys.as_slice()) {
        (Some(previous), []) => Arc::clone(&previous.config.ticketer),
        (None, []) => loader.keep(Ticketer::new().map_err(|error| {
            TlsError::of_settings(
                format!("no ticket keys can be made: {error}"),
                "check the system's source of randomness",
            )
        }))?,
        (_, keys) => FileTickets::load(loader, keys, binding)?,
    };
    let sessions = match reusable {
        Some(previous) => Arc::clone(&previous.config.session_storage),
        None => ServerSessionMemoryCache::new(REMEMBERED_SESSIONS),
    };
    Some(ResumptionParts {
        ticketer,
        sessions,
        tickets: TICKETS,
        max_tickets: MAX_TICKETS,
    })
}

/// A digest of the rules for client certificates. A session that was begun under other rules must
/// not be resumed: that a client was authenticated, or did not need to be, is part of it. The
/// contents count and not the paths, so that replicas agree.
fn binding(auth: &ClientAuth, files: &Files) -> Fingerprint {
    let mode: &[u8] = match auth {
        ClientAuth::None => b"none",
        ClientAuth::Optional(_) => b"optional",
        ClientAuth::Required(_) => b"required",
    };
    let mut rules = Fingerprint::of(mode).0.to_vec();
    for path in client_auth_paths(auth) {
        let content = files.read(path).unwrap_or_default();
        rules.extend_from_slice(&Fingerprint::of(content).0);
    }
    Fingerprint::of(&rules)
}

/// No tickets at all.
#[derive(Debug)]
struct NoTickets;

impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _plain: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _cipher: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
