//! A ledger, and the file that keeps it over a restart.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    account::Account,
    directory::Ledger,
    journal::{Figures, Journal, JournalError},
};

/// Accounts that are written down: about once a second, and when the book is dropped.
///
/// Requests count in memory alone. A crash loses what was counted since the last [`flush`](Self::flush),
/// a restart nothing.
pub struct Book<const N: usize> {
    ledger: Ledger<N>,
    file: Option<PathBuf>,
    keep: Keep,
    started: AtomicBool,
    /// For the control side alone; no worker comes here.
    written: Mutex<Written<N>>,
}

/// What is kept of periods that are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// What accounts hold: this period and the one before.
    Accounts,
    /// All figures.
    History {
        /// For so many seconds.
        seconds: u64,
        /// How long a period is, in seconds: of older ones nothing is counted any more.
        period: u64,
    },
}

struct Written<const N: usize> {
    journal: Option<Journal<N>>,
    /// What was read while another process still wrote: what it counts from there on is to be added.
    read: Figures<N>,
    /// What is on the disk, where all figures are kept.
    kept: Figures<N>,
    /// What may not be.
    pending: Figures<N>,
    failing: bool,
}

impl<const N: usize> Book<N> {
    /// With room for so many accounts, kept in a file if there is one.
    pub fn new(room: usize, file: Option<PathBuf>, keep: Keep) -> Self {
        Self {
            ledger: Ledger::new(room),
            file,
            keep,
            started: AtomicBool::new(false),
            written: Mutex::new(Written {
                journal: None,
                read: Figures::new(),
                kept: Figures::new(),
                pending: Figures::new(),
                failing: false,
            }),
        }
    }

    /// The accounts.
    pub const fn ledger(&self) -> &Ledger<N> {
        &self.ledger
    }

    /// Where it is kept.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Reads what was written down, the first time; whether this was it. Blocks. `now` is in seconds
    /// since 1970. Where the file
    /// can't be read, counting begins at nothing, and what is wrong is logged.
    pub fn start(&self, now: u64) -> bool {
        if self.started.swap(true, Relaxed) {
            return false;
        }
        let Some(file) = &self.file else { return true };
        let mut written = self.written();
        if let Some(folder) = file.parent() {
            // What comes of it shows when the file is opened.
            let _ = fs::create_dir_all(folder);
        }
        match Journal::open(file) {
            Ok((journal, figures)) => {
                self.restore(&figures, now);
                written.kept = self.history(figures);
                written.journal = Some(journal);
            }
            Err(JournalError::Locked) => match Journal::peek(file) {
                Ok(figures) => {
                    tracing::info!(
                        file = %file.display(),
                        "another gateway still counts here; what it does is added when it ends"
                    );
                    self.restore(&figures, now);
                    written.read = figures;
                }
                Err(error) => written.fails(file, &error),
            },
            Err(JournalError::Io(error)) => written.fails(file, &error),
        }
        true
    }

    /// Writes down what has changed. Blocks until it is on the disk. `now` is in seconds since 1970.
    /// What can't be written is tried again with the next. Nothing is, before it is
    /// [started](Self::start).
    pub fn flush(&self, now: u64) {
        let Some(file) = self.file.as_ref().filter(|_| self.started.load(Relaxed)) else {
            return;
        };
        let mut written = self.written();
        let written = &mut *written;
        if written.journal.is_none() {
            match Journal::open(file) {
                Ok((journal, figures)) => {
                    self.absorb(&figures, &written.read);
                    written.read = Figures::new();
                    written.kept = self.history(figures);
                    written.journal = Some(journal);
                }
                Err(JournalError::Locked) => return,
                Err(JournalError::Io(error)) => return written.fails(file, &error),
            }
        }
        self.collect(&mut written.pending);
        if let Err(error) = self.write(written, now) {
            written.fails(file, &error);
        } else if std::mem::take(&mut written.failing) {
            tracing::info!(file = %file.display(), "counts are written down again");
        }
    }

    /// All figures of the periods that are kept, with those that are counted now.
    pub fn figures(&self) -> Figures<N> {
        let mut figures = self.written().kept.clone();
        figures.append(&mut self.counted());
        figures
    }

    /// What accounts hold.
    fn counted(&self) -> Figures<N> {
        let mut figures = Figures::new();
        for account in self.ledger.accounts() {
            for (bank, start, values) in account.banks() {
                figures.insert((start, account.name().into()), (bank, values));
            }
        }
        figures
    }

    fn history(&self, figures: Figures<N>) -> Figures<N> {
        match self.keep {
            Keep::Accounts => Figures::new(),
            Keep::History { .. } => figures,
        }
    }

    /// Adds what is pending; figures that are not kept any more are dropped now and then.
    fn write(&self, written: &mut Written<N>, now: u64) -> io::Result<()> {
        let Some(journal) = &mut written.journal else {
            return Ok(());
        };
        if !written.pending.is_empty() {
            journal.append(&written.pending)?;
            let pending = std::mem::take(&mut written.pending);
            written.kept.extend(self.history(pending));
        }
        match self.keep {
            Keep::Accounts if journal.is_due(self.ledger.len() * 2) => {
                journal.rewrite(&self.counted())
            }
            Keep::History { seconds, .. } if journal.is_due(written.kept.len()) => {
                let oldest = now.saturating_sub(seconds);
                written.kept = written.kept.split_off(&(oldest, "".into()));
                journal.rewrite(&written.kept)
            }
            _ => Ok(()),
        }
    }

    fn restore(&self, figures: &Figures<N>, now: u64) {
        let oldest = match self.keep {
            Keep::Accounts => 0,
            Keep::History { period, .. } => now.saturating_sub(2 * period),
        };
        for ((start, name), (bank, values)) in figures.range((oldest, "".into())..) {
            let account = self.ledger.account(name);
            account.absorb(*bank, *start, *values);
        }
        // It is on the disk already.
        for account in self.ledger.accounts() {
            note(&account);
        }
    }

    /// Adds what another process has counted after it was read.
    fn absorb(&self, figures: &Figures<N>, read: &Figures<N>) {
        for (key, (bank, values)) in figures {
            let before = read.get(key).map_or([0; N], |(_, before)| *before);
            let mut more = *values;
            for (more, before) in more.iter_mut().zip(before) {
                *more = more.saturating_sub(before);
            }
            if more != [0; N] {
                self.ledger.account(&key.1).absorb(*bank, key.0, more);
            }
        }
    }

    fn collect(&self, news: &mut Figures<N>) {
        for account in self.ledger.accounts() {
            for (bank, start, values) in account.banks() {
                if account.note(bank, start, values) {
                    news.insert((start, account.name().into()), (bank, values));
                }
            }
        }
    }

    fn written(&self) -> MutexGuard<'_, Written<N>> {
        // Figures are replaced as a whole, so a panic elsewhere leaves good ones behind.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note<const N: usize>(account: &Account<N>) {
    for (bank, start, values) in account.banks() {
        account.note(bank, start, values);
    }
}

impl<const N: usize> Written<N> {
    fn fails(&mut self, file: &Path, error: &io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(
                file = %file.display(),
                %error,
                "counts can't be written down; a restart would lose them"
            );
        }
    }
}

impl<const N: usize> Drop for Book<N> {
    fn drop(&mut self) {
        // Nothing is dropped for its age now.
        self.flush(0);
    }
}

impl<const N: usize> fmt::Debug for Book<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book")
            .field("ledger", &self.ledger)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
