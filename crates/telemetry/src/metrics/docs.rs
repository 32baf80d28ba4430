//! The reference page of the metrics, made from their declarations.

use std::fmt::Write as _;

use super::{
    family::{ALL, Kind, OVERFLOW},
    life::RETIRE_AFTER,
};

const INTRODUCTION: &str = "# Metrics

This page is generated from the declarations in the source; a test fails if it is stale.

The admin listener serves them at `/metrics`, in the Prometheus text format or, if the scraper
accepts it, OpenMetrics. Every worker counts for itself and a scrape adds up: it takes no lock that
a worker could wait for.

";

/// The page `docs/reference/metrics.md`.
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("| name | type | labels | meaning |\n|---|---|---|---|\n");
    for family in ALL {
        let labels: Vec<String> = family.labels.iter().map(|l| format!("`{l}`")).collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            family.name,
            family.kind.name(),
            labels.join(", "),
            family.help.replace('|', "\\|"),
        );
    }
    page.push_str("\n## Buckets\n\n");
    for family in ALL {
        if let Kind::Histogram(bounds) = family.kind {
            let _ = writeln!(
                page,
                "- `{}`: {} seconds.",
                family.name,
                bounds.labels().join(", ")
            );
        }
    }
    let _ = write!(
        page,
        "
## Life of a series

A series appears with its first event, and a route, service or listener that sees none has none.
The same name in a later configuration goes on counting in the same series. A name that no
configuration uses any more keeps its series for {} minutes; then they disappear.

Each worker has a budget of label sets. What comes beyond it is counted, none of it lost, in series
whose labels read `{OVERFLOW}`, and `lintel_metrics_overflow_total` grows. Label values never come
from a client: methods are a fixed set, routes and services come from the configuration.
",
        RETIRE_AFTER.as_secs() / 60
    );
    page
}
