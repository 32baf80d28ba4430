use lintel_kernel::{Share, config};
use serde::Serialize;

/// When other endpoints take over.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Failover {
    /// Where fewer of the endpoints are healthy than this, and those of other priorities can't
    /// carry the traffic either, requests go to all of them, healthy or not: a few would be
    /// crushed, and the checks may be wrong. `0%` for never; then 503 is answered where none is
    /// healthy.
    pub panic_below: Share,

    /// How much more than its own share an endpoint can carry. With `40%`, the endpoints of a
    /// priority (or of the own zone) keep all traffic while at least 1/1.4, some 71 %, of them are
    /// healthy; below that the part they can't carry goes to the next priority (or to other zones).
    pub headroom: Share,

    /// Whether endpoints of the gateway's own zone are preferred. Has an effect where `zone` of the
    /// gateway and of endpoints is set.
    pub prefer_zone: bool,

    /// Healthy endpoints that the own zone must have to be preferred.
    #[schemars(range(min = 1))]
    pub min_in_zone: u32,
}

impl Default for Failover {
    fn default() -> Self {
        Self {
            panic_below: Share::percent(50),
            headroom: Share::percent(40),
            prefer_zone: true,
            min_in_zone: 1,
        }
    }
}
