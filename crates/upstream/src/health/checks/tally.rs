//! When checks say that an endpoint is healthy.

/// Checks so far. The first one decides at once; after that it takes several in a row to change
/// one's mind.
#[derive(Debug)]
pub(crate) struct Tally {
    healthy_after: u32,
    unhealthy_after: u32,
    healthy: Option<bool>,
    /// Checks in a row that say otherwise.
    against: u32,
}

impl Tally {
    pub(crate) const fn new(healthy_after: u32, unhealthy_after: u32) -> Self {
        Self {
            healthy_after,
            unhealthy_after,
            healthy: None,
            against: 0,
        }
    }

    /// Counts a check. What it has turned the endpoint to, if it has.
    pub(crate) const fn count(&mut self, passed: bool) -> Option<bool> {
        let enough = match self.healthy {
            None => 1,
            Some(true) => self.unhealthy_after,
            Some(false) => self.healthy_after,
        };
        if let Some(healthy) = self.healthy
            && healthy == passed
        {
            self.against = 0;
            return None;
        }
        self.against += 1;
        if self.against < enough {
            return None;
        }
        self.against = 0;
        self.healthy = Some(passed);
        Some(passed)
    }

    /// Whether the endpoint is known to be healthy, or not to be.
    pub(crate) const fn is_settled(&self) -> bool {
        self.healthy.is_some() && self.against == 0
    }
}
