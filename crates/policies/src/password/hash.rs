//! Password hashes: argon2 in PHC form, bcrypt in its own.

use std::fmt;

use argon2::{Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier};
use aws_lc_rs::{digest, rand};
use lintel_kernel::Fault;

/// Bounds of what one verification may cost: a hash is written by whoever made the account, and
/// must not be able to stop the gateway. 256 MiB, 16 passes, and no more than 1 GiB written.
const MOST_MEMORY_KIB: u32 = 256 << 10;
const MOST_PASSES: u32 = 16;
const MOST_WORK_KIB: u64 = 1 << 20;
const MOST_LANES: u32 = 16;
/// A bcrypt of this cost takes about a second.
const HIGHEST_BCRYPT: u32 = 14;

const MAKE_ONE: &str = "make one with `lintel keys hash`, or with `htpasswd -nB NAME`";

/// A password hash that was read and may be used. Shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hash {
    text: Box<str>,
    /// SHA-256 of the text; stands for it where its length should be fixed.
    id: [u8; 32],
}

impl Hash {
    /// Reads a hash.
    ///
    /// # Errors
    /// It is none, of a kind that is broken or unknown, or costs too much to compute.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let fit = if text.starts_with("$argon2") {
            argon2_bounds(text)
        } else if text.starts_with("$2") {
            bcrypt_bounds(text)
        } else {
            Err(unknown(text))
        };
        fit.map_err(Fault::discreet)?;
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        Ok(Self {
            text: text.into(),
            id: digest.as_ref().try_into().unwrap_or_default(),
        })
    }

    pub(super) const fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// Computes the hash of a password and compares, in a time that does not depend on where they
    /// differ. Takes long.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        if self.text.starts_with("$argon2") {
            let verified = Argon2::default().verify_password(password, &*self.text);
            return verified.is_ok();
        }
        bcrypt::verify(password, &self.text).unwrap_or(false)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(***)")
    }
}

/// The argon2id hash of a password, with the parameters of OWASP's Password Storage Cheat Sheet:
/// 19 MiB, two passes, one lane. `None` if the system has no random numbers.
pub(crate) fn argon2id(password: &[u8]) -> Option<String> {
    let mut salt = [0; 16];
    rand::fill(&mut salt).ok()?;
    let hash = Argon2::default().hash_password_with_salt(password, &salt);
    Some(hash.ok()?.to_string())
}

fn argon2_bounds(text: &str) -> Result<(), Fault> {
    let broken = || Fault::new("this is no complete argon2 hash").with_hint(MAKE_ONE);
    let hash = PasswordHash::new(text).map_err(|_| broken())?;
    if hash.hash.is_none() || hash.salt.is_none() {
        return Err(broken());
    }
    argon2::Algorithm::try_from(hash.algorithm.as_str()).map_err(|_| broken())?;
    let params = Params::try_from(&hash).map_err(|_| broken())?;
    let (memory, passes) = (params.m_cost(), params.t_cost());
    let work = u64::from(memory) * u64::from(passes);
    let fine = memory <= MOST_MEMORY_KIB
        && passes <= MOST_PASSES
        && params.p_cost() <= MOST_LANES
        && work <= MOST_WORK_KIB;
    if fine {
        return Ok(());
    }
    Err(Fault::new(
        "this argon2 hash costs too much for a gateway to verify",
    )
    .with_hint("at most 256 MiB (`m=262144`), 16 passes, 16 lanes, and 1 GiB for all passes; `m=19456,t=2,p=1` is good"))
}

fn bcrypt_bounds(text: &str) -> Result<(), Fault> {
    let broken = || Fault::new("this is no complete bcrypt hash").with_hint(MAKE_ONE);
    if text.starts_with("$2x$") {
        return Err(
            Fault::new("`$2x$` marks bcrypt hashes of a broken implementation").with_hint(MAKE_ONE),
        );
    }
    let parts: bcrypt::HashParts = text.parse().map_err(|_| broken())?;
    match parts.get_cost() {
        4..=HIGHEST_BCRYPT => Ok(()),
        _ => Err(Fault::new("the cost of this bcrypt hash is out of bounds")
            .with_hint("use a cost from 4 to 14; 10 takes about 50 ms")),
    }
}

fn unknown(text: &str) -> Fault {
    let weak = [
        ("$apr1$", "MD5 (`$apr1$`)"),
        ("$1$", "MD5 (`$1$`)"),
        ("{SHA}", "SHA-1 (`{SHA}`)"),
        ("{SSHA}", "SHA-1 (`{SSHA}`)"),
        ("$5$", "SHA-256 crypt (`$5$`)"),
        ("$6$", "SHA-512 crypt (`$6$`)"),
        ("$7$", "scrypt (`$7$`)"),
    ];
    let kind = weak.iter().find(|(begin, _)| text.starts_with(begin));
    let message = match kind {
        Some((_, kind)) => format!("hashes of the kind {kind} are not accepted"),
        None => "this is no password hash: argon2 and bcrypt are accepted".to_owned(),
    };
    Fault::new(message).with_hint(MAKE_ONE)
}
