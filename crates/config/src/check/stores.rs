//! Stores.

use std::{collections::BTreeMap, sync::Arc};

use lintel_kernel::Fault;
use lintel_state::store::{Redis, Settings};

use super::Check;
use crate::{loaded::Loaded, model::Store};

/// Stores by name, and what each was made of.
#[derive(Clone, Default)]
pub(crate) struct Stores {
    pub(crate) by_name: Arc<BTreeMap<String, Arc<Redis>>>,
    settings: BTreeMap<String, Settings>,
}

/// Checks the stores, and keeps them for what refers to them.
pub(super) fn check(check: &mut Check<'_>) {
    match stores(check.loaded, None) {
        Ok(stores) => check.stores = stores.by_name,
        Err(faults) => {
            let loaded = check.loaded;
            let faults = faults.iter().map(|fault| loaded.fault(&["stores"], fault));
            check.out.extend(faults);
        }
    }
}

/// Makes the stores; nothing is asked of them yet. Those that are the same as before go on.
///
/// # Errors
/// Every mistake, each with its path below the section.
pub(crate) fn stores(loaded: &Loaded, before: Option<&Stores>) -> Result<Stores, Vec<Fault>> {
    let (mut by_name, mut settings, mut faults) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (name, store) in &loaded.model.stores {
        let Store::Redis(redis) = store;
        let wanted = Settings {
            name: name.as_str().into(),
            url: redis.url.expose().to_owned(),
            timeout: redis.timeout.to_std(),
        };
        let known = before.and_then(|before| {
            let same = before.settings.get(name.as_str()) == Some(&wanted);
            before.by_name.get(name.as_str()).filter(|_| same)
        });
        let made = match known {
            Some(known) => Ok(Arc::clone(known)),
            None => Redis::new(wanted.clone()).map(Arc::new),
        };
        match made {
            Ok(made) => {
                by_name.insert(name.as_str().to_owned(), made);
                settings.insert(name.as_str().to_owned(), wanted);
            }
            Err(why) => faults.push(
                Fault::new(format!(
                    "store `{name}` can't be reached by its `url`: {why}"
                ))
                .with_hint("write it like `redis://user:password@redis.internal:6379/0`")
                .under("redis")
                .under(name.as_str()),
            ),
        }
    }
    if faults.is_empty() {
        let by_name = Arc::new(by_name);
        Ok(Stores { by_name, settings })
    } else {
        Err(faults)
    }
}
