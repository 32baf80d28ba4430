use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use rustls::client::{Resumption, UnbufferedClientConnection, WebPkiServerVerifier};
use rustls::sign::SingleCertAndKey;
use rustls_pki_types::ServerName;

use super::roots;
use super::settings::ClientSettings;
use super::unverified::Unverified;
use crate::connection::TlsConnection;
use crate::error::{TlsError, TlsWarning, TlsWarningKind};
use crate::handshake_error::{HandshakeError, HandshakeErrorKind};
use crate::info::{Fingerprint, TlsVersion};
use crate::material::{self, Files, Loader};
use crate::provider::{alpn_names, provider, versions};
use crate::server::local;
use crate::session::Session;
use crate::socket::Socket;
use crate::stream::Stream;

/// Sessions to resume that are remembered for one service, all its names together. rustls keeps up
/// to 8 for a name and reserves the memory at once, about 3 KiB.
const REMEMBERED_SESSIONS: usize = 32;

/// The TLS side of a service: turns connected sockets into TLS streams.
///
/// Shared by all workers, and with it the sessions to resume.
pub struct Connector {
    settings: ClientSettings,
    server_name: Option<ServerName<'static>>,
    state: ArcSwap<State>,
    /// One reload at a time, so that an older reading of the files never replaces a newer one.
    reloading: Mutex<()>,
}

struct State {
    config: Arc<ClientConfig>,
    warnings: Vec<TlsWarning>,
    fingerprint: Fingerprint,
    stale_at: Option<SystemTime>,
}

impl Connector {
    /// Reads and checks all files.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the settings and the files, not only the first mistake.
    pub fn build(settings: &ClientSettings) -> Result<Self, Vec<TlsError>> {
        let server_name = settings.server_name.as_deref().map(parse_name).transpose();
        let state = State::build(settings, &read_files(settings), SystemTime::now());
        let (state, server_name) = match (state, server_name) {
            (Ok(state), Ok(server_name)) => (state, server_name),
            (Ok(_), Err(error)) => return Err(vec![error]),
            (Err(errors), server_name) => {
                return Err(server_name.err().into_iter().chain(errors).collect());
            }
        };
        Ok(Self {
            settings: settings.clone(),
            server_name,
            state: ArcSwap::from_pointee(state),
            reloading: Mutex::new(()),
        })
    }

    /// Reads the files again and, if any has changed, uses them from the next handshake on. Tells
    /// whether anything has changed. Blocks on the disk: not for a worker's thread.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the new files; the old material stays in use.
    pub fn reload(&self) -> Result<bool, Vec<TlsError>> {
        let _one = self
            .reloading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        let files = read_files(&self.settings);
        let current = self.state.load_full();
        if current.fingerprint == files.fingerprint() && current.stale_at.is_none_or(|at| at > now)
        {
            return Ok(false);
        }
        let next = State::build(&self.settings, &files, now)?;
        self.state.store(Arc::new(next));
        Ok(true)
    }

    /// The settings that this was built from.
    pub fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    /// Every file that a reload reads: what to watch.
    pub fn files(&self) -> Vec<PathBuf> {
        self.settings.paths().map(PathBuf::from).collect()
    }

    /// What works and should not stay so, as of the last load.
    pub fn warnings(&self) -> Vec<TlsWarning> {
        self.state.load().warnings.clone()
    }

    /// Does the client's side of a handshake with `host`, a host name or an IP address, unless the
    /// settings name the server. The caller sets the time limit.
    ///
    /// # Errors
    ///
    /// Why there is no TLS session. The server has been sent the alert for it. That a server
    /// refuses our client certificate shows only at the first read under TLS 1.3 (RFC 8446
    /// §4.4.2.4).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection.
    pub async fn connect(&self, host: &str, socket: Socket) -> Result<Stream, HandshakeError> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => parse_name(host)
                .map_err(|error| HandshakeError::new(HandshakeErrorKind::Local, error.problem))?,
        };
        let config = Arc::clone(&self.state.load().config);
        let session =
            UnbufferedClientConnection::new(config, name).map_err(|error| local(&error))?;
        let mut connection = Box::new(TlsConnection::new(socket, Session::Client(session)));
        match std::future::poll_fn(|cx| connection.poll_handshake(cx)).await {
            Ok(()) => Ok(Stream::Tls(connection)),
            Err(fault) => Err(HandshakeError::of_connection(&fault, *connection)),
        }
    }
}

fn read_files(settings: &ClientSettings) -> Files {
    let given = settings.given.iter();
    Files::read_all(settings.paths()).with(given.map(|given| (&*given.path, &*given.pem)))
}

/// A host name or an IP address; IPv6 with or without brackets.
fn parse_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    ServerName::try_from(bare.trim_end_matches('.').to_owned()).map_err(|_| {
        TlsError::of_settings(
            format!("`{host}` is neither a host name nor an IP address"),
            "write the name that the server's certificate is for",
        )
    })
}

impl State {
    fn build(
        settings: &ClientSettings,
        files: &Files,
        now: SystemTime,
    ) -> Result<Self, Vec<TlsError>> {
        let mut loader = Loader::new(files, now);
        let provider = provider();
        let versions = loader.keep(versions(settings.min_version, TlsVersion::V1_3));
        let certificate = settings
            .client_certificate
            .as_ref()
            .map(|pair| material::client_certified(&mut loader, &pair.cert, &pair.key, &provider));
        let roots = roots::load(&mut loader, &settings.roots);
        let (Some(versions), Some(roots), true) = (versions, roots, loader.errors.is_empty())
        else {
            return Err(loader.errors);
        };
        let settings_error = |error: String| {
            vec![TlsError::of_settings(
                error,
                "change the roots or the versions",
            )]
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(|error| settings_error(error.to_string()))?;
        let builder = if settings.verify {
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
                .build()
                .map_err(|error| settings_error(error.to_string()))?;
            builder.with_webpki_verifier(verifier)
        } else {
            loader.warnings.push(not_verified());
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Unverified::new(provider)))
        };
        let mut config = match certificate.flatten() {
            Some(pair) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn_names(&settings.alpn);
        config.resumption = Resumption::in_memory_sessions(REMEMBERED_SESSIONS);
        Ok(Self {
            config: Arc::new(config),
            warnings: loader.warnings,
            fingerprint: files.fingerprint(),
            stale_at: loader.stale_at,
        })
    }
}

fn not_verified() -> TlsWarning {
    TlsWarning {
        kind: TlsWarningKind::NotVerified,
        file: None,
        problem: "the server's certificate is not verified: anybody on the way can read and \
                  change the traffic"
            .to_owned(),
        help: "give the server's CA instead, and remove insecure_skip_verify".to_owned(),
    }
}
