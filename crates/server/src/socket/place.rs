use std::{collections::HashMap, sync::Arc};

use crate::{
    error::Conflict,
    spec::{Bind, ListenerSpec},
};

/// Names a place over changes of the configuration and over processes.
pub(crate) type Key = Arc<str>;

/// A place where a listener wants to listen.
pub(crate) struct Place {
    pub(crate) key: Key,
    pub(crate) bind: Bind,
    pub(crate) listener: Arc<ListenerSpec>,
}

/// The places of a configuration.
///
/// # Errors
///
/// Two listeners want the same place.
pub(crate) fn places(listeners: &[Arc<ListenerSpec>]) -> Result<Vec<Place>, Conflict> {
    let mut taken: HashMap<Key, Arc<str>> = HashMap::new();
    let mut places = Vec::new();
    for listener in listeners {
        for (index, bind) in listener.binds.iter().enumerate() {
            let key = key(bind, &listener.name, index);
            if let Some(first) = taken.insert(Arc::clone(&key), Arc::clone(&listener.name)) {
                return Err(Conflict {
                    bind: bind.clone(),
                    first,
                    second: Arc::clone(&listener.name),
                });
            }
            places.push(Place {
                key,
                bind: bind.clone(),
                listener: Arc::clone(listener),
            });
        }
    }
    Ok(places)
}

fn key(bind: &Bind, listener: &str, index: usize) -> Key {
    match bind {
        Bind::Tcp(address) if address.port() == 0 => {
            format!("tcp:{address}#{listener}#{index}").into()
        }
        Bind::Tcp(address) => format!("tcp:{address}").into(),
        Bind::Unix { path, .. } => format!("unix:{}", path.display()).into(),
    }
}
