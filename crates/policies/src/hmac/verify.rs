//! What a request's signature comes to.

use std::{borrow::Cow, rc::Rc, time::UNIX_EPOCH};

use aws_lc_rs::digest;
use http::header;
use lintel_http::Body;
use lintel_httpsig::{Digests, Message, sigv4};
use lintel_kernel::{Exchange, Identity, Rejection, wall::time_at};

use super::{Format, Hmac, content::whole, message, reject::LATE};
use crate::{
    Wait,
    consumers::{Signer, View},
};

/// Why a signature is refused, for the log.
pub(super) type Cause = Cow<'static, str>;

/// A signature that a request has.
pub(super) enum Found {
    Message(message::Found),
    Aws(sigv4::Request),
}

/// What became of a request that has one.
pub(super) enum Verdict {
    /// It was signed by this key.
    Signed(Option<Rc<Identity>>),
    Wrong(Cause),
    Refused(Rejection),
}

impl Hmac {
    pub(super) fn find(&self, exchange: &Exchange) -> Result<Option<Found>, Cause> {
        let message = signed_message(exchange);
        Ok(match &self.format {
            Format::Message(messages) => messages
                .find(&self.roll.view(), &message)?
                .map(Found::Message),
            Format::Aws(aws) => aws.find(&message)?.map(Found::Aws),
        })
    }

    pub(super) fn signer<'a>(
        &self,
        view: &'a View<'_>,
        found: &Found,
        exchange: &Exchange,
        hash: &str,
        has_content: bool,
    ) -> Result<&'a Signer, Cause> {
        let since = time_at(exchange.received).duration_since(UNIX_EPOCH);
        let now = since.unwrap_or_default().as_secs();
        let message = signed_message(exchange);
        match (&self.format, found) {
            (Format::Message(messages), Found::Message(found)) => {
                messages.verify(view, found, &message, has_content, now)
            }
            (Format::Aws(aws), Found::Aws(found)) => {
                aws.verify(view, found, &message, hash, has_content, now)
            }
            _ => Err("credential_unclear".into()),
        }
    }

    /// Holds all of the content, and compares it with what was signed.
    pub(super) async fn with_content(
        &self,
        found: &Found,
        exchange: &Exchange,
        body: &mut Body,
        wait: &Wait<'_>,
    ) -> Verdict {
        // Whoever may have signed it is found out before anything is held, where that can be.
        let view = self.roll.view();
        let early = match found.is_told() {
            true => match self.signer(&view, found, exchange, sigv4::EMPTY, true) {
                Ok(signer) => Some(view.signed_by(signer)),
                Err(cause) => return Verdict::Wrong(cause),
            },
            false => None,
        };
        let mut hashing = found.digests().map(Digests::hashing);
        let mut sha256 = digest::Context::new(&digest::SHA256);
        let content = whole(body, self.max_content, |piece| match &mut hashing {
            Some(hashing) => hashing.update(piece),
            None => sha256.update(piece),
        });
        match wait.timer.timeout_at(wait.deadline, content).await {
            Ok(Ok(content)) => *body = Body::boxed(content),
            Ok(Err(rejection)) => return Verdict::Refused(rejection),
            Err(_) => return Verdict::Refused(LATE),
        }
        let hash = sigv4::hex(sha256.finish().as_ref());
        let right = match (hashing, found) {
            (Some(hashing), _) => hashing.is_right(),
            (None, Found::Aws(found)) => found.is_payload(&hash),
            (None, Found::Message(_)) => true,
        };
        match (right, early) {
            (false, _) => Verdict::Wrong("content_wrong".into()),
            (true, Some(signer)) => Verdict::Signed(signer),
            (true, None) => match self.signer(&view, found, exchange, &hash, true) {
                Ok(signer) => Verdict::Signed(view.signed_by(signer)),
                Err(cause) => Verdict::Wrong(cause),
            },
        }
    }
}

impl Format {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Message(messages) => messages.describe(),
            Self::Aws(aws) => aws.describe(),
        }
    }
}

impl Found {
    /// Whether it says something of the content.
    pub(super) fn needs_content(&self) -> bool {
        match self {
            Self::Message(found) => found.digests.is_some(),
            Self::Aws(found) => found.payload != sigv4::Payload::Unsigned,
        }
    }

    /// Whether who has signed can be told without the content.
    fn is_told(&self) -> bool {
        match self {
            Self::Message(_) => true,
            Self::Aws(found) => found.payload != sigv4::Payload::Untold,
        }
    }

    fn digests(&self) -> Option<Digests> {
        match self {
            Self::Message(found) => found.digests.clone(),
            Self::Aws(_) => None,
        }
    }

    /// Whether what it says of the content holds where there is none.
    pub(super) fn is_of_nothing(&self) -> bool {
        match self {
            Self::Message(found) => found
                .digests
                .clone()
                .is_none_or(|digests| digests.hashing().is_right()),
            Self::Aws(found) => found.is_payload(sigv4::EMPTY),
        }
    }
}

/// The request as its caller signed it.
fn signed_message(exchange: &Exchange) -> Message<'_> {
    let headers = &exchange.request.headers;
    let host = headers.get(header::HOST);
    Message {
        method: &exchange.request.method,
        secure: exchange.secure,
        authority: host.and_then(|host| host.to_str().ok()).unwrap_or_default(),
        target: &exchange.target,
        headers,
    }
}
