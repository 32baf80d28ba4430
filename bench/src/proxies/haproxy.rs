//! HAProxy.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::Site;

pub(super) fn write(templates: &Path, site: &Site, into: &Path) -> Result<Vec<String>> {
    let map = site.dir.join("routes.map");
    let rule = if site.load.routes == 0 {
        String::new()
    } else {
        // A prefix tree, as HAProxy's manual advises for many routes, and not thousands of rules.
        format!("    use_backend %[path,map_beg({},up)]", map.display())
    };
    fs::write(
        into.join("routes.map"),
        site.each_route(|text, route, service| writeln!(text, "/{route}/ {service}"))?,
    )?;
    let services = site.each_service(|text, service| {
        let port = site.upstream_http;
        writeln!(
            text,
            "backend {service}\n    server {service} 127.0.0.1:{port}"
        )
    })?;
    // Each connection may take two descriptors, but idle ones share those to the upstream.
    let maxconn = (site.nofile.saturating_sub(1_000)).min(16_000).to_string();
    let more = [
        ("routes", rule.as_str()),
        ("services", &services),
        ("maxconn", &maxconn),
    ];
    let file = site.dir.join("haproxy.cfg");
    fs::write(
        into.join("haproxy.cfg"),
        site.fill(&templates.join("haproxy.cfg"), &more)?,
    )?;
    Ok(["-W".to_owned(), "-f".to_owned(), file.display().to_string()].into())
}
