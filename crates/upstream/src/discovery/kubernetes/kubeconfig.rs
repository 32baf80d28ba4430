//! Kubeconfig files (<https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>).

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Uri;
use lintel_kernel::Secret;
use lintel_tls::{ClientCertificate, ClientSettings, Given, Roots};
use serde::Deserialize;
use serde_json::Value;

use super::{super::file, access::Opened};
use crate::client::Server;

/// What a context of the file leads to.
///
/// # Errors
///
/// What is missing, and what is not done here: commands, proxies, passwords. No message shows a
/// value.
pub(super) async fn open(
    path: &Path,
    context: Option<&str>,
    value: Value,
) -> Result<Opened, String> {
    let fault = |text: String| format!("{}: {text}", path.display());
    let file: File = serde_path_to_error::deserialize(value).map_err(|error| {
        fault(format!(
            "`{}` is not what it is in a kubeconfig",
            error.path()
        ))
    })?;
    let (context, name) = file.context(context).map_err(fault)?;
    let cluster = named(&file.clusters, &context.cluster, "cluster").map_err(fault)?;
    let nobody = User::default();
    let user = match context.user.as_deref() {
        None | Some("") => &nobody,
        Some(user) => named(&file.users, user, "user").map_err(fault)?,
    };
    user.refuse().map_err(fault)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let (host, port, secure, base) = cluster.location().map_err(fault)?;
    let token = match &user.token_file {
        // It goes before a token that is written out.
        Some(token) => Some(Secret::new(file::read(folder.join(token)).await?)),
        None => user.token.clone(),
    };
    if token.is_some() && !secure {
        return Err(fault("a token is not sent over plain http".to_owned()));
    }
    let tls = secure.then(|| settings(path, folder, cluster, user));
    Ok(Opened {
        server: Server {
            host: host.into(),
            port,
            tls: tls.transpose().map_err(fault)?,
        },
        base,
        token,
        namespace: context.namespace.as_deref().unwrap_or("default").into(),
        who: format!(
            "the user `{}` of context `{name}`",
            context.user.as_deref().unwrap_or_default()
        ),
    })
}

fn settings(
    path: &Path,
    folder: &Path,
    cluster: &Cluster,
    user: &User,
) -> Result<ClientSettings, String> {
    let mut given = Vec::new();
    let mut material = |key: &str, file: &Option<PathBuf>, data: &Option<Secret>| {
        // Data goes before a file.
        let Some(data) = data.as_ref().filter(|data| !data.expose().is_empty()) else {
            return Ok(file.as_ref().map(|file| folder.join(file)));
        };
        let text: String = data.expose().split_ascii_whitespace().collect();
        let pem = STANDARD.decode(text);
        let pem = pem.map_err(|_| format!("`{key}` is not valid base64"))?;
        let stands_for = PathBuf::from(format!("{}: {key}", path.display()));
        given.push(Given {
            path: stands_for.clone(),
            pem,
        });
        Ok::<_, String>(Some(stands_for))
    };
    let roots = material(
        "certificate-authority-data",
        &cluster.certificate_authority,
        &cluster.certificate_authority_data,
    )?;
    let cert = material(
        "client-certificate-data",
        &user.client_certificate,
        &user.client_certificate_data,
    )?;
    let key = material("client-key-data", &user.client_key, &user.client_key_data)?;
    let client_certificate = match (cert, key) {
        (Some(cert), Some(key)) => Some(ClientCertificate { cert, key }),
        (None, None) => None,
        (Some(_), None) => return Err("a user has a client certificate without a key".to_owned()),
        (None, Some(_)) => return Err("a user has a client key without a certificate".to_owned()),
    };
    Ok(ClientSettings {
        roots: roots.map_or(Roots::System, Roots::File),
        server_name: cluster.tls_server_name.clone(),
        client_certificate,
        verify: !cluster.insecure_skip_tls_verify,
        given,
        ..ClientSettings::default()
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    current_context: Option<String>,
    contexts: Option<Vec<Named<Context>>>,
    clusters: Option<Vec<Named<Cluster>>>,
    users: Option<Vec<Named<User>>>,
}

/// Lists in the file are of a name and a value under a key for its kind.
#[derive(Deserialize)]
struct Named<T> {
    name: String,
    #[serde(alias = "context", alias = "cluster", alias = "user")]
    value: Option<T>,
}

#[derive(Default, Deserialize)]
struct Context {
    #[serde(default)]
    cluster: String,
    user: Option<String>,
    namespace: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    #[serde(default)]
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<Secret>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
    tls_server_name: Option<String>,
    proxy_url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<Secret>,
    client_key: Option<PathBuf>,
    client_key_data: Option<Secret>,
    token: Option<Secret>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    username: Option<String>,
    exec: Option<Value>,
    auth_provider: Option<Value>,
}

impl File {
    fn context(&self, wanted: Option<&str>) -> Result<(&Context, &str), String> {
        let current = self.current_context.as_deref().unwrap_or_default();
        let name = wanted.unwrap_or(current);
        if name.is_empty() {
            return Err("it has no `current-context`: name one with `context`".to_owned());
        }
        let all = self.contexts.iter().flatten();
        let found = all.clone().find(|known| known.name == name);
        let Some(found) = found else {
            let known: Vec<&str> = all.map(|known| known.name.as_str()).collect();
            return Err(format!(
                "it has no context `{name}`; it has: {}",
                known.join(", ")
            ));
        };
        let context = found.value.as_ref();
        let context = context.ok_or_else(|| format!("context `{name}` is empty"))?;
        Ok((context, &found.name))
    }
}

fn named<'a, T>(all: &'a Option<Vec<Named<T>>>, name: &str, what: &str) -> Result<&'a T, String> {
    let found = all.iter().flatten().find(|known| known.name == name);
    let value = found.and_then(|known| known.value.as_ref());
    value.ok_or_else(|| format!("it has no {what} `{name}`"))
}

impl Cluster {
    /// Host, port, whether it is TLS, and what stands before the API's paths.
    fn location(&self) -> Result<(String, u16, bool, String), String> {
        if self.proxy_url.as_deref().is_some_and(|url| !url.is_empty()) {
            return Err("`proxy-url` is not supported".to_owned());
        }
        let wrong = || format!("`{}` is not the URL of a server", self.server);
        let url: Uri = self.server.parse().map_err(|_| wrong())?;
        let secure = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let host = url.host().ok_or_else(wrong)?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let base = url.path().trim_end_matches('/').to_owned();
        Ok((host, port, secure, base))
    }
}

impl User {
    /// Credentials that this is not made for.
    fn refuse(&self) -> Result<(), String> {
        let other = if self.exec.is_some() {
            "a command for credentials (`exec`), and the gateway runs none"
        } else if self.auth_provider.is_some() {
            "an `auth-provider`, which Kubernetes has given up in 1.26"
        } else if self
            .username
            .as_deref()
            .is_some_and(|name| !name.is_empty())
        {
            "a password, which Kubernetes has given up in 1.19"
        } else {
            return Ok(());
        };
        Err(format!(
            "the user has {other}: give it a token (`kubectl create token`), a `tokenFile` or a client certificate"
        ))
    }
}
