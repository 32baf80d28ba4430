//! One running gateway: its workers, the configuration they serve, and the way to a newer one.

use std::{
    collections::HashMap,
    fmt,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

use lintel_config::{Built, Loaded, Loader, Report, build, directory::Directory};
use lintel_server::{Inherited, Server, Settings};
use lintel_telemetry::{
    Catalogue,
    metrics::family::{
        DIRECTORY_CONSUMERS, DIRECTORY_FAILING, DIRECTORY_PLANS, DIRECTORY_REFUSED, REPLICAS,
        REVOCATIONS, REVOCATIONS_FAILING,
    },
};
use lintel_upstream::{Control, Resolution, Service, Supervision};
use tokio::runtime::Handle;

use crate::{breakers::Breakers, reflection::Reflecting, status::Status};

/// How long a source of endpoints that is required may take until its first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(30);

/// A running gateway.
pub struct Gateway {
    path: PathBuf,
    control: Control,
    server: Server,
    catalogue: Arc<Catalogue>,
    status: Status,
    breakers: Breakers,
    state: Mutex<State>,
}

/// What serves now.
struct State {
    loaded: Arc<Loaded>,
    built: Built,
    resolutions: Vec<Resolution>,
    supervisions: Vec<Supervision>,
    reflecting: Vec<Reflecting>,
    generation: u64,
}

/// What came of a reload.
#[derive(Debug)]
pub enum Reloaded {
    /// A new configuration serves.
    Applied {
        /// Its number.
        generation: u64,
    },
    /// Nothing had changed; certificates were read again.
    Unchanged,
    /// The new one can't serve; the last good one does.
    Refused {
        /// Why, as `lintel check` prints it.
        report: String,
    },
}

/// Why a gateway could not start.
pub enum StartError {
    /// The configuration is wrong.
    Config(Report),
    /// A source of endpoints that is required has not answered.
    Discovery(String),
    /// The listeners or workers could not be started.
    Server(lintel_server::StartError),
}

/// What a gateway is started with.
pub struct Started {
    /// The file or folder that holds the configuration.
    pub path: PathBuf,
    /// Overrides the number of workers.
    pub workers: Option<NonZeroUsize>,
    /// Listening sockets from another process.
    pub inherited: Inherited,
    /// Where background work runs.
    pub runtime: Handle,
    /// Where everything is counted.
    pub catalogue: Arc<Catalogue>,
}

impl Gateway {
    /// Starts workers on a configuration that was loaded before.
    ///
    /// # Errors
    /// The configuration can't be built, or an address can't be bound.
    pub fn start(loaded: Loaded, started: Started) -> Result<Arc<Self>, StartError> {
        let Started {
            path,
            workers,
            inherited,
            runtime,
            catalogue,
        } = started;
        let built = build(&loaded, 1, None).map_err(StartError::Config)?;
        let control = Control {
            runtime,
            catalogue: Arc::clone(&catalogue),
            readers: lintel_config::READERS,
        };
        let resolutions = resolve(&built, &control).map_err(StartError::Discovery)?;
        let default = Settings::default();
        start_policies(&built, &control);
        let settings = Settings {
            workers: workers
                .or_else(|| configured_workers(&loaded))
                .unwrap_or(default.workers),
            drain_timeout: loaded.model.drain_timeout.to_std(),
            inherited,
            ..default
        };
        let server = Server::start(settings, built.generation.clone(), &catalogue)
            .map_err(StartError::Server)?;
        let supervisions = supervise(&built, Vec::new(), &catalogue);
        catalogue.process().config_started(1);
        let status = Status::default();
        status.applied(1, &loaded.version, warnings(&loaded, &built));
        let state = Mutex::new(State {
            loaded: Arc::new(loaded.built()),
            reflecting: Reflecting::start_all(&built, &catalogue),
            built,
            resolutions,
            supervisions,
            generation: 1,
        });
        Ok(Arc::new(Self {
            path,
            control,
            server,
            catalogue,
            status,
            breakers: Breakers::default(),
            state,
        }))
    }

    /// Reads the configuration again and serves it, all or nothing. Blocks until every worker has
    /// switched; reloads that are asked for at the same time run one after the other.
    pub fn reload(&self, by: &'static str) -> Reloaded {
        let mut state = self.state();
        match self.try_reload(&mut state) {
            Ok(Some(generation)) => {
                self.catalogue.process().config_applied(generation);
                self.catalogue.housekeep();
                tracing::info!(generation, by, "the new configuration serves");
                Reloaded::Applied { generation }
            }
            Ok(None) => {
                self.status.unchanged();
                tracing::info!(by, "nothing has changed in the configuration");
                Reloaded::Unchanged
            }
            Err(report) => {
                self.catalogue.process().config_rejected();
                self.status.refused(by, report.clone());
                tracing::error!(
                    by,
                    "the new configuration is refused, the last good one serves on:\n{report}"
                );
                Reloaded::Refused { report }
            }
        }
    }

    fn try_reload(&self, state: &mut State) -> Result<Option<u64>, String> {
        let plain = lintel_config::Style::plain();
        let loader = Loader::new().after(&state.built);
        let loaded = loader
            .load(&self.path)
            .map_err(|report| report.render(&plain))?;
        let generation = state.generation + 1;
        let built = build(&loaded, generation, Some(&state.built))
            .map_err(|report| report.render(&plain))?;
        if loaded.version == state.loaded.version {
            // Building has read the certificates again.
            state.reflecting.iter().for_each(Reflecting::ask_again);
            return Ok(None);
        }
        // The new look-ups begin before the old ones end, so that shared ones go on.
        let resolutions = resolve(&built, &self.control)?;
        start_policies(&built, &self.control);
        self.server
            .publish(&built.generation)
            .map_err(|error| error.to_string())?;
        self.status
            .applied(generation, &loaded.version, warnings(&loaded, &built));
        let before = std::mem::take(&mut state.supervisions);
        let supervisions = supervise(&built, before, &self.catalogue);
        *state = State {
            loaded: Arc::new(loaded.built()),
            reflecting: Reflecting::start_all(&built, &self.catalogue),
            built,
            resolutions,
            supervisions,
            generation,
        };
        Ok(Some(generation))
    }

    /// Where the configuration is read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The workers.
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Brings the metrics up to date that are not counted as things happen.
    pub fn measure(&self) {
        let built = self.built();
        self.breakers
            .show(&built.generation.snapshot, &self.catalogue);
        let replicas = i64::from(built.replicas().count());
        self.catalogue.gauge(&REPLICAS, &[]).set(replicas);
        let revocations = built.revocations();
        let entries = i64::try_from(revocations.revoked().len()).unwrap_or(i64::MAX);
        self.catalogue.gauge(&REVOCATIONS, &[]).set(entries);
        if let Some(directory) = built.directory() {
            let status = directory.status();
            let set = |family, value| {
                let value = i64::try_from(value).unwrap_or(i64::MAX);
                self.catalogue.gauge(family, &[]).set(value);
            };
            set(&DIRECTORY_CONSUMERS, status.consumers);
            set(&DIRECTORY_PLANS, status.plans);
            set(&DIRECTORY_REFUSED, status.refused);
            set(&DIRECTORY_FAILING, usize::from(status.failing.is_some()));
        }
        if let Some(shared) = revocations.shared() {
            let store = &**shared.terms().store.name();
            let failing = shared.status().1.is_some();
            let gauge = self.catalogue.gauge(&REVOCATIONS_FAILING, &[store]);
            gauge.set(i64::from(failing));
        }
    }

    /// Tells the other replicas that this one takes no more traffic, where they count themselves.
    pub async fn leave(&self) {
        let built = self.built();
        built.replicas().leave().await;
    }

    /// Everything that is counted.
    pub const fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Whether new traffic may be sent here: something serves, and knows its consumers.
    pub fn is_ready(&self) -> bool {
        let built = self.built();
        let known = built.directory().is_none_or(Directory::is_known);
        known && self.status.is_ready()
    }

    /// What the control side knows of itself.
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// The configuration that serves.
    pub fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.state().loaded)
    }

    /// What it was compiled to.
    pub fn built(&self) -> Built {
        self.state().built.clone()
    }

    /// A service of the configuration that serves.
    pub fn service(&self, name: &str) -> Option<Arc<Service>> {
        let state = self.state();
        let services = &state.built.generation.snapshot.services;
        services.iter().find(|one| **one.name() == *name).cloned()
    }

    /// Names that are kept resolved.
    pub fn resolutions(&self) -> usize {
        self.state().resolutions.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // State is replaced as a whole, so a panic elsewhere leaves a good one behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins to look names up and to follow sources of endpoints. Blocks until those sources have
/// answered that are required.
fn resolve(built: &Built, control: &Control) -> Result<Vec<Resolution>, String> {
    let services = built.generation.snapshot.services.iter();
    let started: Vec<(&Arc<Service>, Resolution)> = services
        .filter(|service| service.needs_resolution())
        .map(|service| (service, Resolution::start(service, control)))
        .collect();
    let until = Instant::now() + FIRST_ANSWER;
    let awaited = started
        .iter()
        .filter(|(_, resolution)| resolution.is_awaited());
    let missing: Vec<String> = awaited
        .filter(|(_, resolution)| !arrives(resolution, control, until))
        .map(|(service, _)| missing(service))
        .collect();
    if missing.is_empty() {
        Ok(started.into_iter().map(|(_, started)| started).collect())
    } else {
        Err(missing.join("\n"))
    }
}

/// Whether the source answers in time.
fn arrives(resolution: &Resolution, control: &Control, until: Instant) -> bool {
    let (done, answered) = mpsc::channel();
    let arrived = resolution.arrived();
    let waiting = control.runtime.spawn(async move {
        arrived.await;
        // Fails only if nobody waits any more.
        let _ = done.send(());
    });
    let left = until.saturating_duration_since(Instant::now());
    let arrived = answered.recv_timeout(left).is_ok();
    waiting.abort();
    arrived
}

fn missing(service: &Service) -> String {
    let status = service.source_status();
    let source = status
        .as_ref()
        .map_or("its source", |status| &status.source);
    let failing = status.as_ref().and_then(|status| status.failing.as_ref());
    let why = failing.map_or("no answer", |failing| &failing.error);
    format!(
        "service `{}` requires endpoints from {source}, which has listed none within {} s: {why}; \
         remove `required` to serve without",
        service.name(),
        FIRST_ANSWER.as_secs()
    )
}

/// Begins what policies run beside the requests, and to count the replicas; it ends with them.
fn start_policies(built: &Built, control: &Control) {
    let snapshot = &built.generation.snapshot;
    let chains = snapshot.routes.iter().map(|route| &route.chain);
    for chain in chains.chain([&snapshot.unmatched]) {
        chain.start(control);
    }
    built.replicas().start();
    built.revocations().start();
    if let Some(directory) = built.directory() {
        directory.start();
    }
}

/// Looks after every service; those that did not change are left alone.
fn supervise(
    built: &Built,
    before: Vec<Supervision>,
    catalogue: &Arc<Catalogue>,
) -> Vec<Supervision> {
    let mut before: HashMap<usize, Supervision> = before
        .into_iter()
        .map(|one| (one.service().slot(), one))
        .collect();
    let services = &built.generation.snapshot.services;
    let now = services
        .iter()
        .map(|service| {
            // Slots belong to living services alone, and the supervision keeps its own alive.
            let known = before.remove(&service.slot());
            known.unwrap_or_else(|| Supervision::start(service, catalogue))
        })
        .collect();
    for gone in before.into_values() {
        let name = Arc::clone(gone.service().name());
        let next = services.iter().find(|service| *service.name() == name);
        gone.succeeded_by(next, catalogue);
    }
    now
}

fn configured_workers(loaded: &Loaded) -> Option<NonZeroUsize> {
    NonZeroUsize::new(usize::from(loaded.model.workers?))
}

fn warnings(loaded: &Loaded, built: &Built) -> Vec<String> {
    let all = loaded.warnings.iter().chain(&built.warnings);
    all.map(|warning| warning.message.clone()).collect()
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(report) => f.write_str(&report.render(&lintel_config::Style::plain())),
            Self::Discovery(error) => f.write_str(error),
            Self::Server(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
