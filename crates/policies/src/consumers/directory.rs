//! All consumers of a configuration.

use std::sync::Arc;

use lintel_kernel::{Consumer, Fault};
use rustc_hash::FxHashMap;

use super::{
    ConsumerConfig, Keys, Users, certificates::Certificates, signers::Signers, tokens::Tokens,
};

/// The consumers of a configuration, by whatever they prove themselves with.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) signers: Arc<Signers>,
    pub(crate) users: Arc<Users>,
    pub(crate) certificates: Arc<Certificates>,
}

/// Two consumers who have the same credential.
pub(super) type Twins<'a> = (&'a Arc<Consumer>, &'a Arc<Consumer>);

impl Directory {
    /// Consumers who have a credential that is also one of others: which of these, and which of those.
    /// Prefixes of keys may be alike.
    pub fn twins<'a>(
        &'a self,
        others: &'a Self,
    ) -> impl Iterator<Item = (&'a Arc<Consumer>, &'a Arc<Consumer>)> {
        let tokens = self.tokens.twins(&others.tokens);
        tokens
            .chain(self.keys.twins(&others.keys))
            .chain(self.signers.twins(&others.signers))
            .chain(self.users.twins(&others.users))
            .chain(self.certificates.twins(&others.certificates))
    }

    /// Builds the indexes from the consumers and their names.
    ///
    /// # Errors
    /// Every mistake, each with its path below the section, which begins with a consumer's name.
    pub fn build<'a>(
        consumers: impl IntoIterator<Item = (&'a str, &'a ConsumerConfig)>,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let (mut tokens, mut keys) = (Tokens::default(), Keys::default());
        let mut signers = Signers::default();
        let (mut users, mut certificates) = (Users::default(), Certificates::default());
        // Many consumers share few plans.
        let mut plans: FxHashMap<&str, Arc<str>> = FxHashMap::default();
        for (name, config) in consumers {
            let consumer = Arc::new(Consumer {
                name: name.into(),
                plan: config
                    .plan
                    .as_deref()
                    .map(|plan| Arc::clone(plans.entry(plan).or_insert_with(|| plan.into()))),
                groups: config
                    .groups
                    .iter()
                    .map(|group| group.as_str().into())
                    .collect(),
            });
            let mut own = tokens.add(&consumer, config.jwt.as_ref());
            own.extend(keys.add(&consumer, &config.api_keys));
            own.extend(signers.add(&consumer, &config.signing_keys));
            own.extend(users.add(&consumer, &config.basic));
            own.extend(certificates.add(&consumer, &config.certificates));
            faults.extend(own.into_iter().map(|fault| fault.under(name)));
        }
        if faults.is_empty() {
            Ok(Self {
                tokens: Arc::new(tokens),
                keys: Arc::new(keys),
                signers: Arc::new(signers),
                users: Arc::new(users),
                certificates: Arc::new(certificates),
            })
        } else {
            Err(faults)
        }
    }
}
