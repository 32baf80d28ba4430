//! `lintel run`.

use std::{
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, SystemTime},
};

use lintel_config::{Loaded, load, model};
use lintel_control::{Gateway, Started, Watch, admin::Admin};
use lintel_server::{Inherited, handover, service_manager};
use lintel_telemetry::{Catalogue, Target, access_log, log};
use tokio::runtime::{Builder, Runtime};

use crate::{
    FAILED, FINE, allocator, cli, print,
    signals::{Ask, Signals},
};

/// How long a new process may take until it serves.
const HANDOVER: Duration = Duration::from_secs(60);
/// How long the last log lines may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &cli::Run, inherited: Inherited) -> u8 {
    let begun = SystemTime::now();
    let loaded = match load(&args.config) {
        Ok(loaded) => loaded,
        Err(report) => {
            print::err(&report.render(&print::style()));
            return FAILED;
        }
    };
    if !loaded.warnings.is_empty() {
        print::err(&loaded.warning_report().render(&print::style()));
    }
    match serve(loaded, begun, args, inherited) {
        Ok(()) => FINE,
        Err(message) => {
            print::err(&format!("error: {message}"));
            FAILED
        }
    }
}

/// Serves a configuration whose reading had `begun` at a time.
fn serve(
    loaded: Loaded,
    begun: SystemTime,
    args: &cli::Run,
    inherited: Inherited,
) -> Result<(), String> {
    log::init(&log_options(&loaded.model.log)).map_err(|error| error.to_string())?;
    let catalogue = Catalogue::new();
    log::install_panic_hook(Arc::clone(&catalogue));
    let runtime = control_runtime()?;
    let admin = loaded.model.admin.clone();
    let started = Started {
        path: args.config.clone(),
        workers: args.workers,
        inherited,
        runtime: runtime.handle().clone(),
        catalogue,
    };
    let gateway = Gateway::start(loaded, started).map_err(|error| error.to_string())?;
    allocator::give_back();
    let watched_from = (!args.no_watch).then_some(begun);
    let outcome = runtime.block_on(attend(&gateway, admin.as_ref(), watched_from));
    access_log::flush_all(LAST_WORDS);
    gateway.built().write_down();
    runtime.shutdown_background(); // a drain that was cut short is not waited for
    outcome
}

/// The control side's own threads: they may wait and fail while the workers serve on.
pub(crate) fn control_runtime() -> Result<Runtime, String> {
    let built = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("lintel-control")
        .enable_all()
        .build();
    built.map_err(|error| format!("the control runtime can't start: {error}"))
}

fn log_options(settings: &model::Log) -> log::Options {
    log::Options {
        format: match settings.format {
            model::LogFormat::Json => access_log::Format::Json,
            model::LogFormat::Human => access_log::Format::Human,
        },
        level: format!("{:?}", settings.level).to_lowercase(),
        target: match &settings.to {
            lintel_config::text::LogTarget::Stdout => Target::Stdout,
            lintel_config::text::LogTarget::Stderr => Target::Stderr,
            lintel_config::text::LogTarget::File(path) => Target::File(path.clone()),
        },
    }
}

/// Attends to signals, file changes and the admin API until the process is to end.
async fn attend(
    gateway: &Arc<Gateway>,
    admin: Option<&model::Admin>,
    watched_from: Option<SystemTime>,
) -> Result<(), String> {
    let mut signals =
        Signals::new().map_err(|error| format!("signals can't be received: {error}"))?;
    let admin = match admin {
        Some(settings) => Some(
            Admin::start(Arc::clone(gateway), settings)
                .await
                .map_err(|error| error.to_string())?,
        ),
        None => None,
    };
    let mut watch = watched_from.and_then(|_| watch(gateway));
    announce(gateway, admin.as_ref());
    // SAFETY: the descriptor comes from the parent for this one use, and is used nowhere else.
    if let Err(error) = unsafe { handover::ready() } {
        tracing::warn!(%error, "the process before this one can't be told that this one serves");
    }
    service_manager::ready();
    let watchdog = tokio::spawn(watchdog());
    // What has changed since it was read was not watched yet.
    let files = gateway.loaded();
    if watched_from.is_some_and(|begun| Watch::is_newer(gateway.path(), &files.files, begun)) {
        follow(gateway, "file", &mut watch).await;
    }
    drop(files);
    loop {
        let ask = tokio::select! {
            ask = signals.next() => ask,
            () = changed(&mut watch) => {
                follow(gateway, "file", &mut watch).await;
                continue;
            }
        };
        match ask {
            Ask::Reload => follow(gateway, "signal", &mut watch).await,
            Ask::Reopen => access_log::reopen_all(),
            Ask::HandOver => {
                if hand_over(gateway).await {
                    break;
                }
            }
            Ask::Stop => break,
        }
    }
    watchdog.abort();
    stop(gateway, &mut signals).await;
    Ok(())
}

fn announce(gateway: &Gateway, admin: Option<&Admin>) {
    for (name, address) in gateway.server().addresses() {
        tracing::info!(listener = &*name, %address, "listening");
    }
    if let Some(admin) = admin {
        tracing::info!(address = admin.address, "the admin API listens");
    }
}

fn watch(gateway: &Gateway) -> Option<Watch> {
    let loaded = gateway.loaded();
    match Watch::start(gateway.path(), &loaded.files, loaded.consumers_file()) {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(%error, "file changes can't be watched; reload with SIGHUP or `lintel reload`");
            None
        }
    }
}

/// Reloads, and watches the files that the configuration names then.
async fn follow(gateway: &Arc<Gateway>, by: &'static str, watch: &mut Option<Watch>) {
    reload(gateway, by).await;
    // A file may have changed after it was read and before it was watched.
    while rewatch(gateway, watch) {
        reload(gateway, "file").await;
    }
}

/// Watches other files where the configuration names some that are not watched. The watch is kept
/// where they are the same: a change that came during the reload waits in it.
fn rewatch(gateway: &Gateway, current: &mut Option<Watch>) -> bool {
    let files = gateway.loaded();
    let lacking = current
        .as_ref()
        .is_some_and(|watch| !watch.covers(&files.files, files.consumers_file()));
    if lacking {
        *current = watch(gateway);
    }
    lacking && current.is_some()
}

async fn changed(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

async fn reload(gateway: &Arc<Gateway>, by: &'static str) {
    service_manager::reloading();
    let gateway = Arc::clone(gateway);
    let reloading = tokio::task::spawn_blocking(move || {
        gateway.reload(by);
        allocator::give_back();
    });
    if reloading.await.is_err() {
        tracing::error!("the reload broke off; the last good configuration serves on");
    }
    service_manager::ready();
}

/// Whether a new process has taken over.
async fn hand_over(gateway: &Arc<Gateway>) -> bool {
    let Ok(binary) = std::env::current_exe() else {
        tracing::error!("the path of the running binary is not known; nothing is handed over");
        return false;
    };
    let binary = replaced(&binary);
    let mut command = Command::new(&binary);
    command.args(std::env::args_os().skip(1));
    let server = Arc::clone(gateway);
    let outcome = tokio::task::spawn_blocking(move || {
        handover::hand_over(server.server(), command, HANDOVER)
    })
    .await;
    match outcome {
        Ok(Ok(child)) => {
            tracing::info!(
                pid = child.id(),
                "a new process serves; this one finishes what it has begun"
            );
            service_manager::main_process(child.id());
            true
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "nothing is handed over; this process serves on");
            false
        }
        Err(_) => false,
    }
}

/// A binary that was replaced under the running process is shown by Linux as `… (deleted)`; the new
/// one stands under the old name.
fn replaced(binary: &Path) -> std::path::PathBuf {
    let text = binary.to_string_lossy();
    text.strip_suffix(" (deleted)").unwrap_or(&text).into()
}

async fn stop(gateway: &Arc<Gateway>, signals: &mut Signals) {
    service_manager::stopping();
    gateway.status().drain();
    tracing::info!("draining");
    let draining = Arc::clone(gateway);
    let drained = tokio::task::spawn_blocking(move || draining.server().drain(None));
    gateway.leave().await;
    tokio::select! {
        report = drained => {
            if let Ok(report) = report {
                tracing::info!(cut = report.requests_cut, took_ms = report.took.as_millis() as u64, "drained");
            }
        }
        () = second_stop(signals) => tracing::warn!("asked to stop a second time: ending at once"),
    }
}

async fn second_stop(signals: &mut Signals) {
    while signals.next().await != Ask::Stop {}
}

async fn watchdog() {
    let Some(interval) = service_manager::watchdog_interval() else {
        return;
    };
    loop {
        service_manager::watchdog();
        tokio::time::sleep(interval).await;
    }
}
