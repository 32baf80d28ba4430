//! NGINX.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::Site;

pub(super) fn write(
    templates: &Path,
    site: &Site,
    into: &Path,
    log_options: &str,
) -> Result<Vec<String>> {
    let routes = site.each_route(|text, route, service| {
        writeln!(
            text,
            "        location /{route}/ {{ proxy_pass http://{service}; }}"
        )
    })?;
    let services = site.each_service(|text, service| {
        let port = site.upstream_http;
        writeln!(
            text,
            "    upstream {service} {{ server 127.0.0.1:{port}; keepalive 32; }}"
        )
    })?;
    let more = [
        ("log_options", log_options),
        ("routes", &routes),
        ("services", &services),
    ];
    let file = site.dir.join("nginx.conf");
    fs::write(
        into.join("nginx.conf"),
        site.fill(&templates.join("nginx.conf"), &more)?,
    )?;
    let prefix = site.dir.display().to_string();
    Ok([
        "-p".to_owned(),
        prefix,
        "-c".to_owned(),
        file.display().to_string(),
    ]
    .into())
}
