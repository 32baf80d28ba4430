//! `lintel test`: the requests under `tests` go through the gateway, from the bytes of HTTP/1.1 to
//! the answer, and every service is a stand-in in this process.

mod call;
mod gateway;
mod judge;
mod outcome;
mod stand_in;

use std::{fmt, io};

use lintel_config::{Built, Loaded, Report, build, model::Expectation};
use tokio::runtime::{Builder, LocalOptions};

pub use self::outcome::{Mismatch, Outcome};
use self::{gateway::Gateway, stand_in::StandIn};

/// Why expectations could not be tried at all.
pub enum TrialError {
    /// The configuration is wrong.
    Config(Report),
    /// The process has no room for a runtime, a socket or a thread.
    Io(io::Error),
}

/// Tries every expectation of a configuration, in order, on one gateway.
///
/// # Errors
/// The gateway can't be built.
pub fn run(loaded: Loaded) -> Result<Vec<Outcome>, TrialError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(TrialError::Io)?;
    runtime.block_on(try_all(loaded))
}

async fn try_all(loaded: Loaded) -> Result<Vec<Outcome>, TrialError> {
    let stand_in = StandIn::start().await.map_err(TrialError::Io)?;
    let encrypted: Vec<String> = encrypted(&loaded);
    let loaded = loaded.rehearsal(stand_in.address());
    let built = build(&loaded, 1, None).map_err(TrialError::Config)?;
    stand_in.learn(&built);
    let gateway = Gateway::new(&built, &encrypted);
    let mut outcomes = Vec::with_capacity(loaded.model.tests.len());
    for (at, expectation) in loaded.model.tests.iter().enumerate() {
        let mismatches = attempt(&gateway, &stand_in, &built, expectation).await;
        outcomes.push(Outcome::new(&loaded, at, expectation, mismatches));
    }
    Ok(outcomes)
}

/// What a test can't show, a sentence each: policies that would ask a service.
pub fn unasked(loaded: &Loaded) -> Vec<String> {
    let model = &loaded.model;
    let mut found = Vec::new();
    for (route, settings) in &model.routes {
        let policies = model.policies(settings);
        for asked in policies.services() {
            let policy = asked.path.first().copied().unwrap_or_default();
            found.push(format!(
                "route `{route}`: `{policy}` does not ask service `{}` in a test; what it does instead is on its page",
                asked.name
            ));
        }
    }
    found
}

/// Names of the listeners with TLS.
fn encrypted(loaded: &Loaded) -> Vec<String> {
    let listeners = loaded.model.listeners.iter();
    listeners
        .filter(|(_, listener)| listener.tls.is_some())
        .map(|(name, _)| name.to_string())
        .collect()
}

async fn attempt(
    gateway: &Gateway,
    stand_in: &StandIn,
    built: &Built,
    expectation: &Expectation,
) -> Vec<Mismatch> {
    stand_in.expect(&expectation.answer);
    let trial = gateway.trial(built, &expectation.request);
    let sent = gateway.send(&trial).await;
    if let Some(why) = stand_in.unfit() {
        return vec![Mismatch {
            what: "the stand-in's answer".to_owned(),
            expected: "the message of the method as JSON".to_owned(),
            actual: why,
            why: Vec::new(),
        }];
    }
    match sent {
        Ok(answer) => judge::Judge {
            built,
            trial: &trial,
            answer: &answer,
            forwarded: stand_in.seen(),
        }
        .judge(&expectation.expect),
        Err(error) => vec![Mismatch {
            what: "answer".to_owned(),
            expected: "one".to_owned(),
            actual: error,
            why: Vec::new(),
        }],
    }
}

impl fmt::Debug for TrialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(report) => f.write_str(&report.render(&lintel_config::Style::plain())),
            Self::Io(error) => fmt::Display::fmt(error, f),
        }
    }
}

#[cfg(test)]
mod tests;
