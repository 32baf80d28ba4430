//! What a proxy is to serve, and how that is written into its configuration.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// What a proxy is to serve.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// Its own directory: configuration, log, sockets.
    pub(crate) dir: PathBuf,
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) grpc: u16,
    pub(crate) admin: u16,
    pub(crate) upstream_http: u16,
    pub(crate) upstream_grpc: u16,
    /// Where replicas count together, if that runs: Redis, and the service that Envoy asks.
    pub(crate) redis: u16,
    pub(crate) limiter: u16,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    /// Certificate and key in one file.
    pub(crate) pem: PathBuf,
    pub(crate) load: Load,
    /// 0 or 1: each reload changes to the other, and every route to another service.
    pub(crate) generation: u32,
    /// File descriptors a process may have.
    pub(crate) nofile: u64,
    /// By which callers are known.
    pub(crate) credentials: Vec<(&'static str, String)>,
}

/// What is configured besides the catch-all route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Routes `/r00000/…`.
    pub(crate) routes: usize,
    /// Services that the routes go to in turn; with none they go to the common one.
    pub(crate) services: usize,
    /// Envoy counts per route only where it is told to.
    pub(crate) count_routes: bool,
    /// What is done for each request besides forwarding it.
    pub(crate) job: Job,
}

/// What a gateway does for each request besides forwarding it. Its parts of the configurations are in a folder of the
/// same name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Job {
    #[default]
    None,
    /// Verify a token.
    Token,
    /// Verify a token, limit its bearer, tell the upstream who it is.
    Gateway,
    /// Limit each client address.
    Limit,
    /// The same, counted by all replicas together.
    LimitShared,
    /// Know the caller by one of many API keys.
    Keys,
    /// Make a gRPC call of a request with JSON, and JSON of its answer.
    Transcode,
    /// Make one answer of six calls.
    Compose,
    /// The same, three of which are calls of gRPC.
    ComposeMixed,
    /// Verify a token, and let policies in Rego decide.
    Rego,
    /// Verify a token, and let policies in Cedar decide.
    Cedar,
}

impl Job {
    const fn folder(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Token => Some("token"),
            Self::Gateway => Some("gateway"),
            Self::Limit => Some("limit"),
            Self::LimitShared => Some("limit-shared"),
            Self::Keys => Some("keys"),
            Self::Transcode => Some("transcode"),
            Self::Compose => Some("compose"),
            Self::ComposeMixed => Some("compose-mixed"),
            Self::Rego => Some("rego"),
            Self::Cedar => Some("cedar"),
        }
    }
}

impl Load {
    /// A path on each route.
    pub(crate) fn paths(self) -> Vec<String> {
        (0..self.routes)
            .map(|route| format!("/r{route:05}/items/42"))
            .collect()
    }
}

impl Site {
    /// Away from the configuration: Envoy watches that directory and would wake for every write to a log in it.
    pub(super) fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.logs().join("access.log")
    }

    pub(super) fn errors(&self) -> PathBuf {
        self.logs().join("stderr.log")
    }

    /// A number that changes with the generation and is served at `/generation`.
    pub(crate) fn generation_mark(&self) -> String {
        format!("7{:06}", self.generation)
    }

    /// The service of a route in this generation.
    fn service(&self, route: usize) -> String {
        match self.load.services {
            0 if self.generation.is_multiple_of(2) => "up".to_owned(),
            0 => "alt".to_owned(),
            services => format!("s{:05}", route % services),
        }
    }

    /// One line, or several, for each route.
    pub(super) fn each_route(
        &self,
        line: impl Fn(&mut String, &str, &str) -> std::fmt::Result,
    ) -> Result<String> {
        let mut text = String::new();
        for route in 0..self.load.routes {
            line(&mut text, &format!("r{route:05}"), &self.service(route))?;
        }
        Ok(text)
    }

    pub(super) fn each_service(
        &self,
        line: impl Fn(&mut String, &str) -> std::fmt::Result,
    ) -> Result<String> {
        let mut text = String::new();
        for service in 0..self.load.services {
            line(&mut text, &format!("s{service:05}"))?;
        }
        Ok(text)
    }

    /// The part of a template that is there for the job: `{{job}}`, and `{{job_top}}` and `{{job_routes}}` from the files with
    /// those prefixes.
    fn job(&self, template: &Path, prefix: &str) -> Result<String> {
        let (Some(folder), Some(name)) = (self.load.job.folder(), template.file_name()) else {
            return Ok(String::new());
        };
        let part = template
            .with_file_name("jobs")
            .join(folder)
            .join(format!("{prefix}{}", name.display()));
        match fs::read_to_string(&part) {
            Ok(text) => Ok(text),
            Err(_) if !prefix.is_empty() => Ok(String::new()),
            Err(_) => bail!("it does not do this"),
        }
    }

    /// Fills a template: the names every one may use, and those given.
    pub(super) fn fill(&self, template: &Path, more: &[(&str, &str)]) -> Result<String> {
        let mut text = fs::read_to_string(template)
            .with_context(|| format!("cannot read {}", template.display()))?;
        for (name, prefix) in [
            ("{{job}}", ""),
            ("{{job_top}}", "top-"),
            ("{{job_routes}}", "routes-"),
        ] {
            if text.contains(name) {
                text = text.replace(name, self.job(template, prefix)?.trim_end_matches('\n'));
            }
        }
        let common = [
            ("dir", self.dir.display().to_string()),
            ("log", self.log().display().to_string()),
            ("cert", self.cert.display().to_string()),
            ("key", self.key.display().to_string()),
            ("pem", self.pem.display().to_string()),
            ("http", self.http.to_string()),
            ("https", self.https.to_string()),
            ("grpc", self.grpc.to_string()),
            ("admin", self.admin.to_string()),
            ("upstream_http", self.upstream_http.to_string()),
            ("upstream_grpc", self.upstream_grpc.to_string()),
            ("redis", self.redis.to_string()),
            ("limiter", self.limiter.to_string()),
            ("generation", self.generation_mark()),
            ("nofile", self.nofile.to_string()),
        ];
        let credentials = self.credentials.iter();
        for (name, value) in more.iter().copied().chain(
            common
                .iter()
                .chain(credentials)
                .map(|(name, value)| (*name, value.as_str())),
        ) {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        if let Some((_, rest)) = text.split_once("{{") {
            bail!(
                "{}: nothing for {{{{{}",
                template.display(),
                rest.lines().next().unwrap_or_default()
            );
        }
        Ok(text)
    }
}
