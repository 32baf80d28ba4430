//! Places in the files of a configuration.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::login;

/// A stretch of text in one of the configuration's files. Byte offsets, end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Index of the file in [`Sources`].
    pub source: u32,
    /// First byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// A stretch of the file with index `source`.
    pub fn new(source: u32, range: Range<usize>) -> Self {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self {
            source,
            start: offset(range.start),
            end: offset(range.end.max(range.start)),
        }
    }

    /// The byte range.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// From the beginning of `self` to the end of `other`, which is in the same file.
    pub(crate) fn to(self, other: Self) -> Self {
        Self {
            end: other.end.max(self.end),
            ..self
        }
    }
}

/// Line and column as editors count them, from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Character in the line.
    pub column: usize,
}

/// One file of the configuration.
#[derive(Clone)]
pub struct Source {
    /// Where it was read from.
    pub path: PathBuf,
    /// Its content, without a byte order mark.
    text: Arc<str>,
}

impl Source {
    /// The name that messages show: the path as the operator gave it.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The content as it is on disk. It may hold secrets; messages show [`Sources::masked`].
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The folder that relative paths in this file start from.
    pub fn folder(&self) -> &Path {
        self.path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
    }
}

/// The files that a configuration was read from.
#[derive(Clone, Default)]
pub struct Sources {
    files: Vec<Source>,
    /// Where secrets are written in the files; never shown. In their order, and apart from each other.
    secrets: Vec<Span>,
}

impl Sources {
    /// Adds a file and returns its index.
    pub(crate) fn add(&mut self, path: PathBuf, text: &str) -> u32 {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let index = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        let passwords = login::passwords(text).into_iter();
        self.hide(passwords.map(|range| Span::new(index, range)));
        self.files.push(Source {
            path,
            text: text.into(),
        });
        index
    }

    /// The file with this index.
    pub fn get(&self, index: u32) -> Option<&Source> {
        self.files.get(index as usize)
    }

    /// All files, in the order they were read.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.files.iter()
    }

    /// Declares that a stretch of text is a secret.
    pub(crate) fn hide(&mut self, spans: impl IntoIterator<Item = Span>) {
        let known = self.secrets.len();
        self.secrets.extend(spans);
        if self.secrets.len() == known {
            return;
        }
        self.secrets
            .sort_unstable_by_key(|span| (span.source, span.start));
        self.secrets.dedup_by(|next, last| {
            let one = next.source == last.source && next.start < last.end;
            if one {
                last.end = last.end.max(next.end);
            }
            one
        });
    }

    /// Whether a place shows a secret that is written in the file.
    pub(crate) fn is_secret(&self, span: Span) -> bool {
        let before = |s: &Span| (s.source, s.end) <= (span.source, span.start);
        let next = self.secrets.get(self.secrets.partition_point(before));
        next.is_some_and(|s| s.source == span.source && s.start < span.end)
    }

    /// The secrets that are written in the files.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().filter_map(|span| self.slice(*span))
    }

    /// The text at a place, as it is in the file.
    pub(crate) fn slice(&self, span: Span) -> Option<&str> {
        self.get(span.source)?.text.get(span.range())
    }

    /// The part of a place that is on its first line.
    pub(crate) fn first_line(&self, span: Span) -> Span {
        let text = self.slice(span).unwrap_or("");
        let len = text.lines().next().unwrap_or("").len();
        Span::new(span.source, span.range().start..span.range().start + len)
    }

    /// The content of a file with every secret in it replaced by `*`, byte for byte, so that
    /// offsets hold.
    pub(crate) fn masked(&self, index: u32) -> Option<Arc<str>> {
        let text = &self.get(index)?.text;
        let mut secrets = self.secrets.iter().filter(|s| s.source == index).peekable();
        if secrets.peek().is_none() {
            return Some(Arc::clone(text));
        }
        let mut bytes = text.as_bytes().to_vec();
        for byte in secrets.flat_map(|span| span.range()) {
            if let Some(byte) = bytes.get_mut(byte).filter(|byte| **byte != b'\n') {
                *byte = b'*';
            }
        }
        // Secrets are whole scalars, so no character is cut; were one, nothing is shown at all.
        String::from_utf8(bytes).ok().map(Into::into)
    }

    /// Line and column of a byte offset.
    pub fn position(&self, index: u32, offset: u32) -> Position {
        let before = self
            .get(index)
            .and_then(|source| source.text.get(..offset as usize))
            .unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before
                .get(line_start..)
                .map_or(0, |line| line.chars().count())
                + 1,
        }
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.files.iter().map(Source::name))
            .finish()
    }
}
