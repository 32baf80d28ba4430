//! What a key of a consumer gives to whoever has it.

use std::sync::Arc;

use lintel_kernel::{Consumer, Fault, Identity};

/// Whom a key stands for, what its bearer may do, and until when.
#[derive(Debug)]
pub(super) struct Grant {
    /// The id of the key, for the log.
    pub(super) id: Box<str>,
    pub(super) consumer: Arc<Consumer>,
    scopes: Vec<Box<str>>,
    /// Seconds since 1970.
    expires: Option<u64>,
}

impl Grant {
    pub(super) fn new(
        id: &str,
        consumer: &Arc<Consumer>,
        scopes: &[String],
        expires: Option<u64>,
    ) -> Self {
        Self {
            id: id.into(),
            consumer: Arc::clone(consumer),
            scopes: scopes.iter().map(|scope| scope.as_str().into()).collect(),
            expires,
        }
    }

    /// Whether its time has passed, at one in seconds since 1970.
    pub(super) fn has_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    /// The identity of its bearer, as this policy has proved it.
    pub(super) fn identity(&self, method: &'static str) -> Identity {
        Identity {
            method,
            consumer: Some(Arc::clone(&self.consumer)),
            credential: Some(self.id.clone()),
            scopes: self.scopes.clone(),
            ..Identity::default()
        }
    }
}

/// A time, or the beginning of a day in UTC, as seconds since 1970.
pub(super) fn time(text: &str) -> Result<u64, Fault> {
    let day = || {
        let day: jiff::civil::Date = text.parse().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    let time = text.parse::<jiff::Timestamp>().ok().or_else(day);
    let seconds = time.and_then(|time| u64::try_from(time.as_second()).ok());
    seconds.ok_or_else(|| {
        Fault::new(format!("`{text}` is no time"))
            .with_hint("write a day such as `2027-01-31`, or a time such as `2027-01-31T12:00:00Z`")
            .under("expires")
    })
}
