//! Stands for the engine in a build without it. The tests look at it in a build with it, too.

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

    #[cfg_attr(feature = "rego", expect(dead_code, reason = "the real one is asked"))]
    pub(super) fn evaluate(&self, _: &Exchange) -> Result<Option<Value>, Failed> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_build_without_it_says_so_and_how_to_get_it() {
        let config = serde_json::json!({ "policies": { "own.rego": "package lintel" } });
        let faults = Engine::build(&serde_json::from_value(config).unwrap());
        let [fault] = &*faults.err().unwrap() else {
            unreachable!("one mistake")
        };
        assert_eq!(fault.message, "this `lintel` was built without Rego");
        let hint = "build it in: `cargo build --release -p lintel --features rego`";
        assert_eq!(fault.hint.as_deref(), Some(hint));
        assert!(fault.path.is_empty(), "the policy as a whole");
        assert!(fault.discreet, "also told of what comes from a file");
    }
}
