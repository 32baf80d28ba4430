//! Scenarios in which the proxies do the work of a gateway.

use anyhow::Result;

use super::Scenario;
use super::traffic::{Traffic, measure};
use crate::credentials::Credentials;
use crate::driver::Bench;
use crate::load::{Plan, Work};
use crate::proxies::{Job, Load, Proxy};
use crate::table::Table;

pub(super) fn token(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    run(
        bench,
        scenario,
        "As plain, with a token signed by RS256 (2,048 bits) of one of 64 callers, of which signature, issuer, audience and \
         expiry are checked. Envoy and Lintel remember tokens they have verified; HAProxy verifies each time.",
        Job::Token,
    )
}

pub(super) fn gateway(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    run(
        bench,
        scenario,
        "As *A signed token*, with a limit of rates for each of the 64 callers, who are told to the upstream in `X-User-Id` in \
         place of the token, and the access log as ever.",
        Job::Gateway,
    )
}

pub(super) fn limit(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    run(
        bench,
        scenario,
        "As plain, with a limit of rates for each client address that is never reached.",
        Job::Limit,
    )
}

pub(super) fn limit_shared(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    bench.prepare(Job::LimitShared)?;
    run_among(
        bench,
        scenario,
        "As *A limit of rates*, counted in Redis for all replicas: by a script for each request, by one for up to a thousand \
         (*lintel-leased*), and by the service that Envoy asks over gRPC for each request, which sends `INCRBY` and `EXPIRE`. The \
         service is this benchmark's own. Redis and the service have the upstream's core, and columns of their own at the end.",
        Job::LimitShared,
        &[Proxy::LintelLeased],
    )
}

pub(super) fn keys(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    run(
        bench,
        scenario,
        "As plain, with the API key of one of 100,000 consumers, who is told to the upstream in place of the key. Lintel knows \
         the hashes of the keys, NGINX and HAProxy the keys themselves, in a map.",
        Job::Keys,
    )
}

pub(super) fn transcode(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    run(
        bench,
        scenario,
        "100 bytes of JSON become a gRPC call over HTTP/2, and its answer becomes JSON: six fields, with a list and a message \
         among them. Envoy does it by `grpc_json_transcoder`; NGINX and HAProxy don't.",
        Job::Transcode,
    )
}

/// The requests of a job: its callers in turn.
pub(crate) fn work(job: Job, credentials: &Credentials) -> Work {
    let (name, values) = match job {
        Job::None | Job::Limit | Job::LimitShared => return Work::small(),
        Job::Transcode => return Work::Json,
        Job::Compose | Job::ComposeMixed => return super::compose::home(),
        Job::Token | Job::Gateway | Job::Rego | Job::Cedar => {
            ("authorization: Bearer", &credentials.tokens)
        }
        Job::Keys => ("x-api-key:", &credentials.keys),
    };
    Work::As {
        fields: values
            .iter()
            .map(|value| format!("{name} {value}"))
            .collect(),
    }
}

fn run(bench: &mut Bench, scenario: &Scenario, note: &str, job: Job) -> Result<Table> {
    run_among(bench, scenario, note, job, &[])
}

fn run_among(
    bench: &mut Bench,
    scenario: &Scenario,
    note: &str,
    job: Job,
    variants: &'static [Proxy],
) -> Result<Table> {
    let work = work(job, &bench.credentials);
    let traffic = Traffic {
        note: note.to_owned(),
        load: Load {
            job,
            ..Load::default()
        },
        variants,
        plan: &|proxy| Plan::http1(proxy.http(), work.clone()),
        fixed: true,
    };
    Ok(measure(bench, scenario, &traffic)?.0)
}
