//! What people are told of an issuer: its state, the log, the metrics.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use lintel_jose::Keys;
use lintel_telemetry::{
    Catalogue,
    metrics::{
        Family,
        family::{KEY_REFRESHES, KEYS, KEYS_FAILING, KEYS_LAST_SUCCESS},
    },
};

/// How an issuer's keys do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssuerStatus {
    /// The URL that is asked.
    pub source: String,
    /// The keys in use: `kid`, where they have one, and algorithms.
    pub keys: Vec<(Option<String>, Vec<&'static str>)>,
    /// Why keys that are published are not used.
    pub left_out: Vec<String>,
    /// When the keys were last fetched well.
    pub fetched: Option<SystemTime>,
    /// When they are fetched next, unless a token asks sooner.
    pub next: Option<SystemTime>,
    /// Why they can't be fetched now, and since when.
    pub failing: Option<(String, SystemTime)>,
    /// Whether they were given up because they were stale for too long.
    pub withdrawn: bool,
}

/// The most that is kept of keys that can't be used.
const MAX_NOTES: usize = 10;
const RESULTS: [&str; 3] = ["changed", "unchanged", "failed"];

/// Keeps the state, logs when it changes, counts always.
pub(super) struct Story {
    catalogue: Arc<Catalogue>,
    status: Arc<Mutex<IssuerStatus>>,
    source: String,
}

impl Story {
    pub(super) fn new(catalogue: &Arc<Catalogue>, status: &Arc<Mutex<IssuerStatus>>) -> Self {
        let source = lock(status).source.clone();
        Self {
            catalogue: Arc::clone(catalogue),
            status: Arc::clone(status),
            source,
        }
    }

    /// Keys were fetched.
    pub(super) fn fetched(&self, keys: Option<&Keys>, left_out: &[impl fmt::Display]) {
        let mut status = lock(&self.status);
        let source = &*self.source;
        if status.failing.take().is_some() {
            tracing::info!(source, "the issuer's keys can be fetched again");
        }
        status.withdrawn = false;
        status.fetched = Some(SystemTime::now());
        let notes = left_out.iter().take(MAX_NOTES);
        let left_out: Vec<String> = notes.map(ToString::to_string).collect();
        if !left_out.is_empty() && left_out != status.left_out {
            tracing::info!(
                source,
                ?left_out,
                "keys that the issuer publishes are not used"
            );
        }
        status.left_out = left_out;
        if let Some(keys) = keys {
            let described = keys.iter().map(|key| {
                let algorithms = key.algorithms().map(|algorithm| algorithm.name());
                (key.id().map(str::to_owned), algorithms.collect())
            });
            status.keys = described.collect();
            let ids: Vec<&str> = keys.iter().map(|key| key.id().unwrap_or("-")).collect();
            tracing::info!(source, keys = ?ids, "the issuer's keys are in use");
        }
        let result = if keys.is_some() {
            "changed"
        } else {
            "unchanged"
        };
        self.count(result);
        self.show(&KEYS, status.keys.len());
        self.show(&KEYS_FAILING, 0);
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.unwrap_or_default().as_secs();
        let gauge = self.catalogue.gauge(&KEYS_LAST_SUCCESS, &[source]);
        gauge.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    /// Keys could not be fetched.
    pub(super) fn failed(&self, error: &str) {
        let mut status = lock(&self.status);
        let source = &*self.source;
        match &mut status.failing {
            Some((last, _)) => error.clone_into(last),
            failing @ None => {
                *failing = Some((error.to_owned(), SystemTime::now()));
                let keys = status.keys.len();
                tracing::warn!(
                    source,
                    error,
                    keys,
                    "the issuer's keys can't be fetched; the last good ones stay in use"
                );
            }
        }
        self.count("failed");
        self.show(&KEYS_FAILING, 1);
    }

    /// Keys were given up.
    pub(super) fn withdrawn(&self) {
        let mut status = lock(&self.status);
        status.withdrawn = true;
        status.keys.clear();
        tracing::error!(
            source = self.source,
            "the issuer's keys are too old to be used any longer (`max_stale`)"
        );
        self.show(&KEYS, 0);
    }

    /// When the next refresh comes.
    pub(super) fn next(&self, at: SystemTime) {
        lock(&self.status).next = Some(at);
    }

    fn count(&self, result: &'static str) {
        let labels = [&*self.source, result];
        self.catalogue.counter(&KEY_REFRESHES, &labels).inc();
    }

    fn show(&self, family: &'static Family, value: usize) {
        let gauge = self.catalogue.gauge(family, &[&self.source]);
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        for family in [&KEYS, &KEYS_FAILING, &KEYS_LAST_SUCCESS] {
            self.catalogue.release(family, &[&self.source]);
        }
        for result in RESULTS {
            self.catalogue
                .release(&KEY_REFRESHES, &[&self.source, result]);
        }
    }
}

pub(super) fn lock(status: &Mutex<IssuerStatus>) -> MutexGuard<'_, IssuerStatus> {
    // Fields are set one by one, and each is right by itself.
    status.lock().unwrap_or_else(PoisonError::into_inner)
}
