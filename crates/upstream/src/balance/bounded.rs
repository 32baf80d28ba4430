//! Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016): an endpoint that
//! is full passes the request on to the next in the key's order.

/// How many requests each endpoint may have on their way.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Requests for one unit of weight, the one to be placed included.
    each: f64,
}

impl Bound {
    /// The paper's `c * m / n`, by weight: `headroom` is `c - 1`, `loads` are the requests on their
    /// way to all endpoints together, `weights` the sum of their weights.
    pub fn new(headroom: f64, loads: u64, weights: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let share = (loads + 1) as f64 / weights.max(1) as f64;
        Self {
            each: (1.0 + headroom.max(0.0)) * share,
        }
    }

    /// Whether an endpoint with so many requests may take one more. Some endpoint always may: the
    /// bounds add up to more than there are requests.
    pub fn allows(self, load: u32, weight: u32) -> bool {
        f64::from(load) < (self.each * f64::from(weight)).ceil()
    }
}
