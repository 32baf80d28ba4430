//! What the control side knows of itself: which configuration serves, and why a newer one does not.

use std::{
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

use serde::Serialize;

/// The state that `/config/status`, `/readyz` and `lintel status` report.
#[derive(Debug)]
pub struct Status {
    started: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    serving: Option<Serving>,
    refused: Option<Refused>,
    reloads: Counts,
    draining: bool,
}

/// The configuration that serves.
#[derive(Debug, Clone, Serialize)]
pub struct Serving {
    /// Counts up with every accepted configuration.
    pub generation: u64,
    /// Hash of its content.
    pub version: String,
    /// When it began to serve, in seconds since 1970.
    pub since: u64,
    /// Warnings found in it.
    pub warnings: Vec<String>,
}

/// A newer configuration that was refused.
#[derive(Debug, Clone, Serialize)]
pub struct Refused {
    /// When, in seconds since 1970.
    pub at: u64,
    /// What asked for it: `file`, `signal`, `admin`.
    pub by: &'static str,
    /// The diagnostics, as `lintel check` prints them.
    pub report: String,
}

/// Reloads so far.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Counts {
    /// Accepted.
    pub applied: u64,
    /// Refused.
    pub refused: u64,
    /// Asked for, but nothing had changed.
    pub unchanged: u64,
}

/// Everything at once, as JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The configuration that serves.
    pub serving: Option<Serving>,
    /// Why a newer one does not, if the last reload was refused.
    pub refused: Option<Refused>,
    /// Reloads so far.
    pub reloads: Counts,
    /// Whether the process is stopping.
    pub draining: bool,
    /// Seconds since the start.
    pub uptime: u64,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            inner: Mutex::default(),
        }
    }
}

impl Status {
    /// A configuration serves from now on.
    pub fn applied(&self, generation: u64, version: &str, warnings: Vec<String>) {
        let mut inner = self.lock();
        if inner.serving.is_some() {
            inner.reloads.applied += 1;
        }
        inner.refused = None;
        inner.serving = Some(Serving {
            generation,
            version: version.to_owned(),
            since: now(),
            warnings,
        });
    }

    /// A newer configuration was refused.
    pub fn refused(&self, by: &'static str, report: String) {
        let mut inner = self.lock();
        inner.reloads.refused += 1;
        inner.refused = Some(Refused {
            at: now(),
            by,
            report,
        });
    }

    /// A reload found nothing changed; a refusal before it is settled by that.
    pub fn unchanged(&self) {
        let mut inner = self.lock();
        inner.reloads.unchanged += 1;
        inner.refused = None;
    }

    /// The process is stopping: `/readyz` says so from now on.
    pub fn drain(&self) {
        self.lock().draining = true;
    }

    /// Whether new traffic may be sent here.
    pub fn is_ready(&self) -> bool {
        let inner = self.lock();
        inner.serving.is_some() && !inner.draining
    }

    /// Everything at once.
    pub fn report(&self) -> Report {
        let inner = self.lock();
        Report {
            serving: inner.serving.clone(),
            refused: inner.refused.clone(),
            reloads: inner.reloads,
            draining: inner.draining,
            uptime: self.started.elapsed().as_secs(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A panic while the lock was held leaves whole values behind: each is set in one step.
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_shown_until_the_next_good_configuration() {
        let status = Status::default();
        assert!(!status.is_ready());
        status.applied(1, "a", Vec::new());
        assert!(status.is_ready());
        status.refused("file", "error".to_owned());
        let report = status.report();
        assert_eq!(report.serving.map(|serving| serving.generation), Some(1));
        assert_eq!(report.refused.map(|refused| refused.by), Some("file"));
        status.applied(2, "b", Vec::new());
        assert!(status.report().refused.is_none());
        status.drain();
        assert!(!status.is_ready());
    }
}
