//! Whole configurations: what is said of mistakes, what holds for every input, what the pages say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod mistakes;
mod properties;
mod reference;
mod reload;

/// Snapshots lie beside the mistakes that they are about, each called as what it shows.
fn snapshots() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings
}
