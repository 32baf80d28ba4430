#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod consul;
mod etcd;
mod fake;
mod file;
mod kubernetes;
mod service;
mod srv;

use std::{path::Path, sync::Arc, time::Duration};

use lintel_telemetry::Catalogue;
use tokio::runtime::Handle;

use super::*;
use crate::{
    Control, Resolution, Service, ServiceSpec,
    service::{Endpoint, EndpointSpec},
};

/// A service with endpoints from a source, and who keeps it up.
struct Followed {
    service: Arc<Service>,
    resolution: Resolution,
    catalogue: Arc<Catalogue>,
}

fn control() -> Control {
    Control {
        runtime: Handle::current(),
        catalogue: Catalogue::new(),
        readers: Readers {
            endpoints: json_list,
            yaml: |_, text| serde_json::from_str(text).map_err(|error| error.to_string()),
        },
    }
}

/// `["10.0.0.1:80", …]`, with `*WEIGHT` after an address.
fn json_list(path: &Path, text: &str) -> Result<Entries, String> {
    let shown = path.file_name().unwrap().to_string_lossy();
    let list: Vec<String> =
        serde_json::from_str(text).map_err(|error| format!("{shown}: {error}"))?;
    let found = list.iter().map(|entry| {
        let (address, weight) = entry.split_once('*').unwrap_or((entry, "1"));
        let spec = EndpointSpec {
            weight: weight.parse().unwrap(),
            ..EndpointSpec::http(address.parse().unwrap())
        };
        Found::from(spec)
    });
    Ok(Entries {
        found: found.collect(),
        unusable: Vec::new(),
    })
}

fn discover(kind: Kind) -> Discover {
    Discover {
        source: Source {
            kind,
            scheme: Scheme::Http,
        },
        allow_empty: false,
        required: false,
    }
}

fn spec(discover: Discover) -> ServiceSpec {
    ServiceSpec {
        discover: Some(discover),
        ..ServiceSpec::new("orders", Vec::new())
    }
}

fn follow(kind: Kind) -> Followed {
    follow_spec(spec(discover(kind)))
}

fn follow_spec(spec: ServiceSpec) -> Followed {
    let control = control();
    let service = Service::build(spec, None).unwrap();
    let resolution = Resolution::start(&service, &control);
    Followed {
        service,
        resolution,
        catalogue: control.catalogue,
    }
}

impl Followed {
    /// Addresses and weights, sorted.
    fn endpoints(&self) -> Vec<(String, u32)> {
        endpoints(&self.service)
    }

    async fn becomes(&self, wanted: &[(&str, u32)]) {
        let wanted: Vec<(String, u32)> = wanted
            .iter()
            .map(|(address, weight)| ((*address).to_owned(), *weight))
            .collect();
        until(&format!("{wanted:?}"), || self.endpoints() == wanted).await;
    }

    fn at(&self, address: &str) -> Arc<Endpoint> {
        let set = self.service.endpoints();
        let mut all = set.endpoints().iter();
        let is = |endpoint: &&Arc<Endpoint>| endpoint.address().unwrap().to_string() == address;
        Arc::clone(all.find(is).unwrap())
    }

    fn status(&self) -> SourceStatus {
        self.service.source_status().unwrap()
    }

    async fn fails_with(&self, text: &str) -> SourceError {
        let failing = || self.status().failing;
        let said = || failing().is_some_and(|failing| failing.error.contains(text));
        until(&format!("failing with {text:?}"), said).await;
        failing().unwrap()
    }

    /// A line of the metrics page.
    fn metric(&self, name: &str) -> Option<String> {
        let mut page = Vec::new();
        self.catalogue.render(&mut page, false);
        let page = String::from_utf8(page).unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().to_owned())
    }
}

fn endpoints(service: &Service) -> Vec<(String, u32)> {
    let set = service.endpoints();
    let weights = set.weights().each().iter();
    let addresses = set.endpoints().iter().map(|one| one.address().unwrap());
    let mut all: Vec<(String, u32)> = addresses
        .map(|address| address.to_string())
        .zip(weights.copied())
        .collect();
    all.sort();
    all
}

/// Waits for a condition that is to come true.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}
