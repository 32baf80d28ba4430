//! The reference page of the metrics is the one their declarations give.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{env, fs, path::Path};

use lintel_telemetry::metrics::markdown;

#[test]
fn the_metrics_page_is_fresh() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/metrics.md");
    let fresh = markdown();
    if env::var_os("LINTEL_UPDATE").is_some_and(|value| value == "1") {
        fs::create_dir_all(page.parent().unwrap()).unwrap();
        fs::write(&page, &fresh).unwrap();
    }
    let written = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        written == fresh,
        "docs/reference/metrics.md is stale: run this test with LINTEL_UPDATE=1"
    );
}
