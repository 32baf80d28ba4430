//! Stands for the engine in a build without it.

use lintel_kernel::{Exchange, Fault};

use super::{asked::Asked, config::Config};
use crate::judged::not_built;

/// There is none.
pub(super) enum Engine {}

impl Engine {
    pub(super) fn build(_: &Config) -> Result<Self, Vec<Fault>> {
        Err(vec![not_built("Cedar", super::NAME)])
    }

    pub(super) fn decide(&self, _: &Asked, _: &Exchange) -> Result<(), String> {
        match *self {}
    }
}
