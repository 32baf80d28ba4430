//! Session tickets under keys from files, so that replicas can open each other's.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::cipher::{
    AES_256, AES_CBC_IV_LEN, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::{hmac, iv};
use rustls::server::ProducesTickets;

use crate::error::TlsError;
use crate::info::Fingerprint;
use crate::material::Loader;

/// Bytes of a ticket key file.
const KEY_FILE_LEN: usize = 80;
const NAME_LEN: usize = 16;
const MAC_LEN: usize = 32;
/// More than any ticket we make, client certificate chain included; what is longer is not ours.
const MAX_TICKET: usize = 64 * 1024;
/// Seconds. A client may try a ticket for this long; how long a ticket really opens is up to the
/// rotation of the key files.
const LIFETIME: u32 = 12 * 3600;

/// Tickets as RFC 5077 §4 recommends: AES-256-CBC, then HMAC-SHA-256, under a named key.
pub(crate) struct FileTickets {
    current: TicketKey,
    older: Vec<TicketKey>,
}

struct TicketKey {
    name: [u8; NAME_LEN],
    seal: PaddedBlockEncryptingKey,
    open: PaddedBlockDecryptingKey,
    mac: hmac::Key,
}

impl FileTickets {
    /// Reads key files. `binding` is a digest of what a resumed session relies on without checking
    /// it again: tickets do not open elsewhere, although the files are the same.
    pub(crate) fn load(
        loader: &mut Loader<'_>,
        paths: &[PathBuf],
        binding: Fingerprint,
    ) -> Option<Arc<dyn ProducesTickets>> {
        let mut keys = Vec::new();
        for path in paths {
            let bytes = loader.read(path);
            loader.check_secrecy(path);
            let key = bytes.map(|bytes| {
                TicketKey::derive(bytes, binding).ok_or_else(|| {
                    TlsError::of_file(
                        path,
                        format!(
                            "a ticket key file has {KEY_FILE_LEN} bytes, and this one has {}",
                            bytes.len()
                        ),
                        format!("make one: openssl rand {KEY_FILE_LEN} > {}", path.display()),
                    )
                })
            });
            keys.push(key.and_then(|key| loader.keep(key)));
        }
        let mut keys = keys.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
        Some(Arc::new(Self {
            current: keys.next()?,
            older: keys.collect(),
        }))
    }
}

impl TicketKey {
    /// Derives name, cipher key and MAC key from the file's bytes and the binding.
    fn derive(bytes: &[u8], binding: Fingerprint) -> Option<Self> {
        if bytes.len() != KEY_FILE_LEN {
            return None;
        }
        let root = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let part = |label: &str| {
            let mut context = hmac::Context::with_key(&root);
            context.update(label.as_bytes());
            context.update(&binding.0);
            context.sign()
        };
        let (name, cipher, mac) = (part("name"), part("cipher"), part("mac"));
        let unbound = || UnboundCipherKey::new(&AES_256, cipher.as_ref()).ok();
        Some(Self {
            name: *name.as_ref().first_chunk()?,
            seal: PaddedBlockEncryptingKey::cbc_pkcs7(unbound()?).ok()?,
            open: PaddedBlockDecryptingKey::cbc_pkcs7(unbound()?).ok()?,
            mac: hmac::Key::new(hmac::HMAC_SHA256, mac.as_ref()),
        })
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = plain.to_vec();
        let context = self.seal.encrypt(&mut sealed).ok()?;
        let iv: &[u8] = (&context).try_into().ok()?;
        let mut ticket = Vec::with_capacity(NAME_LEN + iv.len() + sealed.len() + MAC_LEN);
        ticket.extend_from_slice(&self.name);
        ticket.extend_from_slice(iv);
        ticket.extend_from_slice(&sealed);
        let tag = hmac::sign(&self.mac, &ticket);
        ticket.extend_from_slice(tag.as_ref());
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (signed, tag) = ticket.split_at_checked(ticket.len().checked_sub(MAC_LEN)?)?;
        let body = signed.strip_prefix(&self.name)?;
        hmac::verify(&self.mac, signed, tag).ok()?;
        let (iv, sealed) = body.split_at_checked(AES_CBC_IV_LEN)?;
        let context = DecryptionContext::Iv128(iv::FixedLength::try_from(iv).ok()?);
        let mut plain = sealed.to_vec();
        Some(self.open.decrypt(&mut plain, context).ok()?.to_vec())
    }
}

impl ProducesTickets for FileTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.current.encrypt(plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        if ticket.len() > MAX_TICKET {
            return None;
        }
        let mut keys = std::iter::once(&self.current).chain(&self.older);
        keys.find_map(|key| key.decrypt(ticket))
    }
}

impl fmt::Debug for FileTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTickets").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "tickets/tests.rs"]
mod tests;
