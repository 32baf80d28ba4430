//! Endpoints that come from elsewhere than the configuration: a file, DNS, Consul, etcd,
//! Kubernetes.
//!
//! A [`Source`] is followed by one task on the control runtime, however many services use it. It
//! hears of whole sets only, and tells every service of each. Whatever a source does wrong (it
//! fails, it can't be read, it answers with nothing), the last good set stays in use, the reason is
//! shown by the admin interface, and it is asked again with growing pauses.
//!
//! One source a file. Each is an `async fn follow` that returns when its session with the source
//! is over; the watcher starts the next.

mod consul;
mod etcd;
mod file;
mod found;
mod kubernetes;
mod srv;
mod status;
#[cfg(test)]
mod tests;
mod watcher;

use std::{fmt, path::Path};

use serde_json::Value;

pub use self::{
    consul::ConsulSource,
    etcd::EtcdSource,
    file::FileSource,
    found::{Entries, Found},
    kubernetes::{Access, KubernetesSource, Pod, PortRef},
    srv::SrvSource,
    status::{SourceError, SourceStatus},
};
pub(crate) use self::{
    found::usable,
    watcher::{News, Watcher},
};
use crate::service::Scheme;

/// Where a service's endpoints come from, besides those of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discover {
    /// What is followed.
    pub source: Source,
    /// Whether an answer without any endpoint is believed. Otherwise the last good set stays.
    pub allow_empty: bool,
    /// Whether a configuration is not put to use before the first answer.
    pub required: bool,
}

/// Something that knows endpoints. Equal sources are followed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is.
    pub kind: Kind,
    /// What its endpoints speak. A source can't talk the gateway out of TLS.
    pub scheme: Scheme,
}

/// The kinds of sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File(FileSource),
    /// DNS service records.
    Srv(SrvSource),
    /// Consul's catalogue.
    Consul(ConsulSource),
    /// Keys in etcd.
    Etcd(EtcdSource),
    /// A service in Kubernetes.
    Kubernetes(KubernetesSource),
}

/// How texts are read that this crate has no parser for.
#[derive(Clone, Copy)]
pub struct Readers {
    /// A list of endpoints, YAML or JSON; the path is for messages.
    pub endpoints: fn(&Path, &str) -> Result<Entries, String>,
    /// Any YAML.
    pub yaml: fn(&Path, &str) -> Result<Value, String>,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(source) => source.fmt(f),
            Self::Srv(source) => source.fmt(f),
            Self::Consul(source) => source.fmt(f),
            Self::Etcd(source) => source.fmt(f),
            Self::Kubernetes(source) => source.fmt(f),
        }
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readers")
    }
}
