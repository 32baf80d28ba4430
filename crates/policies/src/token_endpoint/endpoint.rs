//! The endpoint itself: what is asked, and by whom it is waited for.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use lintel_telemetry::{Catalogue, metrics::family::TOKEN_REQUESTS};
use lintel_upstream::Control;
use tokio::{runtime::Handle, sync::oneshot, time::Instant};

use super::{
    answer::{self, Failure, Outcome},
    client::Client,
    flights::{Flights, KEPT, KEPT_FAILURE},
};
use crate::{
    Wait,
    form::encoded,
    issuer::{Issuer, Url},
    live::Live,
};

/// Every token endpoint in use: equal ones share their flights.
static LIVE: Live<TokenEndpoint> = Live::new();

/// Questions under way at once. A provider that is slower than that is as good as away.
const MAX_UNDER_WAY: usize = 256;
const GRANTS: [Grant; 3] = [Grant::Code, Grant::Refresh, Grant::Exchange];

/// What tells one token endpoint from another.
#[derive(Debug, PartialEq)]
pub(crate) struct Settings {
    /// Whose it is; its metadata name the URL, where `url` does not.
    pub(crate) issuer: Option<Arc<Issuer>>,
    pub(crate) url: Option<Url>,
    /// Trust anchors in PEM form; none for those of the system.
    pub(crate) ca: Option<PathBuf>,
    pub(crate) client: Client,
    /// For a whole question, the connection included.
    pub(crate) timeout: Duration,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// Tokens for a code (RFC 6749 §4.1.3).
    Code,
    /// New tokens for a refresh token (§6).
    Refresh,
    /// A token for another token (RFC 8693 §2.1).
    Exchange,
}

/// One question.
pub(crate) struct Question {
    pub(crate) grant: Grant,
    /// Parameters beside `grant_type` and those that say which client asks.
    pub(crate) form: Vec<(&'static str, String)>,
    /// Questions with equal numbers are asked once, and the outcome is kept for a moment: for what
    /// parallel requests ask all at once. None for what is asked only once.
    pub(crate) flight: Option<[u8; 32]>,
}

/// A token endpoint.
pub(crate) struct TokenEndpoint {
    settings: Settings,
    source: String,
    running: ArcSwapOption<Running>,
    /// Locked on the control side alone.
    flights: Mutex<Flights>,
    under_way: AtomicUsize,
}

struct Running {
    runtime: Handle,
    catalogue: Arc<Catalogue>,
}

impl TokenEndpoint {
    /// The one with these settings.
    pub(crate) fn shared(settings: Settings) -> Arc<Self> {
        LIVE.shared(settings, |endpoint| &endpoint.settings, Self::new)
    }

    fn new(settings: Settings) -> Self {
        let named = settings.url.as_ref().map(ToString::to_string);
        let issuer = settings.issuer.as_ref();
        let source = named.or_else(|| issuer.map(|issuer| issuer.status().source));
        Self {
            source: source.unwrap_or_default(),
            settings,
            running: ArcSwapOption::empty(),
            flights: Mutex::default(),
            under_way: AtomicUsize::new(0),
        }
    }

    /// Where it is, for people.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// From now on questions can be asked.
    pub(crate) fn start(&self, control: &Control) {
        self.running.store(Some(Arc::new(Running {
            runtime: control.runtime.clone(),
            catalogue: Arc::clone(&control.catalogue),
        })));
    }

    /// Asks, and waits as long as the request may.
    pub(crate) async fn ask(self: &Arc<Self>, question: Question, wait: &Wait<'_>) -> Outcome {
        let late = || Failure::Unavailable("no answer in time".into());
        let Some(running) = self.running.load_full() else {
            return Err(Failure::Unavailable("nothing is asked here".into()));
        };
        let Some(place) = Place::take(self) else {
            return Err(Failure::Unavailable("too many questions at once".into()));
        };
        let (tell, told) = oneshot::channel();
        running.runtime.spawn(place.serve(question, tell));
        // The question has its own limit; what it waits for in others' is not counted there.
        let until = wait
            .deadline
            .min(Instant::now() + self.settings.timeout + self.settings.timeout / 2);
        match wait.timer.timeout_at(until, told).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(late()),
        }
    }

    fn url(&self) -> Result<Url, Failure> {
        if let Some(url) = &self.settings.url {
            return Ok(url.clone());
        }
        let published = self
            .settings
            .issuer
            .as_ref()
            .map(|issuer| issuer.published());
        let endpoints = published.map(|published| published.endpoints());
        let named = endpoints
            .as_ref()
            .and_then(|endpoints| endpoints.as_ref())
            .and_then(|endpoints| endpoints.token.clone());
        named.ok_or_else(|| {
            Failure::Unavailable("the issuer's metadata name no usable `token_endpoint`".into())
        })
    }

    async fn request(&self, question: &Question) -> Outcome {
        let url = self.url()?;
        let asked = async {
            let connection = url.server(self.settings.ca.as_ref()).connect().await;
            let mut connection = connection.map_err(|error| Failure::Unavailable(error.into()))?;
            let mut form = vec![("grant_type", question.grant.name().to_owned())];
            form.extend(question.form.iter().cloned());
            self.settings
                .client
                .identify(&mut connection, &mut form, &url.to_string())
                .map_err(|error| Failure::Unavailable(error.into()))?;
            let answer = connection
                .post_form(
                    url.target(),
                    encoded(&form),
                    self.settings.timeout,
                    answer::MAX,
                )
                .await
                .map_err(|error| Failure::Unavailable(error.into()))?;
            answer::read(&answer)
        };
        let timeout = self.settings.timeout;
        match tokio::time::timeout(timeout, asked).await {
            Ok(outcome) => outcome.map(Arc::new),
            Err(_) => Err(Failure::Unavailable(
                format!("no answer within {} s", timeout.as_secs_f64()).into(),
            )),
        }
    }

    fn tell(&self, grant: Grant, outcome: &Outcome) {
        let result = match outcome {
            Ok(_) => "granted",
            Err(Failure::Refused { .. }) => "refused",
            Err(Failure::Unavailable(_)) => "failed",
        };
        if let Err(failure) = outcome {
            let (source, grant) = (&*self.source, grant.short());
            tracing::warn!(source, grant, %failure, "the token endpoint gives no token");
        }
        if let Some(running) = self.running.load_full() {
            let labels = [&*self.source, grant.short(), result];
            running.catalogue.counter(&TOKEN_REQUESTS, &labels).inc();
        }
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        // Each step leaves them whole.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the questions that may be under way.
struct Place(Arc<TokenEndpoint>);

impl Place {
    fn take(endpoint: &Arc<TokenEndpoint>) -> Option<Self> {
        let before = endpoint.under_way.fetch_add(1, Relaxed);
        // Given back on drop also where it is one too many.
        let place = Self(Arc::clone(endpoint));
        (before < MAX_UNDER_WAY).then_some(place)
    }

    async fn serve(self, question: Question, tell: oneshot::Sender<Outcome>) {
        let endpoint = &self.0;
        let Some(number) = question.flight else {
            let outcome = endpoint.request(&question).await;
            endpoint.tell(question.grant, &outcome);
            // Nobody may be waiting any more.
            let _ = tell.send(outcome);
            return;
        };
        if !endpoint.flights().join(number, tell, Instant::now()) {
            return;
        }
        let outcome = endpoint.request(&question).await;
        endpoint.tell(question.grant, &outcome);
        let until = Instant::now() + question.grant.kept(&outcome);
        let waiting = endpoint.flights().land(number, &outcome, until);
        for tell in waiting {
            let _ = tell.send(outcome.clone());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Relaxed);
    }
}

impl Grant {
    /// What stands for it in `grant_type`.
    const fn name(self) -> &'static str {
        match self {
            Self::Code => "authorization_code",
            Self::Refresh => "refresh_token",
            Self::Exchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }

    /// How long an outcome answers equal questions. A token that was exchanged for one is given to whoever
    /// has the other, no longer than half of its life.
    fn kept(self, outcome: &Outcome) -> Duration {
        match (self, outcome) {
            (_, Err(Failure::Unavailable(_))) => KEPT_FAILURE,
            (Self::Exchange, Ok(granted)) => granted
                .expires_in
                .map_or(KEPT, |life| KEPT.min(Duration::from_secs(life) / 2)),
            (_, Ok(_) | Err(Failure::Refused { .. })) => KEPT,
        }
    }

    const fn short(self) -> &'static str {
        match self {
            Self::Exchange => "token_exchange",
            other => other.name(),
        }
    }
}

impl PartialEq for TokenEndpoint {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

impl Drop for TokenEndpoint {
    fn drop(&mut self) {
        if let Some(running) = self.running.load_full() {
            for grant in GRANTS.map(Grant::short) {
                for result in ["granted", "refused", "failed"] {
                    let labels = [&*self.source, grant, result];
                    running.catalogue.release(&TOKEN_REQUESTS, &labels);
                }
            }
        }
    }
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenEndpoint").field(&self.source).finish()
    }
}
