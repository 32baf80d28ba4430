//! The leg that streams: asked when all others are done, and judged by the head of its answer.

use std::time::Instant;

use lintel_kernel::Exchange;

use crate::{Does, Missed, Outcome, Reply, Request, Results, run::Start};

impl Results<'_> {
    /// The request of the leg that streams, with its index. None where there is no such leg, another
    /// has failed, or it needs no call: what stands in its place is settled then.
    pub fn begin_last(&mut self, exchange: &Exchange) -> Option<(usize, Request)> {
        let index = self.plan.streamed()?;
        if self.failed().is_some() {
            return None;
        }
        let leg = self.plan.legs().get(index)?;
        if let Some(begun) = self.begun.get_mut(index) {
            *begun = Some(Instant::now());
        }
        match self.start(leg, exchange) {
            Start::Call(request) => Some((index, request)),
            Start::Done(outcome) => {
                self.settle(index, outcome);
                None
            }
            // No leg that streams is made for a list.
            Start::Calls(_) => None,
        }
    }

    /// There is no answer to the leg that streams.
    pub fn miss_last(&mut self, missed: Missed) {
        let leg = self.plan.streamed();
        let leg = leg.and_then(|index| Some((index, self.plan.legs().get(index)?)));
        if let Some((index, leg)) = leg {
            let outcome = Outcome {
                endpoint: missed.endpoint,
                attempts: missed.attempts,
                ..Outcome::lost(leg, missed.reason, missed.cause)
            };
            self.settle(index, outcome);
        }
    }

    /// Takes the head of the answer to the leg that streams: a reply without its body. Whether the
    /// body is what the leg brings; something else stands in its place where it is not.
    pub fn take_last(&mut self, head: Reply) -> bool {
        let Some(index) = self.plan.streamed() else {
            return false;
        };
        let Some(leg) = self.plan.legs().get(index) else {
            return false;
        };
        let Does::Ask(ask) = &leg.does else {
            return false;
        };
        let judged = ask.by_status(&head);
        let streams = matches!(judged, Ok(None));
        let outcome = match judged {
            Ok(None) => Outcome::of(leg.instead()),
            Ok(Some(value)) => Outcome::of(value),
            Err((reason, cause)) => Outcome::lost(leg, reason, cause),
        };
        let outcome = Outcome {
            status: Some(head.status.as_u16()),
            headers: head.headers,
            endpoint: head.endpoint,
            attempts: head.attempts,
            ..outcome
        };
        self.settle(index, outcome);
        streams
    }
}
