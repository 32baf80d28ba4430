//! Tokens, asked about once and then remembered.

use std::{
    fmt,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Uri, header};
use lintel_http::http1::Timer;
use lintel_jose::fingerprint;
use lintel_kernel::{Exchange, Identity};
use lintel_state::{Local, Memory};
use tokio::time::Instant;

use super::{
    answer::{Demands, Known},
    client::Client,
    flight::{Flight, Flights},
};
use crate::{Backend, Question, Unanswered, Wait, form::escaped, live::Live};

/// The longest token that is asked about, in bytes. No server makes longer ones.
pub(super) const LONGEST: usize = 16 * 1024;
/// What an entry costs beside what is known: key, counts, table.
const ENTRY: usize = 256;

/// All memories in use: routes with equal settings share one, and so does the configuration that
/// comes after a reload.
static LIVE: Live<Kept> = Live::new();

/// What decides about a token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) service: String,
    pub(super) path: Uri,
    pub(super) client: Option<Client>,
    pub(super) demands: Demands,
    /// How long a good token is believed without asking again.
    pub(super) ttl: Duration,
    /// How long a bad one is refused without asking again.
    pub(super) negative_ttl: Duration,
    /// Bytes that each worker remembers.
    pub(super) memory: usize,
}

/// What the question about a token came to. A failure is shared by all who have waited for it.
pub(super) type Outcome = Result<Known, Rc<Unanswered>>;

/// Asks about tokens. Shared by all workers; what was said is remembered by each for itself.
pub(super) struct Introspector {
    pub(super) backend: Backend,
    kept: Arc<Kept>,
}

/// What lives on through reloads.
struct Kept {
    settings: Settings,
    known: Local<Memory<[u8; 32], Known>>,
    flights: Arc<Flights<Outcome>>,
}

impl Introspector {
    pub(super) fn new(backend: Backend, settings: Settings) -> Self {
        let kept = LIVE.shared(
            settings,
            |kept| &kept.settings,
            |settings| Kept {
                settings,
                known: Local::new(),
                flights: Arc::new(Flights::new()),
            },
        );
        Self { backend, kept }
    }

    /// What was said of a token before, if it still holds.
    pub(super) fn known(&self, token: &str) -> Option<Known> {
        self.kept.find(&fingerprint(token))
    }

    /// Who somebody is now that a token was said to speak for.
    pub(super) fn who(&self, identity: &Rc<Identity>) -> Rc<Identity> {
        let identity = Rc::clone(identity);
        match &self.kept.settings.demands.consumers {
            Some(consumers) => consumers.current(identity),
            None => identity,
        }
    }

    /// Asks about a token, or joins those who do.
    pub(super) fn ask(
        &self,
        exchange: &Exchange,
        token: &str,
        wait: &Wait<'_>,
    ) -> Rc<Flight<Outcome>> {
        let key = fingerprint(token);
        let lost = Unanswered {
            code: "interrupted",
            cause: "the question about the token was interrupted".to_owned(),
            timeout: false,
        };
        self.kept.flights.join(key, Err(Rc::new(lost)), || {
            let (kept, backend) = (Arc::clone(&self.kept), self.backend.clone());
            let question = kept.settings.question(&backend, exchange, token);
            let pools = Rc::clone(wait.pools);
            async move {
                let timer = Timer::new();
                let wait = Wait {
                    timer: &timer,
                    // Others may have come with more time than whoever asked first.
                    deadline: Instant::now() + backend.timeout(),
                    pools: &pools,
                };
                let asked = backend.ask(&wait, question).await;
                let now = now();
                let (known, until) = asked
                    .and_then(|reply| kept.settings.demands.understand(&reply, now))
                    .map_err(Rc::new)?;
                kept.keep(key, &known, until, now);
                Ok(known)
            }
        })
    }

    pub(super) fn describe(&self) -> Vec<String> {
        let Settings {
            path,
            ttl,
            negative_ttl,
            ..
        } = &self.kept.settings;
        let (name, millis) = (self.backend.name(), self.backend.timeout().as_millis());
        let (ttl, negative) = (ttl.as_secs(), negative_ttl.as_secs());
        vec![
            format!("asks service {name} at {path}, for {millis} ms at most"),
            format!("remembers good tokens for {ttl} s, bad ones for {negative} s"),
        ]
    }
}

impl Settings {
    /// RFC 7662 §2.1.
    fn question(&self, backend: &Backend, exchange: &Exchange, token: &str) -> Question {
        let mut question = backend.question(exchange, Method::POST, self.path.clone());
        let headers = &mut question.head.headers;
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let mut form = format!("token={}&token_type_hint=access_token", escaped(token));
        if let Some(client) = &self.client {
            client.identify(headers, &mut form);
        }
        question.body = Bytes::from(form);
        question
    }
}

impl Kept {
    fn find(&self, key: &[u8; 32]) -> Option<Known> {
        let now = now();
        let make = || Memory::new(self.settings.memory);
        self.known
            .with(make, |memory| memory.find(key, now).cloned())
    }

    fn keep(&self, key: [u8; 32], known: &Known, until: Option<u64>, now: u64) {
        let settings = &self.settings;
        let time = match known {
            Known::Active(_) => settings.ttl,
            Known::Refused(_) => settings.negative_ttl,
        };
        if time.is_zero() {
            return;
        }
        let most = now.saturating_add(time.as_secs().max(1));
        let until = until.map_or(most, |until| until.min(most));
        let make = || Memory::new(settings.memory);
        let size = ENTRY + known.size();
        self.known.with(make, |memory| {
            memory.remember(key, known.clone(), until, size);
        });
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

impl fmt::Debug for Introspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspector")
            .field("settings", &self.kept.settings)
            .finish_non_exhaustive()
    }
}
