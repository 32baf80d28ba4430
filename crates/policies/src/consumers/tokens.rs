//! Which consumer a signed token speaks for.

use std::sync::Arc;

use lintel_kernel::{Consumer, Fault};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::{TokenConfig, directory::Twins};

/// Consumers by the claim that names them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tokens {
    by_subject: FxHashMap<Box<str>, SmallVec<[Entry; 1]>>,
}

#[derive(Debug, PartialEq)]
struct Entry {
    /// `None` stands for every issuer.
    issuer: Option<Box<str>>,
    consumer: Arc<Consumer>,
}

impl Tokens {
    /// Adds a consumer; the answer is what is wrong with its tokens.
    pub(super) fn add(
        &mut self,
        consumer: &Arc<Consumer>,
        config: Option<&TokenConfig>,
    ) -> Vec<Fault> {
        let Some(config) = config else {
            let fault = self.insert(&consumer.name, None, consumer);
            return fault.into_iter().collect();
        };
        let issuer = config.issuer.as_deref();
        let subjects = config.subjects.iter().enumerate();
        subjects
            .filter_map(|(at, subject)| {
                let fault = self.insert(subject, issuer, consumer)?;
                Some(fault.under(at.to_string()).under("subjects").under("jwt"))
            })
            .collect()
    }

    fn insert(
        &mut self,
        subject: &str,
        issuer: Option<&str>,
        consumer: &Arc<Consumer>,
    ) -> Option<Fault> {
        let known = self.by_subject.entry(subject.into()).or_default();
        if let Some(other) = known.iter().find(|entry| entry.issuer.as_deref() == issuer) {
            return Some(
                Fault::new(format!(
                    "tokens of `{subject}` already speak for consumer `{}`",
                    other.consumer.name
                ))
                .with_hint("one claim speaks for one consumer: give one of them other `subjects`, or an `issuer`"),
            );
        }
        known.push(Entry {
            issuer: issuer.map(Box::from),
            consumer: Arc::clone(consumer),
        });
        None
    }

    /// The consumer for a claim that takes tokens of this issuer alone; without one, of any.
    pub(super) fn find(&self, subject: &str, issuer: Option<&str>) -> Option<&Arc<Consumer>> {
        let mut known = self.by_subject.get(subject)?.iter();
        let found = known.find(|entry| entry.issuer.as_deref() == issuer)?;
        Some(&found.consumer)
    }

    /// Claims that also speak for others: for whom here and there.
    pub(super) fn twins<'a>(&'a self, others: &'a Self) -> impl Iterator<Item = Twins<'a>> {
        self.by_subject.iter().flat_map(|(subject, known)| {
            known.iter().filter_map(|entry| {
                let other = others.find(subject, entry.issuer.as_deref())?;
                Some((&entry.consumer, other))
            })
        })
    }
}
