//! The thread that may wait for a disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed, mpsc::Receiver},
    thread,
    time::Duration,
};

use super::{Message, Shared, Target};
use crate::log::OncePer;

/// How often a lasting failure of a sink is reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// How long to wait before trying a descriptor again that somebody made non-blocking.
const RETRY: Duration = Duration::from_millis(2);

/// Something that takes bytes.
pub(super) trait Output: Send {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Opens the file anew where there is one.
    fn reopen(&mut self) -> io::Result<()>;
}

/// A target as an open file.
pub(super) struct Destination {
    file: File,
    path: Option<PathBuf>,
}

impl Destination {
    pub(super) fn open(target: &Target) -> io::Result<Self> {
        // A duplicate of the descriptor bypasses the line buffering of `io::Stdout`.
        let (file, path) = match target {
            Target::Stdout => (io::stdout().as_fd().try_clone_to_owned()?.into(), None),
            Target::Stderr => (io::stderr().as_fd().try_clone_to_owned()?.into(), None),
            Target::File(path) => (append_to(path)?, Some(path.clone())),
        };
        Ok(Self { file, path })
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl Output for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.file = append_to(path)?;
        }
        Ok(())
    }
}

pub(super) struct Writer<O> {
    shared: Arc<Shared>,
    output: O,
    /// The last write ended inside a line.
    torn: bool,
    failing: bool,
    report: OncePer,
}

impl<O: Output> Writer<O> {
    pub(super) fn new(shared: Arc<Shared>, output: O) -> Self {
        Self {
            shared,
            output,
            torn: false,
            failing: false,
            report: OncePer::new(REPORT_INTERVAL),
        }
    }

    /// Writes until all senders are gone.
    pub(super) fn run(mut self, inbox: &Receiver<Message>) {
        while let Ok(message) = inbox.recv() {
            if self.shared.reopen.swap(false, Relaxed) {
                self.reopen();
            }
            match message {
                Message::Batch { bytes, lines } => {
                    self.batch(&bytes, lines);
                    self.shared.queued.fetch_sub(bytes.len(), Relaxed);
                }
                // Whoever asked may have given up waiting.
                Message::Flush(done) => drop(done.send(())),
                Message::Wake => {}
            }
        }
    }

    fn batch(&mut self, bytes: &[u8], lines: u32) {
        match self.write(bytes) {
            Ok(()) if self.failing => {
                self.failing = false;
                self.recovered();
            }
            Ok(()) => {}
            Err((error, written)) => {
                let complete = bytes.iter().take(written).filter(|b| **b == b'\n').count();
                let complete = u64::try_from(complete).unwrap_or(u64::MAX);
                let lost = u64::from(lines).saturating_sub(complete);
                self.shared.stats.drop_lines(lost);
                self.failed(&error);
            }
        }
    }

    /// Writes whole lines, ending a torn one first. The error tells how many bytes were written.
    fn write(&mut self, bytes: &[u8]) -> Result<(), (io::Error, usize)> {
        if self.torn {
            self.write_all(b"\n").map_err(|(error, _)| (error, 0))?;
            self.torn = false;
        }
        self.write_all(bytes).inspect_err(|(_, written)| {
            let last = written.checked_sub(1).and_then(|last| bytes.get(last));
            self.torn = last.is_some_and(|byte| *byte != b'\n');
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), (io::Error, usize)> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = bytes.len() - rest.len();
            match self.output.write(rest) {
                Ok(0) => return Err((ErrorKind::WriteZero.into(), written)),
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait(RETRY),
                Err(error) => return Err((error, written)),
            }
        }
        Ok(())
    }

    fn failed(&mut self, error: &io::Error) {
        self.failing = true;
        self.shared.stats.errors.fetch_add(1, Relaxed);
        let sink = &*self.shared.stats.name;
        if self.may_report()
            && let Some(suppressed) = self.report.pass()
        {
            let dropped = self.shared.stats.loss().dropped;
            tracing::error!(sink, %error, dropped, suppressed, "cannot write log; lines are lost");
        }
    }

    fn recovered(&self) {
        if self.may_report() {
            let sink = &*self.shared.stats.name;
            let dropped = self.shared.stats.loss().dropped;
            tracing::info!(sink, dropped, "log can be written again");
        }
    }

    fn reopen(&mut self) {
        match self.output.reopen() {
            Ok(()) => self.torn = false,
            Err(error) if self.may_report() => {
                let sink = &*self.shared.stats.name;
                tracing::error!(sink, %error, "cannot reopen log; the old file is used on");
            }
            Err(_) => {}
        }
    }

    /// The process log cannot report that it cannot be written.
    fn may_report(&self) -> bool {
        !self.shared.process_log.load(Relaxed)
    }
}

#[expect(clippy::disallowed_methods, reason = "this thread exists to wait")]
fn wait(time: Duration) {
    thread::sleep(time);
}
