//! Redis and Valkey.

use std::{
    cell::RefCell,
    fmt,
    path::PathBuf,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use lintel_telemetry::metrics::{
    PolicyCounter, PolicyGauge,
    family::{RATE_LIMIT_DISPLACED, RATE_LIMIT_KEYS, STORE_BYPASSED, STORE_REQUESTS},
};
use lintel_tls::{ClientSettings, Connector};
use redis::FromRedisValue;
use tokio::time::{Instant, timeout};

use super::{
    Address, Login,
    ask::{Ask, Given, Reply},
    cluster::Cluster,
    dial::{CONNECT, Dialer, Failure},
    lease::Asking,
    node::Node,
    script::Call,
    scripts::Scripts,
    slots::slot,
};
use crate::Local;

/// A Redis or Valkey server, several with Sentinels, or a cluster.
///
/// Each worker has connections of its own, made when they are first needed and again when they break;
/// requests are pipelined on them. Whoever asks waits no longer than the timeout, connecting,
/// redirections and all included.
pub struct Redis {
    pub(super) settings: Settings,
    pub(super) dialer: Dialer,
    pub(super) to_sentinels: Dialer,
    scripts: Scripts,
    asking: Local<Rc<Asking>>,
    links: Local<Rc<Link>>,
    /// How many workers find how many of its servers away; so that the log says once that one is.
    away: AtomicU32,
    counted: Counts,
}

/// How a store is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// What it is called.
    pub name: Arc<str>,
    /// What all keys begin with.
    pub prefix: Arc<str>,
    /// Where it is.
    pub at: At,
    /// Who the gateway is there.
    pub login: Login,
    /// TLS, if it is spoken there, with the Sentinels too.
    pub tls: Option<ClientSettings>,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Where a store is.
#[derive(Clone, PartialEq, Eq)]
pub enum At {
    /// One server.
    Server(Address),
    /// The master that Sentinels name.
    Sentinel {
        /// The Sentinels.
        sentinels: Vec<Address>,
        /// What they call the master.
        master: String,
        /// Who the gateway is to them.
        login: Login,
    },
    /// A cluster, by some of its nodes.
    Cluster(Vec<Address>),
}

/// It has not answered in time, has answered with an error, or was not asked because it has not
/// answered for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// What one worker is connected to.
#[derive(Default)]
pub(super) struct Link {
    /// The server; where there is a cluster, what stands for those that say who has what.
    pub(super) server: Rc<Node>,
    pub(super) cluster: Rc<Cluster>,
}

struct Counts {
    ok: PolicyCounter,
    timeout: PolicyCounter,
    error: PolicyCounter,
    skipped: PolicyCounter,
    bypassed: PolicyGauge,
    keys: PolicyGauge,
    displaced: PolicyCounter,
}

/// Why something was not answered.
pub(super) enum Missed {
    /// It was not asked.
    Skipped,
    Failed(Failure),
}

impl Redis {
    /// A store that is not asked anything yet. Files that TLS needs are read.
    ///
    /// # Errors
    /// What is wrong with the files, in words for the operator.
    pub fn new(settings: Settings) -> Result<Self, Vec<String>> {
        let words = |errors: Vec<lintel_tls::TlsError>| {
            let errors = errors.iter();
            errors.map(ToString::to_string).collect::<Vec<_>>()
        };
        let tls = settings.tls.as_ref().map(Connector::build).transpose();
        let tls = tls.map_err(words)?.map(Arc::new);
        let dialer = |login: &Login| Dialer {
            tls: tls.clone(),
            login: login.clone(),
        };
        let to_sentinels = match &settings.at {
            At::Sentinel { login, .. } => dialer(login),
            At::Server(_) | At::Cluster(_) => dialer(&Login::default()),
        };
        Ok(Self {
            counted: Counts::new(&settings.name),
            dialer: dialer(&settings.login),
            to_sentinels,
            settings,
            scripts: Scripts::new(),
            asking: Local::new(),
            links: Local::new(),
            away: AtomicU32::new(0),
        })
    }

    /// Reads the files that TLS needs again; new connections go by them.
    ///
    /// # Errors
    /// What is wrong with them, in words for the operator; the old ones stay in use.
    pub fn reload(&self) -> Result<(), Vec<String>> {
        let reloaded = self.dialer.tls.as_ref().map(|tls| tls.reload());
        match reloaded {
            Some(Err(errors)) => Err(errors.iter().map(ToString::to_string).collect()),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// The files that TLS needs.
    pub fn files(&self) -> Vec<PathBuf> {
        let tls = self.dialer.tls.as_ref();
        tls.map(|tls| tls.files()).unwrap_or_default()
    }

    /// Its name.
    pub const fn name(&self) -> &Arc<str> {
        &self.settings.name
    }

    /// What all keys in it begin with.
    pub fn prefix(&self) -> &str {
        &self.settings.prefix
    }

    /// Keys that one script may touch have the same: always, but for a cluster, where it is the slot.
    pub fn slot(&self, key: &str) -> u16 {
        match self.settings.at {
            At::Cluster(_) => slot(key),
            At::Server(_) | At::Sentinel { .. } => 0,
        }
    }

    /// The longest that something said to it in passing is waited for.
    pub(super) fn patience(&self) -> Duration {
        self.settings.timeout.max(CONNECT)
    }

    /// How long an answer may take.
    pub(super) const fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// What this worker is taking ahead of need.
    pub(super) fn asking(&self) -> Rc<Asking> {
        self.asking.with(Rc::default, |asking| Rc::clone(asking))
    }

    /// What it can be asked.
    pub(super) const fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    /// Counts keys that are held here.
    pub(super) fn count_keys(&self, added: i8, displaced: u8) {
        if added != 0 {
            self.counted.keys.add(added.into());
        }
        if displaced != 0 {
            self.counted.displaced.add(displaced.into());
        }
    }

    /// Counts a question that was not asked.
    pub(super) fn skipped(&self) {
        self.counted.skipped.inc();
    }

    /// Whether this worker does without the server that has a key, for now, because it has not answered
    /// for a while.
    pub fn is_away_for(&self, key: &str) -> bool {
        let link = self.link();
        let node = match self.settings.at {
            At::Cluster(_) => link.cluster.node(slot(key)).map(|(_, node)| node),
            At::Server(_) | At::Sentinel { .. } => None,
        };
        let node = node.unwrap_or_else(|| Rc::clone(&link.server));
        node.breaker.is_open(Instant::now())
    }

    /// Spends of all limits or of none: one round trip, one script that runs as a whole, by the clock
    /// of the server. In a cluster all of them are in one [slot](Self::slot).
    ///
    /// Cancel safe in that nothing is left behind here; the server may have counted the request.
    ///
    /// # Errors
    /// It has not answered in time, or with an error, or not for a while.
    pub async fn spend(&self, asks: &[Ask]) -> Result<Reply, Unavailable> {
        let mut call = self.scripts.spend.call();
        for ask in asks {
            ask.limit(&mut call)
                .arg(ask.most)
                .arg(ask.cost)
                .arg(u8::from(ask.dry_run));
        }
        let read = |numbers: &[i64]| Reply::read(numbers, asks.len());
        self.answered(&call, read).await
    }

    /// Takes of one limit what it costs, and up to `most` where there is more; `back` is given back
    /// before.
    pub(super) async fn lease(
        &self,
        ask: &Ask,
        most: u64,
        back: u64,
    ) -> Result<Given, Unavailable> {
        let mut call = self.scripts.lease.call();
        ask.limit(&mut call)
            .arg(ask.most)
            .arg(ask.cost.max(1))
            .arg(most)
            .arg(back);
        self.answered(&call, Given::read).await
    }

    /// Gives back what was spent and not used, in passing; all in one [slot](Self::slot). What the store
    /// does not hear of stays spent.
    pub fn give_back(self: &Arc<Self>, asks: Vec<Ask>) {
        let store = Arc::clone(self);
        tokio::task::spawn_local(async move {
            let mut call = store.scripts.give_back.call();
            for ask in &asks {
                ask.limit(&mut call).arg(ask.cost);
            }
            let _ = store.answered(&call, |_| Some(())).await;
        });
    }

    /// Runs a script for the control side, which has time to connect.
    pub(super) async fn ask<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, String> {
        match self.attempt(call, self.patience()).await {
            Ok(answer) => Ok(answer),
            Err(Missed::Skipped) => Err("it has not answered for a while".to_owned()),
            Err(Missed::Failed(failure)) => Err(failure.text.to_string()),
        }
    }

    async fn answered<T>(
        &self,
        call: &Call<'_>,
        read: impl Fn(&[i64]) -> Option<T>,
    ) -> Result<T, Unavailable> {
        let numbers: Result<Vec<i64>, _> = self.attempt(call, self.settings.timeout).await;
        let numbers = numbers.map_err(|_| Unavailable)?;
        read(&numbers).ok_or(Unavailable)
    }

    /// Asks, no longer than a time, and keeps account of who has answered.
    async fn attempt<T: FromRedisValue>(
        &self,
        call: &Call<'_>,
        patience: Duration,
    ) -> Result<T, Missed> {
        let link = self.link();
        let asked = RefCell::new(Rc::clone(&link.server));
        let running = self.run(&link, call, &asked);
        let outcome = timeout(patience, running).await.unwrap_or_else(|_elapsed| {
            self.counted.timeout.inc();
            let text = format!("no answer within {patience:?}");
            Err(Missed::Failed(Failure::of(&text)))
        });
        let node = asked.into_inner();
        match &outcome {
            Ok(_) => {
                self.counted.ok.inc();
                self.succeeded(&node);
            }
            Err(Missed::Skipped) => self.skipped(),
            Err(Missed::Failed(failure)) => self.failed(&node, failure),
        }
        outcome
    }

    pub(super) fn counting<T>(&self, outcome: Result<T, Failure>) -> Result<T, Missed> {
        outcome.map_err(|failure| {
            self.counted.error.inc();
            Missed::Failed(failure)
        })
    }

    pub(super) fn succeeded(&self, node: &Node) {
        if node.breaker.succeeded() {
            self.counted.bypassed.add(-1);
            if self.away.fetch_sub(1, Relaxed) == 1 {
                tracing::info!(store = &*self.settings.name, "the store answers again");
            }
        }
    }

    fn failed(&self, node: &Node, failure: &Failure) {
        let opened = node.breaker.failed(Instant::now());
        if opened || failure.broken {
            node.disconnect();
        }
        if opened {
            self.counted.bypassed.add(1);
            if self.away.fetch_add(1, Relaxed) == 0 {
                tracing::warn!(
                    store = &*self.settings.name,
                    error = &*failure.text,
                    "the store does not answer; limits go by their `on_store_failure`"
                );
            }
        }
    }

    fn link(&self) -> Rc<Link> {
        self.links.with(Rc::default, |link| Rc::clone(link))
    }
}

impl Counts {
    fn new(store: &str) -> Self {
        let outcome = |word| PolicyCounter::new(&STORE_REQUESTS, &[store, word]);
        Self {
            ok: outcome("ok"),
            timeout: outcome("timeout"),
            error: outcome("error"),
            skipped: outcome("skipped"),
            bypassed: PolicyGauge::new(&STORE_BYPASSED, &[store]),
            keys: PolicyGauge::new(&RATE_LIMIT_KEYS, &[]),
            displaced: PolicyCounter::new(&RATE_LIMIT_DISPLACED, &[]),
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("name", &self.settings.name)
            .finish_non_exhaustive()
    }
}
