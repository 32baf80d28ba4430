//! Stands for the engine in a build without it. The tests look at it in a build with it, too.

use lintel_kernel::{Exchange, Fault};

use super::{asked::Asked, config::Config};
use crate::judged::not_built;

/// There is none.
pub(super) enum Engine {}

impl Engine {
    pub(super) fn build(_: &Config) -> Result<Self, Vec<Fault>> {
        Err(vec![not_built("Cedar", super::NAME)])
    }

    #[cfg_attr(feature = "cedar", expect(dead_code, reason = "the real one is asked"))]
    pub(super) fn decide(&self, _: &Asked, _: &Exchange) -> Result<(), String> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_build_without_it_says_so_and_how_to_get_it() {
        let config = serde_json::json!({
            "policies": { "own.cedar": "permit (principal, action, resource);" },
            "principal": { "type": "User", "id": "claims.sub" },
            "resource": { "type": "Path", "id": "request.path" },
        });
        let faults = Engine::build(&serde_json::from_value(config).unwrap());
        let [fault] = &*faults.err().unwrap() else {
            unreachable!("one mistake")
        };
        assert_eq!(fault.message, "this `lintel` was built without Cedar");
        let hint = "build it in: `cargo build --release -p lintel --features cedar`";
        assert_eq!(fault.hint.as_deref(), Some(hint));
        assert!(fault.path.is_empty(), "the policy as a whole");
        assert!(fault.discreet, "also told of what comes from a file");
    }
}
