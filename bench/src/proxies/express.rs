//! The Express application, which composes as `configs/jobs/compose` says.

use anyhow::{Result, ensure};

use super::{Job, Site};

pub(super) fn write(site: &Site) -> Result<Vec<String>> {
    ensure!(site.load.job == Job::Compose, "it does not do this");
    Ok([
        site.http.to_string(),
        site.upstream_http.to_string(),
        site.generation_mark(),
        site.log().display().to_string(),
    ]
    .into())
}
