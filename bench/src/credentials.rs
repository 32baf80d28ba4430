//! What callers prove themselves with: signed tokens and API keys, in the form that each proxy reads.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Callers that take turns.
const CALLERS: usize = 64;
/// API keys that each proxy knows.
const KEYS: usize = 100_000;
/// Bytes that stand before the modulus in the DER of an RSA key of 2,048 bits: the heads of the sequence and of the
/// integer, and the zero that keeps it positive (RFC 8017 appendix A.1.1).
const BEFORE_MODULUS: usize = 9;

/// Tokens and keys, and the files by which they are verified.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    /// Tokens signed by RS256, one for each caller.
    pub(crate) tokens: Vec<String>,
    /// API keys, a few of those that are known.
    pub(crate) keys: Vec<String>,
    /// Names and texts of what the templates may use.
    pub(crate) texts: Vec<(&'static str, String)>,
}

impl Credentials {
    /// Makes them, and writes the files.
    ///
    /// # Errors
    /// The files cannot be written.
    pub(crate) fn make(dir: &Path, templates: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("no RSA key"))?;
        let expires = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)?
            .as_secs()
            + 24 * 3600;
        let tokens = (0..CALLERS).map(|caller| token(&pair, caller, expires));
        let write = |name: &str, text: String| -> Result<String> {
            let path: PathBuf = dir.join(name);
            fs::write(&path, text)?;
            Ok(path.display().to_string())
        };
        let [mut lintel, mut nginx, mut haproxy] = [const { String::new() }; 3];
        for place in 0..KEYS {
            let key = key(place);
            let hash = hexadecimal(digest(&SHA256, key.as_bytes()).as_ref());
            writeln!(
                lintel,
                "  c{place:06}: {{ api_keys: [{{ sha256: {hash} }}] }}"
            )?;
            writeln!(nginx, "{key} c{place:06};")?;
            writeln!(haproxy, "{key} c{place:06}")?;
        }
        Ok(Self {
            tokens: tokens.collect::<Result<_>>()?,
            keys: (0..CALLERS).map(|caller| key(caller * 1_009)).collect(),
            texts: vec![
                ("jwks", write("jwks.json", jwks(&pair)?)?),
                ("public_key", write("public.pem", pem(&pair)?)?),
                ("keys_nginx", write("keys.nginx", nginx)?),
                ("keys_haproxy", write("keys.haproxy", haproxy)?),
                ("keys_lintel", lintel),
                ("descriptors", descriptors(dir, templates)?),
            ],
        })
    }
}

/// The descriptors of the gRPC upstream in a file, as Envoy needs them.
fn descriptors(dir: &Path, templates: &Path) -> Result<String> {
    let pool = lintel_grpc::descriptors::load(&[templates.join("bench.proto")])?;
    let path = dir.join("bench.pb");
    fs::write(&path, pool.encode_to_vec())?;
    Ok(path.display().to_string())
}

fn token(pair: &KeyPair, caller: usize, expires: u64) -> Result<String> {
    let head = r#"{"alg":"RS256","typ":"JWT","kid":"bench"}"#;
    let claims = format!(
        r#"{{"iss":"https://issuer.bench.example/","aud":"bench","sub":"user-{caller:03}","exp":{expires}}}"#
    );
    let signed = [head, &claims]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .map_err(|_| anyhow!("no signature"))?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn jwks(pair: &KeyPair) -> Result<String> {
    let der = pair.public_key().as_ref();
    let modulus = der.get(BEFORE_MODULUS..BEFORE_MODULUS + pair.public_modulus_len());
    let modulus = URL_SAFE_NO_PAD.encode(modulus.context("an RSA key of an unknown form")?);
    Ok(format!(
        r#"{{"keys":[{{"kty":"RSA","alg":"RS256","use":"sig","kid":"bench","n":"{modulus}","e":"AQAB"}}]}}"#
    ))
}

fn pem(pair: &KeyPair) -> Result<String> {
    let der = pair
        .public_key()
        .as_der()
        .map_err(|_| anyhow!("no public key"))?;
    let text = STANDARD.encode(der.as_ref());
    let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem += &String::from_utf8_lossy(line);
        pem.push('\n');
    }
    Ok(pem + "-----END PUBLIC KEY-----\n")
}

/// A key as random services make them: 43 letters and digits.
fn key(place: usize) -> String {
    let random = digest(&SHA256, &place.to_be_bytes());
    format!(
        "key{}",
        hexadecimal(random.as_ref().get(..20).unwrap_or_default())
    )
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
