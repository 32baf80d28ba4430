//! Envoy.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::{Job, Site};

/// How many routes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Routes {
    /// A prefix tree (the generic matching API): what an expert with 10,000 routes does.
    Tree,
    /// A list, searched from its top for every request.
    List,
}

pub(super) fn write(
    templates: &Path,
    site: &Site,
    into: &Path,
    kind: Routes,
) -> Result<Vec<String>> {
    let log = one_line(&site.fill(&templates.join("envoy-access-log.json"), &[])?);
    let manager = |file: &str| -> Result<String> {
        Ok(one_line(
            &site.fill(&templates.join(file), &[("access_log", &log)])?,
        ))
    };
    let web = manager("envoy-manager-web.json")?;
    let rpc = manager("envoy-manager-rpc.json")?;
    let services = site.each_service(|text, service| {
        let port = site.upstream_http;
        writeln!(
            text,
            "  - name: {service}\n    connect_timeout: 5s\n    load_assignment: {{ cluster_name: {service}, endpoints: \
             [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} \
             }} }} }} }}] }}] }}"
        )
    })?;
    let routes = if kind == Routes::Tree && site.load.routes > 0 {
        tree(site)?
    } else {
        list(site)?
    };
    let routes = site.fill(&templates.join("envoy-routes.yaml"), &[("routes", &routes)])?;
    fs::write(into.join("routes.yaml"), routes)?;
    let more = [
        ("manager_web", web.as_str()),
        ("manager_rpc", &rpc),
        ("services", &services),
    ];
    let file = site.dir.join("envoy.yaml");
    fs::write(
        into.join("envoy.yaml"),
        site.fill(&templates.join("envoy.yaml"), &more)?,
    )?;
    let arguments = [
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "--log-level",
        "warn",
        "-c",
    ];
    Ok(arguments
        .map(str::to_owned)
        .into_iter()
        .chain([file.display().to_string()])
        .collect())
}

fn list(site: &Site) -> Result<String> {
    let mut text = String::from("    routes:\n");
    let mark = site.generation_mark();
    writeln!(
        text,
        "    - {{ match: {{ path: /generation }}, direct_response: {{ status: 200, body: {{ inline_string: \"{mark}\" }} }} }}"
    )?;
    if site.load.job == Job::Transcode {
        writeln!(
            text,
            "    - {{ match: {{ prefix: /bench.Echo/ }}, route: {{ cluster: echo }} }}"
        )?;
    }
    text += &site.each_route(|text, route, service| {
        let counted = counted(site, route);
        writeln!(
            text,
            "    - {{ match: {{ prefix: /{route}/ }}, {counted}route: {{ cluster: {service} }} }}"
        )
    })?;
    writeln!(
        text,
        "    - {{ match: {{ prefix: / }}, route: {{ cluster: up }} }}"
    )?;
    Ok(text)
}

fn tree(site: &Site) -> Result<String> {
    const ACTION: &str = "{ action: { name: route, typed_config: { \"@type\": \
                          type.googleapis.com/envoy.config.route.v3.Route, match: { prefix: / }, ";
    let mark = site.generation_mark();
    let mut text = String::from(
        "    matcher:\n      matcher_tree:\n        input: { name: path, typed_config: { \"@type\": \
         type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: \":path\" } }\n        \
         prefix_match_map:\n          map:\n",
    );
    writeln!(
        text,
        "            \"/generation\": {ACTION}direct_response: {{ status: 200, body: {{ inline_string: \"{mark}\" }} }} }} }} }}"
    )?;
    text += &site.each_route(|text, route, service| {
        let counted = counted(site, route);
        writeln!(
            text,
            "            \"/{route}/\": {ACTION}{counted}route: {{ cluster: {service} }} }} }} }}"
        )
    })?;
    writeln!(
        text,
        "            \"/\": {ACTION}route: {{ cluster: up }} }} }} }}"
    )?;
    Ok(text)
}

fn counted(site: &Site, route: &str) -> String {
    if site.load.count_routes {
        format!("stat_prefix: {route}, ")
    } else {
        String::new()
    }
}

/// The JSON parts go into YAML, which takes them on one line.
fn one_line(json: &str) -> String {
    json.split('\n')
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ")
}
