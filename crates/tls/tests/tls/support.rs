//! A CA in a folder, a listener, and clients to try it with.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lintel_tls::{
    Acceptor, CertificateSource, HandshakeError, ServerSettings, Socket, Stream, TlsError,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, SignatureAlgorithm,
    date_time_ymd,
};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub const P256: &SignatureAlgorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
pub const P384: &SignatureAlgorithm = &rcgen::PKCS_ECDSA_P384_SHA384;
pub const ED25519: &SignatureAlgorithm = &rcgen::PKCS_ED25519;
pub const RSA: &SignatureAlgorithm = &rcgen::PKCS_RSA_SHA256;

pub const V12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
pub const V13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// A folder for key material.
pub struct Dir(TempDir);

impl Dir {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The text with this folder's name taken out.
    pub fn anonymous(&self, text: &str) -> String {
        text.replace(self.0.path().to_str().unwrap(), "DIR")
    }
}

/// A certificate authority.
pub struct Ca {
    params: CertificateParams,
    key: KeyPair,
    pub pem: String,
}

/// What the CA issues.
#[derive(Clone)]
pub struct Leaf<'a> {
    pub names: &'a [&'a str],
    pub algorithm: &'static SignatureAlgorithm,
    pub common_name: &'a str,
    pub serial: u64,
    /// Time from now; negative lies in the past.
    pub valid: (i64, i64),
    pub uri: Option<&'a str>,
}

pub struct Issued {
    pub cert: String,
    pub key: String,
}

pub const DAY: i64 = 24 * 3600;

impl Default for Leaf<'_> {
    fn default() -> Self {
        Self {
            names: &["localhost"],
            algorithm: P256,
            common_name: "leaf",
            serial: 4711,
            valid: (-DAY, 90 * DAY),
            uri: None,
        }
    }
}

impl Ca {
    pub fn new(common_name: &str) -> Self {
        let key = KeyPair::generate_for(P256).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let pem = params.self_signed(&key).unwrap().pem();
        Self { params, key, pem }
    }

    pub fn issue(&self, leaf: &Leaf<'_>) -> Issued {
        let key = KeyPair::generate_for(leaf.algorithm).unwrap();
        Issued {
            cert: self.certify(leaf, &key),
            key: key.serialize_pem(),
        }
    }

    /// A certificate for a key that is given.
    pub fn certify(&self, leaf: &Leaf<'_>, key: &KeyPair) -> String {
        let names: Vec<String> = leaf.names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, leaf.common_name);
        params.serial_number = Some(SerialNumber::from(leaf.serial));
        params.not_before = time(leaf.valid.0).into();
        params.not_after = time(leaf.valid.1).into();
        if let Some(uri) = leaf.uri {
            let uri = rcgen::SanType::URI(uri.try_into().unwrap());
            params.subject_alt_names.push(uri);
        }
        params.signed_by(key, &self.issuer()).unwrap().pem()
    }

    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    pub fn revoke(&self, serials: &[u64], next_update: i64) -> String {
        CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: time(next_update).into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials
                .iter()
                .map(|serial| RevokedCertParams {
                    serial_number: SerialNumber::from(*serial),
                    revocation_time: date_time_ymd(2024, 1, 1),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer())
        .unwrap()
        .pem()
        .unwrap()
    }

    pub fn der(&self) -> CertificateDer<'static> {
        der(&self.pem)
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

pub fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn time(from_now: i64) -> SystemTime {
    let span = Duration::from_secs(from_now.unsigned_abs());
    if from_now < 0 {
        SystemTime::now() - span
    } else {
        SystemTime::now() + span
    }
}

/// Writes a pair as `NAME.pem` and `NAME.key`.
pub fn store(dir: &Dir, name: &str, issued: &Issued) -> CertificateSource {
    CertificateSource {
        cert: dir.write(&format!("{name}.pem"), &issued.cert),
        key: dir.write(&format!("{name}.key"), &issued.key),
        ocsp: None,
    }
}

/// A CA, and a listener's settings with one certificate of it for `localhost`.
pub fn simple() -> (Dir, Ca, ServerSettings) {
    let (dir, ca) = (Dir::new(), Ca::new("Test CA"));
    let source = store(&dir, "server", &ca.issue(&Leaf::default()));
    let settings = ServerSettings {
        certificates: vec![source],
        ..ServerSettings::default()
    };
    (dir, ca, settings)
}

pub fn build(settings: &ServerSettings) -> Acceptor {
    Acceptor::build(settings).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// All errors as text, one a line, without the folder's name.
pub fn text(dir: &Dir, errors: &[TlsError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    dir.anonymous(&lines.join("\n"))
}

/// What a client is like.
pub struct Client<'a> {
    pub roots: &'a [CertificateDer<'static>],
    pub versions: &'static [&'static SupportedProtocolVersion],
    pub certificate: Option<&'a Issued>,
    pub alpn: &'a [&'a str],
    /// The signature schemes accepted; all if none.
    pub schemes: Option<&'static [rustls::SignatureScheme]>,
}

impl Default for Client<'_> {
    fn default() -> Self {
        Self {
            roots: &[],
            versions: rustls::ALL_VERSIONS,
            certificate: None,
            alpn: &[],
            schemes: None,
        }
    }
}

impl Client<'_> {
    pub fn config(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        for root in self.roots {
            roots.add(root.clone()).unwrap();
        }
        let mut provider = aws_lc_rs::default_provider();
        if let Some(schemes) = self.schemes {
            restrict(&mut provider, schemes);
        }
        let provider = Arc::new(provider);
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .unwrap();
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_webpki_verifier(verifier);
        let mut config = match self.certificate {
            Some(issued) => {
                let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
                let chain = CertificateDer::pem_slice_iter(issued.cert.as_bytes());
                builder
                    .with_client_auth_cert(chain.map(Result::unwrap).collect(), key)
                    .unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self
            .alpn
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }
}

fn restrict(provider: &mut CryptoProvider, schemes: &[rustls::SignatureScheme]) {
    let algorithms = &mut provider.signature_verification_algorithms;
    let kept: Vec<_> = algorithms
        .mapping
        .iter()
        .filter(|(scheme, _)| schemes.contains(scheme))
        .copied()
        .collect();
    algorithms.mapping = Vec::leak(kept);
}

/// A connected pair of loopback sockets.
pub async fn sockets() -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (accepted, connected) = tokio::join!(listener.accept(), TcpStream::connect(address));
    (accepted.unwrap().0.into(), connected.unwrap())
}

/// Both ends of a handshake.
pub struct Met {
    pub server: Result<Stream, HandshakeError>,
    pub client: io::Result<TlsStream<TcpStream>>,
}

pub async fn meet(acceptor: &Acceptor, config: &Arc<ClientConfig>, name: &str) -> Met {
    let (server, client) = sockets().await;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::clone(config));
    let (server, client) = tokio::join!(acceptor.accept(server), connector.connect(name, client));
    Met { server, client }
}

impl Met {
    pub fn both(self) -> (Stream, TlsStream<TcpStream>) {
        (self.server.unwrap(), self.client.unwrap())
    }
}

/// One message each way.
pub async fn greet(server: &mut Stream, client: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let mut word = [0; 4];
    client.write_all(b"ping").await?;
    client.flush().await?;
    server.read_exact(&mut word).await?;
    assert_eq!(&word, b"ping");
    server.write_all(b"pong").await?;
    server.flush().await?;
    client.read_exact(&mut word).await?;
    assert_eq!(&word, b"pong");
    Ok(())
}

/// The certificate that a client was shown.
pub fn shown(client: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    client.get_ref().1.peer_certificates().unwrap()[0].clone()
}

/// A listener that answers a line with `served` and closes, for as many clients as come.
pub async fn answering(acceptor: Arc<Acceptor>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let acceptor = Arc::clone(&acceptor);
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(socket.into()).await {
                    let mut byte = [0];
                    while stream.read(&mut byte).await.is_ok_and(|read| read > 0) {
                        if byte == *b"\n" {
                            let _ = stream.write_all(b"served\n").await;
                            break;
                        }
                    }
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    address
}

/// Runs `openssl` and returns standard output and standard error together.
pub async fn openssl(arguments: Vec<String>, input: &'static str) -> String {
    tokio::task::spawn_blocking(move || openssl_now(&arguments, input))
        .await
        .unwrap()
}

pub fn openssl_now(arguments: &[String], input: &str) -> String {
    use std::io::Write as _;
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the openssl command");
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Arguments for `openssl s_client` against a listener.
pub fn s_client(address: SocketAddr, ca: &Path, more: &[&str]) -> Vec<String> {
    let connect = address.to_string();
    let ca = ca.to_str().unwrap();
    let fixed = [
        "s_client",
        "-connect",
        &connect,
        "-CAfile",
        ca,
        "-verify_return_error",
    ];
    fixed
        .iter()
        .chain(more)
        .map(|argument| (*argument).to_owned())
        .collect()
}
