//! Lintel.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::{Job, Site};

pub(super) fn write(
    templates: &Path,
    site: &Site,
    into: &Path,
    lease: &str,
) -> Result<Vec<String>> {
    let routes = site.each_route(|text, route, service| {
        writeln!(
            text,
            "  {route}: {{ match: {{ path: /{route}/* }}, to: {service} }}"
        )
    })?;
    let services = site.each_service(|text, service| {
        let port = site.upstream_http;
        writeln!(
            text,
            "  {service}: {{ endpoints: [http://127.0.0.1:{port}] }}"
        )
    })?;
    let to = match site.load.job {
        Job::Transcode => "{ grpc: { service: echo } }",
        _ => "up",
    };
    let more = [
        ("routes", routes.as_str()),
        ("services", &services),
        ("to", to),
        ("lease", lease),
    ];
    let file = site.dir.join("lintel.yaml");
    fs::write(
        into.join("lintel.yaml"),
        site.fill(&templates.join("lintel.yaml"), &more)?,
    )?;
    Ok(["run".to_owned(), file.display().to_string()].into())
}
