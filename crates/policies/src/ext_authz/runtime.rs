//! Asking, and what follows where there is no answer.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use http_body::Body as _;
use lintel_http::Body;
use lintel_kernel::{Exchange, Rejection};
use lintel_telemetry::log::OncePer;

use super::{
    grpc::{self, Grpc},
    plain::Plain,
    reject,
};
use crate::{
    Backend, Unanswered, Wait,
    beginning::{Beginning, begin},
    verdict::Verdict,
};

/// Whom to ask, and how.
pub(super) struct Check {
    pub(super) backend: Backend,
    pub(super) way: Way,
    pub(super) body: Option<BodyRule>,
    pub(super) failure: Failure,
}

/// How a service is asked.
pub(super) enum Way {
    Grpc(Grpc),
    Plain(Box<Plain>),
}

/// How much of bodies the service sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyRule {
    pub(super) max: usize,
    /// Whether it sees the beginning of larger ones; otherwise they are refused.
    pub(super) cut: bool,
}

/// What holds while there is no answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    Allow,
    Deny(StatusCode),
}

/// Why there is no verdict.
pub(super) enum Undecided {
    /// The body is larger than the service may see.
    TooLarge,
    /// The client's body broke.
    Body(Rejection),
    /// The service gave no answer of use.
    Failed(Unanswered),
}

impl Check {
    /// What the service says of a request.
    pub(super) async fn ask(
        &self,
        exchange: &Exchange,
        body: &mut Body,
        wait: &Wait<'_>,
    ) -> Result<Arc<Verdict>, Undecided> {
        let beginning = self.beginning(exchange, body).await?;
        let question = match &self.way {
            Way::Grpc(grpc) => Some(grpc.question(&self.backend, exchange, beginning.as_ref())),
            Way::Plain(plain) => plain.question(&self.backend, exchange, beginning.as_ref()),
        };
        let question = question.ok_or_else(|| {
            Undecided::Failed(Unanswered {
                code: "question_invalid",
                cause: "the path of the request can't stand behind the prefix".to_owned(),
                timeout: false,
            })
        })?;
        let reply = self.backend.ask(wait, question).await;
        let verdict = reply.and_then(|reply| match &self.way {
            Way::Grpc(_) => grpc::verdict(&reply),
            Way::Plain(plain) => plain.verdict(reply),
        });
        verdict.map(Arc::new).map_err(Undecided::Failed)
    }

    /// What the service is to see of the body; nothing of a stream.
    async fn beginning(
        &self,
        exchange: &Exchange,
        body: &mut Body,
    ) -> Result<Option<Beginning>, Undecided> {
        let Some(rule) = self.body.filter(|_| !exchange.grpc) else {
            return Ok(None);
        };
        if !rule.cut && body.size_hint().lower() > rule.max as u64 {
            return Err(Undecided::TooLarge);
        }
        let beginning = begin(body, rule.max).await.map_err(|error| {
            let refusal = reject::unreadable(error.facts.status());
            Undecided::Body(refusal.with_cause("request_body"))
        })?;
        if !beginning.whole && !rule.cut {
            return Err(Undecided::TooLarge);
        }
        Ok(Some(beginning))
    }

    /// What follows where the service gave no answer of use.
    pub(super) fn without(&self, exchange: &mut Exchange, why: &Unanswered) -> Option<Rejection> {
        let name = self.backend.name();
        static SILENT: OncePer = OncePer::new(Duration::from_secs(10));
        if let Some(suppressed) = SILENT.pass() {
            tracing::warn!(
                service = name,
                route = exchange.route_name(),
                request_id = exchange.id.as_str(),
                code = why.code,
                cause = why.cause,
                suppressed,
                "the check service gave no answer of use"
            );
        }
        match self.failure {
            Failure::Allow => None,
            Failure::Deny(status) => {
                exchange.cause = Some(format!("{name}: {}: {}", why.code, why.cause).into());
                Some(reject::unavailable(status))
            }
        }
    }

    /// What it does, in a sentence each.
    pub(super) fn describe(&self) -> Vec<String> {
        let name = self.backend.name();
        let over = match &self.way {
            Way::Grpc(_) => "gRPC",
            Way::Plain(_) => "HTTP",
        };
        let millis = self.backend.timeout().as_millis();
        let without = match self.failure {
            Failure::Allow => "lets requests pass".to_owned(),
            Failure::Deny(status) => format!("refuses requests with {}", status.as_u16()),
        };
        vec![
            format!("asks service {name} over {over}, for {millis} ms at most"),
            format!("without an answer {without}"),
        ]
    }
}
