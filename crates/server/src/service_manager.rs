//! Talking to systemd: readiness, reloads, stopping, the watchdog. Without systemd nothing happens.

use std::{io, time::Duration};

use sd_notify::NotifyState;

/// The start is finished: connections are accepted. Also ends what [`reloading`] began.
pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// A reload begins; [`ready`] must follow, whether it succeeds or not.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => failed(&error),
    }
}

/// The process drains.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// The process with this id takes over; needs `NotifyAccess=all` in the unit.
pub fn main_process(id: u32) {
    send(&[NotifyState::MainPid(id)]);
}

/// A line for `systemctl status`.
pub fn status(text: &str) {
    send(&[NotifyState::Status(text)]);
}

/// How often [`watchdog`] must be called, if the unit sets `WatchdogSec=`: half its time, as
/// sd_watchdog_enabled(3) advises.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

/// The process is well. Call it only while the workers answer.
pub fn watchdog() {
    send(&[NotifyState::Watchdog]);
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        failed(&error);
    }
}

fn failed(error: &io::Error) {
    tracing::warn!(%error, "the service manager can't be told");
}
