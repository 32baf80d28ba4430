//! What is counted for the process as a whole, by its control threads.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{
    family::{
        BUILD_INFO, CONFIG_GENERATION, CONFIG_GENERATIONS_LIVE, CONFIG_LAST_SUCCESS,
        CONFIG_RELOADS, PANICS,
    },
    registry::Registry,
    shared::{SharedCounter, SharedGauge},
};

/// Counts of the process. Any thread may use it.
pub struct ProcessMetrics {
    applied: SharedCounter,
    rejected: SharedCounter,
    generation: SharedGauge,
    generations: SharedGauge,
    last_success: SharedGauge,
    panics: SharedCounter,
}

impl ProcessMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let build = SharedGauge(registry.shared(&BUILD_INFO, &[env!("CARGO_PKG_VERSION")]));
        build.set(1);
        Self {
            applied: SharedCounter(registry.shared(&CONFIG_RELOADS, &["applied"])),
            rejected: SharedCounter(registry.shared(&CONFIG_RELOADS, &["rejected"])),
            generation: SharedGauge(registry.shared(&CONFIG_GENERATION, &[])),
            generations: SharedGauge(registry.shared(&CONFIG_GENERATIONS_LIVE, &[])),
            last_success: SharedGauge(registry.shared(&CONFIG_LAST_SUCCESS, &[])),
            panics: SharedCounter(registry.shared(&PANICS, &[])),
        }
    }

    /// The configuration the process started with is in force: generation and time, no reload.
    pub fn config_started(&self, generation: u64) {
        self.in_force(generation);
    }

    /// A newer configuration was applied.
    pub fn config_applied(&self, generation: u64) {
        self.applied.inc();
        self.in_force(generation);
    }

    /// A newer configuration was refused; the last good one goes on.
    pub fn config_rejected(&self) {
        self.rejected.inc();
    }

    /// How many configurations something still runs on.
    pub fn config_generations(&self, live: u64) {
        self.generations.set(live.cast_signed());
    }

    /// A panic was caught.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    fn in_force(&self, generation: u64) {
        self.generation.set(generation.cast_signed());
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.last_success.set(now.as_secs().cast_signed());
    }
}
