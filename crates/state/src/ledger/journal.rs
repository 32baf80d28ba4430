//! The file that keeps figures over a restart: lines that are only ever added, the last of a name
//! and a period counts.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// A file of records. While one process has it open no other writes to it.
#[derive(Debug)]
pub(super) struct Journal<const N: usize> {
    path: PathBuf,
    file: File,
    /// Lines in it, those included that others have replaced.
    lines: usize,
}

/// Why a journal can't be opened.
#[derive(Debug)]
pub(super) enum JournalError {
    /// Another process, such as the gateway that hands over to this one, still writes to it.
    Locked,
    /// It can't be read or written.
    Io(io::Error),
}

/// What a journal holds: the bank and the figures, by the start of the period and the name.
pub type Figures<const N: usize> = BTreeMap<Key, Values<N>>;

/// When a period began, and the name of an account.
type Key = (u64, Box<str>);

/// The bank of a period, and its figures.
type Values<const N: usize> = (usize, [u64; N]);

impl<const N: usize> Journal<N> {
    /// Opens a file, or makes it, and reads what is in it. What a crash has left half written at its
    /// end is cut off.
    ///
    /// # Errors
    /// Another process has it, or it can't be read or written.
    pub(super) fn open(path: &Path) -> Result<(Self, Figures<N>), JournalError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Locked),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let there = std::fs::metadata(path).ok();
        let own = file.metadata()?;
        if there.is_none_or(|there| (there.dev(), there.ino()) != (own.dev(), own.ino())) {
            // It was written anew by whoever had it until now.
            return Err(JournalError::Locked);
        }
        let (figures, lines, whole) = read(&mut file)?;
        file.set_len(whole)?;
        file.seek(SeekFrom::Start(whole))?;
        let path = path.to_owned();
        Ok((Self { path, file, lines }, figures))
    }

    /// What is in a file, whoever has it open.
    ///
    /// # Errors
    /// It can't be read. One that is not there is empty.
    pub(super) fn peek(path: &Path) -> io::Result<Figures<N>> {
        match File::open(path) {
            Ok(mut file) => Ok(read(&mut file)?.0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Figures::new()),
            Err(error) => Err(error),
        }
    }

    /// Adds records, and returns when they are on the disk.
    ///
    /// # Errors
    /// They may not be.
    pub(super) fn append(&mut self, figures: &Figures<N>) -> io::Result<()> {
        let end = self.file.stream_position()?;
        let done = self.file.write_all(text(figures).as_bytes());
        if let Err(error) = done.and_then(|()| self.file.sync_data()) {
            // Half a line would spoil the next one.
            self.file.set_len(end)?;
            self.file.seek(SeekFrom::Start(end))?;
            return Err(error);
        }
        self.lines += figures.len();
        Ok(())
    }

    /// Whether more of it is outdated than not, where so many records are worth keeping.
    pub(super) const fn is_due(&self, kept: usize) -> bool {
        self.lines > 1_000 && self.lines / 4 > kept
    }

    /// Writes it anew, with these records alone. The old one stays until the new one is complete.
    ///
    /// # Errors
    /// The old one stays.
    pub(super) fn rewrite(&mut self, figures: &Figures<N>) -> io::Result<()> {
        let next = self.path.with_extension("new");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&next)?;
        // Before anybody else can find it under its name.
        file.try_lock()?;
        file.write_all(text(figures).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&next, &self.path)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        self.file = file;
        self.lines = figures.len();
        Ok(())
    }
}

/// The records of a file, how many lines it has, and how many bytes of it are whole lines.
fn read<const N: usize>(file: &mut File) -> io::Result<(Figures<N>, usize, u64)> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    let whole = whole.map_or(0, |end| end + 1);
    let text = String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default());
    let (mut figures, mut lines) = (Figures::new(), 0);
    for line in text.lines() {
        lines += 1;
        // What is no record, as after damage to the disk, is passed over.
        figures.extend(parse(line));
    }
    Ok((figures, lines, whole as u64))
}

/// A line for each: start, bank, figures, name; tabs between.
fn text<const N: usize>(figures: &Figures<N>) -> String {
    let mut out = String::new();
    for ((start, name), (bank, values)) in figures {
        // Writing to a String can't fail.
        let _ = write!(out, "{start}\t{bank}");
        for value in values {
            let _ = write!(out, "\t{value}");
        }
        out.push('\t');
        for c in name.chars() {
            match c {
                '\t' | '\n' | '\r' | '%' => {
                    let _ = write!(out, "%{:02X}", u32::from(c));
                }
                c => out.push(c),
            }
        }
        out.push('\n');
    }
    out
}

fn parse<const N: usize>(line: &str) -> Option<(Key, Values<N>)> {
    let mut parts = line.splitn(N + 3, '\t');
    let start = parts.next()?.parse().ok()?;
    let bank = parts.next()?.parse().ok().filter(|bank| *bank < 2)?;
    let mut values = [0; N];
    for value in &mut values {
        *value = parts.next()?.parse().ok()?;
    }
    let mut name = String::new();
    let mut rest = parts.next()?;
    while let Some((before, after)) = rest.split_once('%') {
        name.push_str(before);
        let code = u32::from_str_radix(after.get(..2)?, 16).ok()?;
        name.push(char::from_u32(code)?);
        rest = after.get(2..)?;
    }
    name.push_str(rest);
    Some(((start, name.into()), (bank, values)))
}

impl From<io::Error> for JournalError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("another process writes to it"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for JournalError {}
