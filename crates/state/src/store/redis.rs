//! Redis and Valkey.

use std::{
    cell::RefCell,
    fmt,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use lintel_telemetry::metrics::{
    PolicyCounter, PolicyGauge,
    family::{STORE_BYPASSED, STORE_REQUESTS},
};
use redis::{AsyncConnectionConfig, Client, RedisError, Script, aio::MultiplexedConnection};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use super::{
    ask::{Ask, Reply},
    breaker::Breaker,
};
use crate::Local;

/// A Redis or Valkey server.
///
/// Each worker has one connection of its own, made when it is first needed and again when it breaks;
/// requests are pipelined on it. Whoever asks waits no longer than the timeout, connecting included.
pub struct Redis {
    name: Arc<str>,
    client: Client,
    timeout: Duration,
    script: Script,
    links: Local<Rc<Link>>,
    /// Whether some worker has found it away; so that the log says so once.
    away: AtomicBool,
    counted: Counts,
}

/// How a server is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// What it is called.
    pub name: Arc<str>,
    /// `redis://user:password@host:port/db`, or `unix:///path`.
    pub url: String,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// It has not answered in time, has answered with an error, or was not asked because it has not
/// answered for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// One worker's connection.
#[derive(Default)]
struct Link {
    state: RefCell<State>,
    breaker: Breaker,
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Connecting(watch::Receiver<Option<Connected>>),
    Ready(MultiplexedConnection),
}

type Connected = Result<MultiplexedConnection, Arc<str>>;

struct Counts {
    ok: PolicyCounter,
    timeout: PolicyCounter,
    error: PolicyCounter,
    skipped: PolicyCounter,
    bypassed: PolicyGauge,
}

/// How long a connection may take to be made; nobody waits for it longer than for an answer.
const CONNECT: Duration = Duration::from_secs(2);

impl Redis {
    /// A server that is not asked anything yet.
    ///
    /// # Errors
    /// The URL is none, in words for the operator that do not show it.
    pub fn new(settings: Settings) -> Result<Self, String> {
        if ["rediss:", "valkeys:"]
            .iter()
            .any(|scheme| settings.url.starts_with(scheme))
        {
            return Err("TLS to a store is not offered by this version".to_owned());
        }
        // What the library says of it may hold a part of it.
        let client = Client::open(settings.url)
            .map_err(|_| "it is not the URL of a Redis server".to_owned())?;
        Ok(Self {
            counted: Counts::new(&settings.name),
            name: settings.name,
            client,
            timeout: settings.timeout,
            script: Script::new(include_str!("limits.lua")),
            links: Local::new(),
            away: AtomicBool::new(false),
        })
    }

    /// Its name.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether it is worth asking now. Whoever is told so must ask.
    pub fn answers(&self) -> bool {
        let admits = self.link().breaker.admits(Instant::now());
        if !admits {
            self.counted.skipped.inc();
        }
        admits
    }

    /// Spends of all limits or of none: one round trip, one script that runs as a whole, by the clock
    /// of the server. To be asked where it [answers](Self::answers).
    ///
    /// Cancel safe in that nothing is left behind here; the server may have counted the request.
    ///
    /// # Errors
    /// It has not answered in time, or with an error.
    pub async fn spend(&self, asks: &[Ask]) -> Result<Reply, Unavailable> {
        let link = self.link();
        let error = match timeout(self.timeout, self.run(&link, asks)).await {
            Ok(Ok(reply)) => {
                self.succeeded(&link);
                return Ok(reply);
            }
            Ok(Err(error)) => {
                self.counted.error.inc();
                error
            }
            Err(_elapsed) => {
                self.counted.timeout.inc();
                Failure {
                    text: format!("no answer within {:?}", self.timeout),
                    broken: false,
                }
            }
        };
        self.failed(&link, &error);
        Err(Unavailable)
    }

    async fn run(&self, link: &Rc<Link>, asks: &[Ask]) -> Result<Reply, Failure> {
        let mut connection = self.connection(link).await?;
        let mut call = self.script.prepare_invoke();
        for ask in asks {
            let micros = u64::try_from(ask.per.as_micros())
                .unwrap_or(u64::MAX)
                .max(1);
            call.key(&ask.key)
                .arg(ask.meaning.letter())
                .arg(ask.count)
                .arg(micros)
                .arg(ask.most)
                .arg(ask.cost)
                .arg(u8::from(ask.dry_run));
        }
        let numbers: Vec<i64> = call.invoke_async(&mut connection).await?;
        Reply::read(&numbers, asks.len()).ok_or_else(|| Failure {
            text: "the script has answered something else".to_owned(),
            broken: false,
        })
    }

    /// This worker's connection. Connecting goes on in a task of its own when whoever waits for it
    /// gives up: a server that is far must not be out of reach for that.
    async fn connection(&self, link: &Rc<Link>) -> Result<MultiplexedConnection, Failure> {
        let mut connecting = {
            let mut state = link.state.borrow_mut();
            match &*state {
                State::Ready(connection) => return Ok(connection.clone()),
                State::Connecting(connecting) => connecting.clone(),
                State::Idle => {
                    let connecting = self.connect();
                    *state = State::Connecting(connecting.clone());
                    connecting
                }
            }
        };
        let outcome = connecting.wait_for(Option::is_some).await;
        let outcome = outcome.map_or(None, |outcome| outcome.clone());
        let (state, result) = match outcome {
            Some(Ok(connection)) => (State::Ready(connection.clone()), Ok(connection)),
            Some(Err(error)) => (State::Idle, Err(error.to_string())),
            None => (State::Idle, Err("connecting broke off".to_owned())),
        };
        *link.state.borrow_mut() = state;
        result.map_err(|text| Failure { text, broken: true })
    }

    fn connect(&self) -> watch::Receiver<Option<Connected>> {
        let (done, connecting) = watch::channel(None);
        let client = self.client.clone();
        tokio::spawn(async move {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT))
                .set_response_timeout(None);
            let connected = client.get_multiplexed_async_connection_with_config(&config);
            let connected = connected
                .await
                .map_err(|error| Arc::from(Failure::from(error).text));
            done.send_replace(Some(connected));
        });
        connecting
    }

    fn succeeded(&self, link: &Link) {
        self.counted.ok.inc();
        if link.breaker.succeeded() {
            self.counted.bypassed.add(-1);
            if self.away.swap(false, Relaxed) {
                tracing::info!(store = &*self.name, "the store answers again");
            }
        }
    }

    fn failed(&self, link: &Link, failure: &Failure) {
        let opened = link.breaker.failed(Instant::now());
        if opened || failure.broken {
            // What is still under way on it gets its answer or fails; new requests connect anew.
            *link.state.borrow_mut() = State::Idle;
        }
        if opened {
            self.counted.bypassed.add(1);
            if !self.away.swap(true, Relaxed) {
                tracing::warn!(
                    store = &*self.name,
                    error = failure.text,
                    "the store does not answer; limits go by their `on_store_failure`"
                );
            }
        }
    }

    fn link(&self) -> Rc<Link> {
        self.links.with(Rc::default, |link| Rc::clone(link))
    }
}

/// Why there is no answer.
struct Failure {
    /// For the log.
    text: String,
    /// Whether the connection is of no more use.
    broken: bool,
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self {
            broken: error.is_io_error() || error.is_connection_dropped(),
            text: error.to_string(),
        }
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
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
