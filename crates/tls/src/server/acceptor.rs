use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::HandshakeKind;
use rustls::server::UnbufferedServerConnection;
use rustls_pki_types::UnixTime;

use super::build::{self, State};
use super::settings::ServerSettings;
use crate::connection::{Fault, TlsConnection};
use crate::error::{TlsError, TlsWarning};
use crate::handshake_error::{HandshakeError, HandshakeErrorKind};
use crate::session::Session;
use crate::socket::Socket;
use crate::stream::Stream;

/// The TLS side of a listener: turns accepted sockets into TLS streams.
///
/// Shared by all workers, and with it the means of resuming sessions. A handshake takes the key
/// material of the moment; established connections keep what they began with.
pub struct Acceptor {
    settings: ServerSettings,
    state: ArcSwap<State>,
    /// One reload at a time, so that an older reading of the files never replaces a newer one.
    reloading: Mutex<()>,
}

impl Acceptor {
    /// Reads and checks all files.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the settings and the files, not only the first mistake. An
    /// expired certificate is a warning and no error.
    pub fn build(settings: &ServerSettings) -> Result<Self, Vec<TlsError>> {
        let state = State::build(settings, SystemTime::now(), None)?;
        Ok(Self {
            settings: settings.clone(),
            state: ArcSwap::from_pointee(state),
            reloading: Mutex::new(()),
        })
    }

    /// Reads the files again and, if any has changed, uses them from the next handshake on. Tells
    /// whether anything has changed. Blocks on the disk: not for a worker's thread.
    ///
    /// Sessions can be resumed across a reload unless the client CA or its revocation list has
    /// changed.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the new files; the old material stays in use. A certificate
    /// that has been replaced and whose key has not, yet, is such an error: it goes away with the
    /// reload after the second file.
    pub fn reload(&self) -> Result<bool, Vec<TlsError>> {
        let _one = self
            .reloading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        let current = self.state.load_full();
        let files = build::read_files(&self.settings);
        if !current.is_outdated(&files, now) {
            return Ok(false);
        }
        let next = State::build_from(&self.settings, &files, now, Some(&current))?;
        self.state.store(Arc::new(next));
        Ok(true)
    }

    /// The settings that this was built from.
    pub fn settings(&self) -> &ServerSettings {
        &self.settings
    }

    /// Every file that a reload reads: what to watch.
    pub fn files(&self) -> Vec<PathBuf> {
        build::paths(&self.settings).map(PathBuf::from).collect()
    }

    /// What works and should not stay so, as of the last load.
    pub fn warnings(&self) -> Vec<TlsWarning> {
        self.state.load().warnings.clone()
    }

    /// Whether some certificate is for this host name. If not, clients get the default certificate
    /// and refuse it.
    pub fn covers(&self, host: &str) -> bool {
        self.state
            .load()
            .resolver
            .covers(&host.to_ascii_lowercase())
    }

    /// Does the server's side of a handshake, within the settings' time.
    ///
    /// # Errors
    ///
    /// Why there is no TLS session. The client has been sent the alert for it, except one that
    /// speaks plain HTTP: see [`HandshakeError::into_plain_http`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection.
    pub async fn accept(&self, socket: Socket) -> Result<Stream, HandshakeError> {
        let state = self.state.load_full();
        let session = UnbufferedServerConnection::new(Arc::clone(&state.config))
            .map_err(|error| local(&error))?;
        let mut connection = Box::new(TlsConnection::new(socket, Session::Server(session)));
        let handshake = std::future::poll_fn(|cx| connection.poll_handshake(cx));
        let limit = self.settings.handshake_timeout;
        let met = tokio::time::timeout(limit, handshake).await;
        if let Err(fault) = met.unwrap_or(Err(Fault::TimedOut(limit))) {
            return Err(HandshakeError::of_connection(&fault, *connection));
        }
        if let Err(error) = verify_resumed(&state, connection.session()) {
            return Err(HandshakeError::of_connection(
                &Fault::Tls(error),
                *connection,
            ));
        }
        Ok(Stream::Tls(connection))
    }
}

/// A resumed session carries the client's certificate from the first handshake, which rustls does
/// not look at again: it may have expired or been revoked since, or the rules may have changed.
fn verify_resumed(state: &State, session: &rustls::CommonState) -> Result<(), rustls::Error> {
    let Some(verifier) = &state.verifier else {
        return Ok(());
    };
    if session.handshake_kind() != Some(HandshakeKind::Resumed) {
        return Ok(());
    }
    match session.peer_certificates().and_then(<[_]>::split_first) {
        Some((leaf, intermediates)) => verifier
            .verify_client_cert(leaf, intermediates, UnixTime::now())
            .map(drop),
        None if verifier.client_auth_mandatory() => Err(rustls::Error::NoCertificatesPresented),
        None => Ok(()),
    }
}

pub(crate) fn local(error: &rustls::Error) -> HandshakeError {
    HandshakeError::new(
        HandshakeErrorKind::Local,
        format!("TLS failed on our side: {error}"),
    )
}
