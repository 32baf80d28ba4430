//! Asks services what their methods are, again and again.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header, request};
use lintel_config::{Built, Reflected};
use lintel_grpc::{
    descriptors::Pool,
    reflection::{Gathering, MAX_BYTES, PATHS},
    status::{STATUS, Status},
};
use lintel_kernel::GrpcCode;
use lintel_telemetry::{
    Catalogue,
    metrics::{
        SharedGauge,
        family::{DESCRIPTOR_REFRESHES, DESCRIPTORS_FAILING, DESCRIPTORS_LAST_SUCCESS},
    },
};
use lintel_upstream::aside::{Aside, ask};
use tokio::{sync::Notify, time};

/// How long an endpoint may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pauses between questions that were not answered: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What goes on for one service until it is dropped.
pub(crate) struct Reflecting {
    again: Arc<Notify>,
    _asking: Aside,
    _counts: Arc<Counts>,
}

impl Reflecting {
    /// Begins it for every service of a configuration that wants it.
    pub(crate) fn start_all(built: &Built, catalogue: &Arc<Catalogue>) -> Vec<Self> {
        let all = built.reflected().iter();
        all.map(|reflected| {
            let again = Arc::new(Notify::new());
            // Held here, too, so that they are there before those of the last configuration go.
            let counts = Arc::new(Counts::new(reflected.service.name(), catalogue));
            let (asked, reflected) = (Arc::clone(&again), Arc::clone(reflected));
            let counted = Arc::clone(&counts);
            Self {
                again,
                _asking: Aside::start(move || keep_asking(reflected, asked, counted)),
                _counts: counts,
            }
        })
        .collect()
    }

    /// Asks at once.
    pub(crate) fn ask_again(&self) {
        self.again.notify_one();
    }
}

/// What is counted; the gauges go when nobody asks any more.
struct Counts {
    service: Arc<str>,
    catalogue: Arc<Catalogue>,
    last_success: SharedGauge,
    failing: SharedGauge,
}

impl Counts {
    fn new(service: &Arc<str>, catalogue: &Arc<Catalogue>) -> Self {
        Self {
            service: Arc::clone(service),
            last_success: catalogue.gauge(&DESCRIPTORS_LAST_SUCCESS, &[service]),
            failing: catalogue.gauge(&DESCRIPTORS_FAILING, &[service]),
            catalogue: Arc::clone(catalogue),
        }
    }

    fn count(&self, learned: &Result<bool, String>) {
        let result = match learned {
            Ok(true) => "changed",
            Ok(false) => "unchanged",
            Err(_) => "failed",
        };
        let labels = [&*self.service, result];
        self.catalogue.counter(&DESCRIPTOR_REFRESHES, &labels).inc();
        self.failing.set(i64::from(learned.is_err()));
        if learned.is_ok() {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            let seconds = since.unwrap_or_default().as_secs();
            self.last_success
                .set(i64::try_from(seconds).unwrap_or(i64::MAX));
        }
    }
}

impl Drop for Counts {
    fn drop(&mut self) {
        for family in [&DESCRIPTORS_LAST_SUCCESS, &DESCRIPTORS_FAILING] {
            self.catalogue.release(family, &[&self.service]);
        }
    }
}

async fn keep_asking(reflected: Arc<Reflected>, again: Arc<Notify>, counts: Arc<Counts>) {
    let name = Arc::clone(reflected.service.name());
    let (mut pause, mut first) = (FIRST_PAUSE, true);
    loop {
        let learned = learn(&reflected).await;
        counts.count(&learned);
        let wait = match learned {
            Ok(news) => {
                if news || first {
                    tracing::info!(
                        service = &*name,
                        "the service has said what its methods are"
                    );
                    for fault in reflected.faults() {
                        tracing::error!(service = &*name, "what it says does not fit: {fault}");
                    }
                }
                first = false;
                pause = FIRST_PAUSE;
                reflected.refresh
            }
            Err(why) => {
                let known = reflected.is_known();
                tracing::warn!(
                    service = &*name,
                    known,
                    "the service does not say what its methods are: {why}"
                );
                let wait = pause.min(reflected.refresh);
                pause = (pause * 2).min(LONGEST_PAUSE);
                wait
            }
        };
        // Nobody waits any longer for news.
        let _ = time::timeout(wait, again.notified()).await;
    }
}

async fn learn(reflected: &Reflected) -> Result<bool, String> {
    let pool = gather(reflected).await?;
    reflected
        .learn(pool)
        .map_err(|error| format!("its answer can't be kept: {error}"))
}

/// Asks in the newer version, and in the older one where the service has no other.
async fn gather(reflected: &Reflected) -> Result<Pool, String> {
    let mut failed = String::new();
    for path in PATHS {
        match gather_by(reflected, path).await {
            Err(Unanswered::Unimplemented) => {
                failed = "it has no reflection (grpc-status 12)".to_owned();
            }
            Err(Unanswered::Failed(why)) => return Err(why),
            Ok(pool) => return Ok(pool),
        }
    }
    Err(failed)
}

enum Unanswered {
    /// There is no such method.
    Unimplemented,
    Failed(String),
}

impl From<String> for Unanswered {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

async fn gather_by(reflected: &Reflected, path: &'static str) -> Result<Pool, Unanswered> {
    let wanted: Vec<&str> = reflected.wanted.iter().map(String::as_str).collect();
    let mut gathering = Gathering::new(&wanted);
    while let Some(question) = gathering.question()? {
        let limits = (MAX_BYTES, PATIENCE);
        let reply = ask(&reflected.service, head(path), question, limits).await?;
        let trailers = reply.trailers.unwrap_or_default();
        check(reply.status, &reply.headers, &trailers)?;
        gathering.answer(&Bytes::from(reply.body))?;
    }
    Ok(gathering.finish()?)
}

fn head(path: &'static str) -> request::Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::POST;
    head.uri = http::Uri::from_static(path);
    let grpc = HeaderValue::from_static("application/grpc");
    head.headers.insert(header::CONTENT_TYPE, grpc);
    head
}

fn check(
    http: http::StatusCode,
    headers: &HeaderMap,
    trailers: &HeaderMap,
) -> Result<(), Unanswered> {
    if !http.is_success() {
        return Err(format!("it answered with {}", http.as_u16()).into());
    }
    let fields = match trailers.contains_key(STATUS) {
        true => trailers,
        false => headers,
    };
    match Status::of(fields) {
        None => Err("its answer has no grpc-status".to_owned().into()),
        Some(status) if status.code == GrpcCode::Ok => Ok(()),
        Some(status) if status.code == GrpcCode::Unimplemented => Err(Unanswered::Unimplemented),
        Some(status) => {
            let why = format!("grpc-status {}: {}", status.code as u8, status.message);
            Err(why.into())
        }
    }
}
