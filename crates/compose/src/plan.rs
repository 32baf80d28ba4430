//! The plan of a composition.

use std::sync::Arc;

use crate::{Body, Leg, graph};

/// What a composition does: its legs, and what becomes of them.
pub struct Plan {
    legs: Vec<Leg>,
    body: Body,
    /// Most bytes that all legs together may bring.
    max_body: usize,
    /// Where failures of legs are listed in the answer.
    errors: Option<Arc<str>>,
    /// The leg whose answer streams.
    streamed: Option<usize>,
}

impl Plan {
    /// A plan.
    ///
    /// # Errors
    /// Legs wait for each other; the indices of a circle of them.
    pub fn new(legs: Vec<Leg>, body: Body, max_body: usize) -> Result<Self, Vec<usize>> {
        let after: Vec<Vec<usize>> = legs.iter().map(|leg| leg.after.clone()).collect();
        graph::order(&after)?;
        Ok(Self {
            legs,
            body,
            max_body,
            errors: None,
            streamed: None,
        })
    }

    /// The same, which lists failures of legs under a name in its answers.
    #[must_use]
    pub fn with_errors(mut self, name: Option<Arc<str>>) -> Self {
        self.errors = name;
        self
    }

    /// The same, whose answer is that of a leg as it streams in. Nothing may wait for the leg, or read
    /// what it brings; it is asked when all others are done.
    #[must_use]
    pub const fn with_streamed(mut self, leg: Option<usize>) -> Self {
        self.streamed = leg;
        self
    }

    /// The leg whose answer streams, if one does.
    pub const fn streamed(&self) -> Option<usize> {
        self.streamed
    }

    /// Its legs.
    pub fn legs(&self) -> &[Leg] {
        &self.legs
    }

    /// What becomes of them.
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// Where failures of legs are listed in the answer.
    pub fn errors(&self) -> Option<&str> {
        self.errors.as_deref()
    }

    pub(crate) const fn max_body(&self) -> usize {
        self.max_body
    }

    /// The index of a leg.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.legs.iter().position(|leg| *leg.name == *name)
    }

    /// The legs in the order that they can begin: each list waits for those before it only.
    pub fn stages(&self) -> Vec<Vec<usize>> {
        let mut depths = vec![0usize; self.legs.len()];
        let after: Vec<Vec<usize>> = self.legs.iter().map(|leg| leg.after.clone()).collect();
        let mut stages: Vec<Vec<usize>> = Vec::new();
        for leg in graph::order(&after).unwrap_or_default() {
            let waits = after.get(leg).into_iter().flatten();
            let depth = waits.filter_map(|other| depths.get(*other)).max();
            let depth = depth.map_or(0, |depth| depth + 1);
            if let Some(place) = depths.get_mut(leg) {
                *place = depth;
            }
            while stages.len() <= depth {
                stages.push(Vec::new());
            }
            if let Some(stage) = stages.get_mut(depth) {
                stage.push(leg);
            }
        }
        stages
    }
}
