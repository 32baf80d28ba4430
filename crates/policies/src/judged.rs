//! What policies have in common that judge requests in the process, by policies of the operator's own
//! in a language of their own.

use std::time::Duration;

use http::StatusCode;
use lintel_kernel::{Exchange, Fault, Rejection};
use lintel_telemetry::{
    log::OncePer,
    metrics::{PolicyCounter, family::JUDGEMENTS},
};

/// Counts judgements, and lets requests pass in a dry run.
#[derive(Debug)]
pub(crate) struct Judged {
    name: &'static str,
    dry_run: bool,
    allowed: PolicyCounter,
    denied: PolicyCounter,
    failed: PolicyCounter,
}

/// Why there is no judgement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    /// A stable word for the log.
    pub(crate) code: &'static str,
    /// For the operator.
    pub(crate) cause: String,
}

impl Failed {
    pub(crate) fn new(code: &'static str, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        Self { code, cause }
    }
}

impl Judged {
    /// For a policy of a route; in a dry run nothing is refused.
    pub(crate) fn new(name: &'static str, route: &str, dry_run: bool) -> Self {
        let outcome = |word| PolicyCounter::new(&JUDGEMENTS, &[name, route, word]);
        let denied = |word, dry_word| outcome(if dry_run { dry_word } else { word });
        Self {
            name,
            dry_run,
            allowed: outcome("allowed"),
            denied: denied("denied", "dry_run_denied"),
            failed: denied("failed", "dry_run_failed"),
        }
    }

    /// A line for `lintel explain`, where there is something to tell.
    pub(crate) fn describe(&self) -> Option<String> {
        self.dry_run
            .then(|| "dry run: refuses nothing, counts what it would".to_owned())
    }

    /// The request may pass.
    pub(crate) fn allowed(&self) {
        self.allowed.inc();
    }

    /// The request may not pass; the reason is for logs. Whether it is refused.
    pub(crate) fn denied(&self, exchange: &mut Exchange, reason: &str) -> bool {
        self.denied.inc();
        if self.dry_run {
            static DRY: OncePer = OncePer::new(Duration::from_secs(1));
            if let Some(suppressed) = DRY.pass() {
                tracing::info!(
                    policy = self.name,
                    route = exchange.route_name(),
                    request_id = exchange.id.as_str(),
                    reason,
                    suppressed,
                    "a dry run would have refused a request"
                );
            }
        } else {
            exchange.cause = Some(reason.into());
        }
        !self.dry_run
    }

    /// Nobody can say whether the request may pass: the refusal, unless this is a dry run.
    pub(crate) fn failed(&self, exchange: &mut Exchange, why: &Failed) -> Option<Rejection> {
        self.failed.inc();
        static FAILED: OncePer = OncePer::new(Duration::from_secs(10));
        if let Some(suppressed) = FAILED.pass() {
            tracing::warn!(
                policy = self.name,
                route = exchange.route_name(),
                request_id = exchange.id.as_str(),
                code = why.code,
                cause = why.cause,
                suppressed,
                "whether a request is allowed could not be found out"
            );
        }
        if self.dry_run {
            return None;
        }
        exchange.cause = Some(format!("{}: {}", why.code, why.cause).into());
        Some(Rejection::new(
            self.name,
            StatusCode::INTERNAL_SERVER_ERROR,
            "authorization_failed",
            "Whether the request is allowed can't be found out.",
        ))
    }
}

/// The mistake of a configuration that asks for what this binary was built without.
#[cfg_attr(
    all(feature = "cedar", feature = "rego", not(test)),
    expect(dead_code, reason = "everything is built in")
)]
pub(crate) fn not_built(language: &str, feature: &str) -> Fault {
    let hint = format!("build it in: `cargo build --release -p lintel --features {feature}`");
    // Also told where policies come from files, as they mostly do.
    Fault::new(format!("this `lintel` was built without {language}"))
        .with_hint(hint)
        .discreet()
}
