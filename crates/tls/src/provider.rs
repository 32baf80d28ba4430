use std::sync::{Arc, OnceLock};

use rustls::SupportedProtocolVersion;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};

use crate::error::TlsError;
use crate::info::{Alpn, TlsVersion};

/// The one crypto provider of the process. Passed to rustls explicitly everywhere, so that nothing
/// depends on a process-wide default that another crate may set.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())))
}

/// The protocol versions from `min` to `max`.
pub(crate) fn versions(
    min: TlsVersion,
    max: TlsVersion,
) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    let both = [(TlsVersion::V1_2, &TLS12), (TlsVersion::V1_3, &TLS13)];
    let enabled: Vec<_> = both
        .into_iter()
        .filter(|(version, _)| (min..=max).contains(version))
        .map(|(_, rustls)| rustls)
        .collect();
    if enabled.is_empty() {
        return Err(TlsError::of_settings(
            format!(
                "no TLS version is left between {} (minimum) and {} (maximum)",
                min.as_str(),
                max.as_str()
            ),
            "raise max_version or lower min_version",
        ));
    }
    Ok(enabled)
}

/// Protocol names as rustls wants them.
pub(crate) fn alpn_names(alpn: &[Alpn]) -> Vec<Vec<u8>> {
    alpn.iter()
        .map(|alpn| alpn.as_str().as_bytes().to_vec())
        .collect()
}
