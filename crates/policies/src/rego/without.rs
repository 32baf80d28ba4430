//! Stands for the engine in a build without it.

use lintel_kernel::{Exchange, Fault};
use serde_json::Value;

use super::config::Config;
use crate::judged::{Failed, not_built};

/// There is none.
pub(super) enum Engine {}

impl Engine {
    pub(super) fn build(_: &Config) -> Result<Self, Vec<Fault>> {
        Err(vec![not_built("Rego", super::NAME)])
    }

    pub(super) fn evaluate(&self, _: &Exchange) -> Result<Option<Value>, Failed> {
        match *self {}
    }
}
