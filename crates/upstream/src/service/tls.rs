//! TLS connectors, one for all services with equal settings: root certificates, sessions to resume
//! and client keys are held once.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use lintel_tls::{Alpn, ClientSettings, Connector, TlsError};

use super::{Service, spec::Protocol};

static LIVE: Mutex<Vec<Weak<Connector>>> = Mutex::new(Vec::new());

/// How the `https` endpoints of one service are reached.
pub(crate) struct Tls {
    /// Offers what the service's protocol allows.
    pub(crate) any: Arc<Connector>,
    /// Offers HTTP/1.1 alone, for requests that ask for an upgrade. None where HTTP/1 is not
    /// spoken.
    pub(crate) http1: Option<Arc<Connector>>,
}

impl Tls {
    pub(crate) fn build(
        settings: &ClientSettings,
        protocol: Protocol,
    ) -> Result<Self, Vec<TlsError>> {
        let http1 = || shared(settings, vec![Alpn::Http1]);
        Ok(match protocol {
            Protocol::Http1 => {
                let connector = http1()?;
                Self {
                    any: Arc::clone(&connector),
                    http1: Some(connector),
                }
            }
            Protocol::Http2 => Self {
                any: shared(settings, vec![Alpn::H2])?,
                http1: None,
            },
            Protocol::Auto => Self {
                any: shared(settings, vec![Alpn::H2, Alpn::Http1])?,
                http1: Some(http1()?),
            },
        })
    }

    fn reload(&self) -> Result<bool, Vec<TlsError>> {
        let mut changed = self.any.reload()?;
        if let Some(http1) = &self.http1 {
            changed |= http1.reload()?;
        }
        Ok(changed)
    }
}

impl Service {
    /// Reads the files of its TLS settings again and, if any has changed, uses them for connections
    /// yet to be made. Blocks on the disk. Tells whether anything has changed.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the new files; the old material stays in use.
    pub fn reload_tls(&self) -> Result<bool, Vec<TlsError>> {
        self.tls.as_ref().map_or(Ok(false), Tls::reload)
    }
}

/// Every connector in use.
#[cfg(test)]
pub(crate) fn connectors() -> Vec<Arc<Connector>> {
    LIVE.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .filter_map(Weak::upgrade)
        .collect()
}

/// The connector with these settings, which may read files.
fn shared(settings: &ClientSettings, alpn: Vec<Alpn>) -> Result<Arc<Connector>, Vec<TlsError>> {
    let settings = ClientSettings {
        alpn,
        ..settings.clone()
    };
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    live.retain(|connector| connector.strong_count() > 0);
    let known = live
        .iter()
        .filter_map(Weak::upgrade)
        .find(|connector| *connector.settings() == settings);
    if let Some(connector) = known {
        return Ok(connector);
    }
    let connector = Arc::new(Connector::build(&settings)?);
    live.push(Arc::downgrade(&connector));
    Ok(connector)
}
