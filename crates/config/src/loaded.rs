//! A configuration that passed every check.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use lintel_kernel::Fault;
use lintel_state::store::Record;
use serde_json::Value;

use crate::{
    build::Built,
    check,
    descriptors::Descriptors,
    diagnostic::{Diagnostic, Report, code},
    directory::Seen,
    document::Node,
    model::Model,
    redact, schema,
    shape::{self, Shaped},
    source::{self, Environment},
    span::{Sources, Span},
    text::FilePath,
};

/// Reads a file, or every `*.yaml` and `*.yml` in a folder, with the process's environment.
///
/// # Errors
/// All that is wrong in the configuration.
pub fn load(path: impl AsRef<Path>) -> Result<Loaded, Report> {
    Loader::new().load(path)
}

/// The value of an environment variable.
type Lookup = dyn Fn(&str) -> Option<String>;

/// Reads configurations. For everything but tests and tools, [`load`] is enough.
pub struct Loader {
    variable: Box<Lookup>,
    names: Box<dyn Fn() -> Vec<String>>,
    check_files: bool,
    known: Option<Known>,
}

impl Default for Loader {
    fn default() -> Self {
        Self::new()
    }
}

impl Loader {
    /// Reads with the process's environment.
    pub fn new() -> Self {
        Self {
            variable: Box::new(|name| std::env::var(name).ok()),
            names: Box::new(|| {
                let names = std::env::vars_os().map(|(name, _)| name);
                names.filter_map(|name| name.into_string().ok()).collect()
            }),
            check_files: true,
            known: None,
        }
    }

    /// Takes `${env.…}` from here instead of the process's environment.
    #[must_use]
    pub fn environment<K: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let variables: Vec<(String, String)> = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let names: Vec<String> = variables.iter().map(|(name, _)| name.clone()).collect();
        self.names = Box::new(move || names.clone());
        self.variable = Box::new(move |wanted| {
            let hit = variables.iter().find(|(name, _)| name == wanted);
            hit.map(|(_, value)| value.clone())
        });
        self
    }

    /// Reads what comes after another configuration, which [`build`](crate::build) is given too: a file
    /// of consumers that says what it said there last is not read again.
    #[must_use]
    pub fn after(mut self, before: &Built) -> Self {
        let directory = before.directory();
        self.known = directory.and_then(|directory| directory.source().known());
        self
    }

    /// Does not look whether certificates and keys that are named are there; for examples.
    #[must_use]
    pub fn without_files(mut self) -> Self {
        self.check_files = false;
        self
    }

    /// Reads a file or folder.
    ///
    /// # Errors
    /// All that is wrong in the configuration.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Loaded, Report> {
        let (mut sources, mut out) = (Sources::default(), Vec::new());
        source::collect(path.as_ref(), &mut sources, &mut out);
        if out.is_empty() {
            self.read(sources)
        } else {
            Err(Report::new(Arc::new(sources), out))
        }
    }

    /// Reads texts as if they were files of these paths.
    ///
    /// # Errors
    /// All that is wrong in the configuration.
    pub fn load_texts<'t>(
        &self,
        texts: impl IntoIterator<Item = (PathBuf, &'t str)>,
    ) -> Result<Loaded, Report> {
        let mut sources = Sources::default();
        for (path, text) in texts {
            sources.add(path, text);
        }
        self.read(sources)
    }

    /// Where values from outside come from.
    pub(crate) fn environment_used(&self) -> Environment<'_> {
        Environment {
            variable: &self.variable,
            names: &self.names,
        }
    }

    fn read(&self, mut sources: Sources) -> Result<Loaded, Report> {
        let mut out = Vec::new();
        let environment = self.environment_used();
        let Some(read) = source::tree(&sources, &environment, &mut out) else {
            return Err(Report::new(Arc::new(sources), out));
        };
        let Shaped { value, secrets } = shape::walk(&read.tree, schema::root(), &sources, &mut out);
        sources.hide(secrets.iter().map(|(span, _)| *span));
        let sources = Arc::new(sources);
        let shaped = out.is_empty();
        let model = value.and_then(|value| model(value, shaped, &read.tree, &mut out));
        let mut loaded = match model {
            Some(model) => Loaded {
                version: version(&read.tree),
                files: files(&sources, read.included, &model),
                model,
                sources,
                tree: read.tree,
                outside: read.outside,
                rehearsed: false,
                descriptors: Descriptors::default(),
                told: None,
                warnings: Vec::new(),
            },
            None => return Err(Report::new(sources, out)),
        };
        check::errors(&loaded, self.check_files, &mut out);
        if !out.is_empty() {
            return Err(loaded.report(out));
        }
        loaded.version = loaded.descriptors.mark(loaded.version);
        if self.check_files {
            loaded.told = check::told(&loaded, &environment, self.known.as_ref())?;
        }
        let warnings = check::warnings(&loaded, &secrets, self.check_files);
        loaded.warnings = loaded.report(warnings).diagnostics().to_vec();
        Ok(loaded)
    }
}

/// Deserialises what the shape check let through. After mistakes, parts that are needed may be
/// missing; what is there is still worth checking.
fn model(mut value: Value, shaped: bool, tree: &Node, out: &mut Vec<Diagnostic>) -> Option<Model> {
    if !shaped && let Some(map) = value.as_object_mut() {
        map.entry("version").or_insert_with(|| 1.into());
        map.entry("listeners")
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    match serde_path_to_error::deserialize::<_, Model>(value) {
        Ok(mut model) => {
            model.inherit();
            Some(model)
        }
        Err(error) if shaped => {
            let path = error.path().to_string();
            let node = tree.find(&steps(&path)).unwrap_or(tree);
            // The inner message may quote a value.
            let message = if node.is_tainted() {
                format!("`{path}` can't be used")
            } else {
                format!("`{path}`: {}", error.into_inner())
            };
            out.push(
                Diagnostic::error(code::INVALID, message)
                    .at(node.span, "")
                    .path(path),
            );
            None
        }
        Err(_) => None,
    }
}

/// `routes.a.to[1]` as steps.
fn steps(path: &str) -> Vec<&str> {
    path.split(['.', '[', ']'])
        .filter(|step| !step.is_empty())
        .collect()
}

/// A hash of everything that the configuration says; places and comments don't count.
///
/// FNV-1a with 64 bits (draft-eastlake-fnv): it only has to tell versions apart.
fn version(tree: &Node) -> String {
    let mut hash = Fnv::default();
    // Neither a tree nor a number fails to be written.
    let _ = serde_json::to_writer(&mut hash, &shape::Ordered(tree));
    format!("{:016x}", hash.0)
}

pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    let mut hash = Fnv::default();
    hash.take(bytes);
    hash.0
}

struct Fnv(u64);

impl Fnv {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl io::Write for Fnv {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn files(sources: &Sources, included: Vec<PathBuf>, model: &Model) -> Vec<PathBuf> {
    let own = sources.iter().map(|source| source.path.clone());
    let named = check::files(model).into_iter().map(|file| file.path);
    let all: BTreeSet<PathBuf> = own.chain(included).chain(named).collect();
    all.into_iter().collect()
}

/// A configuration that passed every check.
pub struct Loaded {
    /// What it says.
    pub model: Model,
    /// The files it was read from.
    pub sources: Arc<Sources>,
    /// What is legal and probably not meant.
    pub warnings: Vec<Diagnostic>,
    /// A hash of its content: equal for equal configurations.
    pub version: String,
    /// Every file it depends on, certificates and `${file.…}` included; what to watch.
    pub files: Vec<PathBuf>,
    pub(crate) tree: Node,
    /// Values that came from outside.
    pub(crate) outside: Vec<String>,
    /// See [`rehearsal`](Self::rehearsal).
    pub(crate) rehearsed: bool,
    pub(crate) descriptors: Descriptors,
    /// Consumers and plans of a file beside the configuration.
    pub(crate) told: Option<Told>,
}

/// What a file beside the configuration tells, and what tells that it has changed.
pub(crate) struct Told {
    /// None where it says what is in use, and was not read again.
    pub(crate) records: Option<Vec<Record>>,
    pub(crate) seen: Option<Seen>,
    /// The same as long as it says the same.
    pub(crate) mark: Option<u64>,
}

/// A file of consumers and plans that was read before.
pub(crate) struct Known {
    pub(crate) path: PathBuf,
    pub(crate) mark: u64,
}

impl Loaded {
    /// Where the value at a path is written: `["routes", "orders", "to"]`; an index stands for an
    /// item of a list. If it is not written at all, where the nearest thing above it is named.
    pub fn locate<S: AsRef<str>>(&self, path: &[S]) -> Span {
        self.place(path, false)
    }

    /// Like [`locate`](Self::locate), but where the key is written.
    pub fn locate_key<S: AsRef<str>>(&self, path: &[S]) -> Span {
        self.place(path, true)
    }

    /// Where the value at a path such as `routes.orders.match.path[1]` is written.
    pub fn span_of(&self, path: &str) -> Span {
        self.locate(&steps(path))
    }

    fn place<S: AsRef<str>>(&self, path: &[S], key: bool) -> Span {
        if !key
            && let Some(node) = self.tree.find(path)
            && node.span.start < node.span.end
        {
            return node.span;
        }
        let Some((last, above)) = path.split_last() else {
            let first = self.tree.entries().first();
            return first.map_or(self.tree.span, |entry| entry.key_span);
        };
        let parent = self.tree.find(above);
        match parent.and_then(|parent| parent.entry(last.as_ref())) {
            Some(entry) => entry.key_span,
            None => match self.tree.find(path) {
                Some(item) => item.span,
                None => self.place(above, true),
            },
        }
    }

    /// Whether the value at a path came from outside, or is secret; it must not be shown.
    pub fn is_hidden<S: AsRef<str>>(&self, path: &[S]) -> bool {
        self.tree
            .find(path)
            .is_some_and(|node| node.is_tainted() || self.sources.is_secret(node.span))
    }

    /// A text as messages may show it: in backticks, or `***` if it came from outside.
    pub fn shown<S: AsRef<str>>(&self, path: &[S], text: &str) -> String {
        if self.is_hidden(path) {
            "`***`".to_owned()
        } else {
            format!("`{text}`")
        }
    }

    /// A mistake that was found while something was built from the item at `base`.
    pub fn fault<S: AsRef<str>>(&self, base: &[S], fault: &Fault) -> Diagnostic {
        let path: Vec<&str> = base
            .iter()
            .map(AsRef::as_ref)
            .chain(fault.path.iter().map(String::as_str))
            .collect();
        let span = self.locate(&path);
        let dotted = path.join(".");
        if self.is_hidden(&path) && fault.discreet {
            return Diagnostic::error(code::INVALID_VALUE, fault.message.clone())
                .at(self.sources.first_line(span), "")
                .help_maybe(fault.hint.clone())
                .path(dotted);
        }
        if self.is_hidden(&path) {
            let message = format!("the value of `{dotted}` can't be used");
            return Diagnostic::error(code::INVALID_VALUE, message)
                .at(span, "")
                .help("part of it comes from outside, so no more can be said here")
                .path(dotted);
        }
        let text = self.tree.find(&path).and_then(Node::scalar);
        let place = match (fault.offset, text) {
            (Some(offset), Some(text)) => shape::caret(&self.sources, span, text, offset),
            _ => self.sources.first_line(span),
        };
        let key = fault.path.last().map_or("", String::as_str);
        // A mistake in a key is shown at the key, not at its value.
        let place = match fault.message.split('`').nth(1) {
            Some(quoted) if quoted.eq_ignore_ascii_case(key) => self.locate_key(&path),
            _ => place,
        };
        let label = if place == span { "" } else { "here" };
        Diagnostic::error(code::INVALID_VALUE, fault.message.clone())
            .at(place, label)
            .help_maybe(fault.hint.clone())
            .path(dotted)
    }

    /// Diagnostics about this configuration, ready to be shown.
    pub fn report(&self, diagnostics: Vec<Diagnostic>) -> Report {
        Report::new(Arc::clone(&self.sources), diagnostics)
    }

    /// The same without what only building needs, and of which there may be much: the consumers of the
    /// model, and what descriptors say. What can be shown of them, and compared with another configuration, stays.
    #[must_use]
    pub fn built(mut self) -> Self {
        self.model.consumers = Default::default();
        self.descriptors = Descriptors::default();
        self.told = None;
        self
    }

    /// The file of consumers and plans beside the configuration, which is followed by itself.
    pub fn consumers_file(&self) -> Option<&Path> {
        self.model.directory.file.as_ref().map(FilePath::as_path)
    }

    /// The warnings, ready to be shown.
    pub fn warning_report(&self) -> Report {
        self.report(self.warnings.clone())
    }

    /// The configuration in effect: files merged, defaults filled in, and `***` for every value
    /// that came from outside or is secret. See [`to_yaml`](crate::to_yaml).
    pub fn redacted(&self) -> Value {
        redact::effective(&self.tree, schema::root(), &self.sources)
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("version", &self.version)
            .field("sources", &self.sources)
            .field("warnings", &self.warnings.len())
            .finish_non_exhaustive()
    }
}

/// Whether a file exists; for [`check`].
pub(crate) fn is_readable(path: &Path) -> Result<(), String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if metadata.is_dir() {
        return Err("it is a folder".to_owned());
    }
    fs::File::open(path)
        .map(drop)
        .map_err(|error| error.to_string())
}
