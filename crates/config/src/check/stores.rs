//! Stores.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use lintel_kernel::{Duration, Fault};
use lintel_state::store::{Address, At, Census, Login, Redis, Replicas, Settings};
use lintel_tls::ClientSettings;

use super::Check;
use crate::{
    build::upstream_tls,
    diagnostic::code,
    loaded::Loaded,
    model::{RedisStore, Sentinel, Store},
    text::StoreAddress,
};

/// Stores by name, and what each was made of.
#[derive(Clone, Default)]
pub(crate) struct Stores {
    pub(crate) by_name: Arc<BTreeMap<String, Arc<Redis>>>,
    settings: BTreeMap<String, Settings>,
}

/// Checks the stores, and keeps them for what refers to them.
pub(super) fn check(check: &mut Check<'_>) {
    match stores(check.loaded, None, false) {
        Ok(stores) => {
            check.stores = stores.by_name;
            counted(check);
        }
        Err(faults) => {
            let loaded = check.loaded;
            let faults = faults.iter().map(|fault| loaded.fault(&["stores"], fault));
            check.out.extend(faults);
        }
    }
}

/// Where replicas count themselves.
fn counted(check: &mut Check<'_>) {
    let Some(counted) = check.loaded.model.replicas.counted() else {
        return;
    };
    known(check, &["replicas", "store"], &counted.store);
    if counted.heartbeat < SHORTEST_HEARTBEAT {
        let path = ["replicas", "heartbeat"];
        let message = "`heartbeat` is 100 ms at least";
        let diagnostic = check
            .error(code::OUT_OF_RANGE, &path, message)
            .expected("a duration from `100ms`")
            .help("write `1s`: a replica that is gone counts for five heartbeats more");
        check.push(diagnostic);
    }
}

/// A name, written at a path, must be that of a store.
pub(super) fn known(check: &mut Check<'_>, path: &[&str], name: &str) {
    if check.stores.contains_key(name) {
        return;
    }
    let known: Vec<&str> = check.stores.keys().map(String::as_str).collect();
    let shown = check.loaded.shown(path, name);
    let hint = match known.as_slice() {
        [] if shown.contains(name) => {
            format!("add `stores: {{ {name}: {{ redis: {{ url: redis://127.0.0.1:6379 }} }} }}`")
        }
        [] => "add it to `stores`".to_owned(),
        known => format!("the stores are `{}`", known.join("`, `")),
    };
    let message = format!("there is no store {shown}");
    let diagnostic = check.error(code::UNKNOWN_STORE, path, message).help(hint);
    check.push(diagnostic);
}

const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(100);

/// The replicas of the gateway. Counting them goes on where it did not change.
pub(crate) fn replicas(
    loaded: &Loaded,
    stores: &Stores,
    before: Option<&Arc<Replicas>>,
) -> Arc<Replicas> {
    let model = &loaded.model.replicas;
    let store = model.counted().filter(|_| !loaded.rehearsed);
    let store = store.and_then(|counted| Some((counted, stores.by_name.get(&counted.store)?)));
    let Some((counted, store)) = store else {
        return Arc::new(Replicas::fixed(model.assumed()));
    };
    let census = Census {
        store: Arc::clone(store),
        name: own_name(),
        heartbeat: counted.heartbeat.to_std(),
        assumed: counted.assumed,
    };
    match before {
        Some(before) if before.census() == Some(&census) => Arc::clone(before),
        _ => Arc::new(Replicas::counted(census)),
    }
}

/// What this process is called among replicas.
fn own_name() -> Arc<str> {
    static NAME: OnceLock<Arc<str>> = OnceLock::new();
    let random = || std::iter::repeat_with(fastrand::alphanumeric).take(20);
    Arc::clone(NAME.get_or_init(|| random().collect::<String>().into()))
}

/// Makes the stores; nothing is asked of them yet, and files are read only where they are to be used.
/// Those that are the same as before go on.
///
/// # Errors
/// Every mistake, each with its path below the section.
pub(crate) fn stores(
    loaded: &Loaded,
    before: Option<&Stores>,
    reading: bool,
) -> Result<Stores, Vec<Fault>> {
    let (mut by_name, mut settings, mut faults) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (name, store) in &loaded.model.stores {
        let Store::Redis(redis) = store;
        let made = wanted(name.as_str(), redis).and_then(|wanted| {
            let used = Settings {
                tls: wanted.tls.clone().filter(|_| reading),
                ..wanted.clone()
            };
            let known = before.and_then(|before| {
                let same = before.settings.get(name.as_str()) == Some(&wanted);
                before.by_name.get(name.as_str()).filter(|_| same)
            });
            let made = match known {
                Some(known) => known.reload().map(|()| Arc::clone(known)),
                None => Redis::new(used).map(Arc::new),
            };
            let made = made.map_err(|why| {
                let why = why.into_iter();
                why.map(|why| Fault::new(why).under("tls"))
                    .collect::<Vec<_>>()
            })?;
            Ok((made, wanted))
        });
        match made {
            Ok((made, wanted)) => {
                by_name.insert(name.as_str().to_owned(), made);
                settings.insert(name.as_str().to_owned(), wanted);
            }
            Err(found) => {
                let found = found.into_iter();
                faults.extend(found.map(|fault| fault.under("redis").under(name.as_str())));
            }
        }
    }
    if faults.is_empty() {
        let by_name = Arc::new(by_name);
        Ok(Stores { by_name, settings })
    } else {
        Err(faults)
    }
}

/// What a store is made of.
fn wanted(name: &str, redis: &RedisStore) -> Result<Settings, Vec<Fault>> {
    let mut faults = Vec::new();
    if redis.prefix.contains(['{', '}']) {
        let fault = Fault::new("braces in a `prefix` would decide where a cluster keeps the keys");
        faults.push(fault.with_hint("write a plain word").under("prefix"));
    }
    let (at, mut login, secure) = match (&redis.url, &redis.sentinel, &*redis.cluster) {
        (Some(url), None, []) => match Address::of_url(url.expose()) {
            Ok((address, login, secure)) => (At::Server(address), login, secure),
            Err(why) => {
                faults.push(
                    Fault::new(format!(
                        "store `{name}` can't be reached by its `url`: {why}"
                    ))
                    .with_hint("write it like `redis://redis.internal:6379/0`")
                    .discreet()
                    .under("url"),
                );
                return Err(faults);
            }
        },
        (None, Some(sentinel), []) => {
            let login = Login {
                database: sentinel.database,
                ..Login::default()
            };
            (watched(sentinel), login, false)
        }
        (None, None, nodes @ [_, ..]) => (At::Cluster(addresses(nodes)), Login::default(), false),
        _ => {
            faults.push(
                Fault::new("a store is at one place: `url`, `sentinel` or `cluster`")
                    .with_hint("write one of them, such as `url: redis://127.0.0.1:6379`")
                    .discreet(),
            );
            return Err(faults);
        }
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    login.username = redis.username.clone().or(login.username);
    let password = redis.password.as_ref();
    login.password = password
        .map(|word| word.expose().to_owned())
        .or(login.password);
    let tls = redis.tls.as_ref().map(upstream_tls);
    Ok(Settings {
        name: name.into(),
        prefix: redis.prefix.as_str().into(),
        at,
        login,
        tls: tls.or_else(|| secure.then(ClientSettings::default)),
        timeout: redis.timeout.to_std(),
    })
}

fn watched(sentinel: &Sentinel) -> At {
    let password = sentinel.password.as_ref();
    At::Sentinel {
        sentinels: addresses(&sentinel.addresses),
        master: sentinel.master.clone(),
        login: Login {
            username: sentinel.username.clone(),
            password: password.map(|word| word.expose().to_owned()),
            database: 0,
        },
    }
}

fn addresses(nodes: &[StoreAddress]) -> Vec<Address> {
    nodes.iter().map(|node| node.0.clone()).collect()
}
