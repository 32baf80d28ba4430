//! The layer gate: a crate depends only on crates above it in the table of ARCHITECTURE.md.

use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The table, top to bottom.
pub(crate) const LAYERS: &[&str] = &[
    "lintel-kernel-macros",
    "lintel-kernel",
    "lintel-telemetry",
    "lintel-jose",
    "lintel-httpsig",
    "lintel-http1",
    "lintel-tls",
    "lintel-state",
    "lintel-http",
    "lintel-router",
    "lintel-upstream",
    "lintel-grpc",
    "lintel-compose",
    "lintel-xml",
    "lintel-policies",
    "lintel-proxy",
    "lintel-server",
    "lintel-config",
    "lintel-control",
    "lintel",
    "lintel-testkit",
];

/// Crates outside the product: they may use anything, nothing may use them.
const TOOLS: &[&str] = &["xtask", "lintel-bench", "lintel-fuzz"];

/// Libraries with one door: only the named crates may depend on them.
const DOORS: &[(&str, &[&str])] = &[
    ("rustls", &["lintel-tls", "lintel-bench", "lintel-testkit"]),
    (
        "tokio-rustls",
        &["lintel-tls", "lintel-bench", "lintel-testkit"],
    ),
    ("granit-parser", &["lintel-config"]),
    (
        "h2",
        &[
            "lintel-http",
            "lintel-upstream",
            "lintel-server",
            "lintel-bench",
        ],
    ),
    (
        "hyper",
        &["lintel-upstream", "lintel-bench", "lintel-testkit"],
    ),
    ("httparse", &["lintel-http1", "lintel-bench"]),
    ("axum", &["lintel-control"]),
    ("quick-xml", &["lintel-xml"]),
];

pub(crate) fn check(root: &Path) -> Result<(), String> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .map_err(|error| format!("layers: cargo metadata failed: {error}"))?;
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let place = LAYERS.iter().position(|layer| *layer == name);
        if place.is_none() && !TOOLS.contains(&name) {
            findings.push(format!("{name} is not in the table of layers"));
        }
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind == DependencyKind::Normal)
        {
            let target = LAYERS.iter().position(|layer| *layer == dependency.name);
            if let (Some(place), Some(target)) = (place, target)
                && target >= place
            {
                findings.push(format!(
                    "{name} depends on {}, which is not above it",
                    dependency.name
                ));
            }
            if TOOLS.contains(&dependency.name.as_str()) {
                findings.push(format!(
                    "{name} depends on {}, which is a tool",
                    dependency.name
                ));
            }
            if let Some((library, doors)) = DOORS
                .iter()
                .find(|(library, _)| *library == dependency.name)
                && !doors.contains(&name)
            {
                findings.push(format!(
                    "{name} depends on {library}; only {} may",
                    doors.join(", ")
                ));
            }
        }
    }
    if findings.is_empty() {
        println!("layers: {} crates in order", metadata.packages.len());
        return Ok(());
    }
    Err(format!("layers:\n  {}", findings.join("\n  ")))
}
