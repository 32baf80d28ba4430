//! The Express application, which composes as `configs/jobs/compose` and `configs/jobs/compose-mixed` say.

use std::path::Path;

use anyhow::{Result, bail};

use super::{Job, Site};

pub(super) fn write(templates: &Path, site: &Site) -> Result<Vec<String>> {
    let rpc = match site.load.job {
        Job::Compose => Vec::new(),
        Job::ComposeMixed => vec![
            site.upstream_grpc.to_string(),
            templates.join("bench.proto").display().to_string(),
            // What it imports.
            templates
                .join("../../crates/grpc/protos")
                .display()
                .to_string(),
        ],
        _ => bail!("it does not do this"),
    };
    let common = [
        site.http.to_string(),
        site.upstream_http.to_string(),
        site.generation_mark(),
        site.log().display().to_string(),
    ];
    Ok(common.into_iter().chain(rpc).collect())
}
