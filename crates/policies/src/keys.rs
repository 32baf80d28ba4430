//! API keys as the gateway makes them, and hashes of keys and passwords made elsewhere.
//!
//! A key is `lk_` + 43 characters + 6 characters: a word that says what it is (secret scanners look
//! for it), 256 random bits, and a checksum by which a key that was mistyped or cut off is told from
//! one that is unknown. Letters and digits only, so that a double click selects it whole.

use aws_lc_rs::{digest, rand};

use crate::password;

/// What a key begins with unless another word is given.
pub const PREFIX: &str = "lk";

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits of 256 bits: 62^43 > 2^256.
const SECRET: usize = 43;
/// Digits of 32 bits: 62^6 > 2^32.
const CHECK: usize = 6;

/// A new key, and what is written into the configuration.
pub struct NewKey {
    /// The key. Nothing here remembers it.
    pub text: String,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// Makes a key. `None` if the system has no random numbers.
pub fn new_key(prefix: &str) -> Option<NewKey> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).ok()?;
    let mut text = format!("{prefix}_{}", base62(&bytes, SECRET));
    let check = base62(&crc32(text.as_bytes()).to_be_bytes(), CHECK);
    text.push_str(&check);
    let sha256 = sha256_hex(&text);
    Some(NewKey { text, sha256 })
}

/// The SHA-256 of a key in hexadecimal digits, as the configuration takes it.
pub fn sha256_hex(key: &str) -> String {
    let digest = digest::digest(&digest::SHA256, key.as_bytes());
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// The argon2id hash of a key or password, as the configuration takes it. `None` if the system has
/// no random numbers.
pub fn argon2id(password: &str) -> Option<String> {
    password::argon2id(password.as_bytes())
}

/// Whether a text has the form of a key that was made here; and if it has, whether its checksum is
/// right.
pub(crate) fn checksum(text: &str) -> Option<bool> {
    let (_, body) = text.rsplit_once('_')?;
    let digits = body.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if body.len() != SECRET + CHECK || !digits {
        return None;
    }
    let (key, check) = text.split_at_checked(text.len() - CHECK)?;
    Some(check == base62(&crc32(key.as_bytes()).to_be_bytes(), CHECK))
}

/// A number of bytes, the highest first, in digits of base 62, the lowest last.
fn base62(bytes: &[u8], digits: usize) -> String {
    let mut number = bytes.to_vec();
    let mut out = Vec::with_capacity(digits);
    for _ in 0..digits {
        let mut rest = 0_u32;
        for byte in &mut number {
            let value = (rest << 8) | u32::from(*byte);
            // Below 256, as `rest` is below 62.
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        out.push(DIGITS.get(rest as usize).copied().unwrap_or(b'0'));
    }
    out.reverse();
    String::from_utf8(out).unwrap_or_default()
}

/// CRC-32 (ISO-HDLC, as in zlib and Ethernet).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        // The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn numbers_are_written_in_full() {
        assert_eq!(base62(&[0, 0], 3), "000");
        assert_eq!(base62(&[61], 2), "0z");
        assert_eq!(base62(&[62], 2), "10");
        // 2^256 - 1, computed elsewhere with arbitrary precision.
        assert_eq!(
            base62(&[255; 32], SECRET),
            "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1"
        );
    }

    #[test]
    fn a_key_is_told_from_a_mistyped_one() {
        let key = new_key("lk").unwrap();
        assert_eq!(key.text.len(), "lk_".len() + SECRET + CHECK);
        assert_eq!(checksum(&key.text), Some(true));
        assert_ne!(new_key("lk").unwrap().text, key.text);
        assert_eq!(key.sha256, sha256_hex(&key.text));
        let mistyped = key.text.replace(
            &key.text[10..11],
            if &key.text[10..11] == "a" { "b" } else { "a" },
        );
        assert_eq!(checksum(&mistyped), Some(false));
        for other in ["", "lk_", "a-key-of-another-kind", &key.text[..40]] {
            assert_eq!(checksum(other), None, "{other}");
        }
    }

    #[test]
    fn hashes_are_the_usual_ones() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256_hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
