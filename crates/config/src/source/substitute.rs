//! `${env.NAME}`, `${env.NAME:-default}` and `${file.PATH}`: values from outside, put in at load.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    diagnostic::{Diagnostic, code},
    document::{Node, Taint, Value},
    shape::nearest,
    span::{Sources, Span},
};

/// Bytes in a file that a text may be taken from.
const LARGEST_VALUE: u64 = 1 << 20;

/// Where values from outside come from.
pub(crate) struct Environment<'a> {
    /// The value of an environment variable.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    /// The names of those there are, for suggestions.
    pub(crate) names: &'a dyn Fn() -> Vec<String>,
}

/// What was put in.
#[derive(Default)]
pub(super) struct Resolved {
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
    /// The values; defaults, which stand in the configuration, are left out.
    pub(super) values: Vec<String>,
}

/// Resolves every text of the tree in place.
pub(super) fn resolve(
    tree: &mut Node,
    sources: &Sources,
    environment: &Environment<'_>,
    out: &mut Vec<Diagnostic>,
) -> Resolved {
    let mut resolver = Resolver {
        sources,
        environment,
        out,
        resolved: Resolved::default(),
    };
    resolver.node(tree);
    resolver.resolved
}

struct Resolver<'a> {
    sources: &'a Sources,
    environment: &'a Environment<'a>,
    out: &'a mut Vec<Diagnostic>,
    resolved: Resolved,
}

impl Resolver<'_> {
    fn node(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(|item| self.node(item)),
            Value::Map(entries) => {
                for entry in entries {
                    self.node(&mut entry.value);
                }
            }
            Value::Text(text) if text.contains("${env.") || text.contains("${file.") => {
                let mistakes = self.out.len();
                if let Some((plain, taint)) = self.text(text, node.span) {
                    *text = plain;
                    node.taint = Some(Box::new(taint));
                }
                if self.out.len() > mistakes {
                    node.value = Value::Broken;
                }
            }
            _ => {}
        }
    }

    /// The text with its references replaced; `None` if there is none after all.
    fn text(&mut self, text: &str, span: Span) -> Option<(String, Taint)> {
        let (mut plain, mut escaped) = (String::new(), String::new());
        let mut origin: Option<String> = None;
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            escaped.push_str(before);
            // `$$` is a dollar sign in texts that are evaluated, and stays as it is in others.
            let skipped = if from.starts_with("$$") { 2 } else { 1 };
            let Some((reference, tail)) = reference(from) else {
                let (kept, tail) = from.split_at(skipped);
                plain.push_str(kept);
                escaped.push_str(kept);
                rest = tail;
                continue;
            };
            let offset = text.len() - from.len();
            let whole = from.get(..from.len() - tail.len()).unwrap_or("");
            let value = self
                .value(&reference, whole, text, span, offset)
                .unwrap_or_default();
            plain.push_str(&value);
            escaped.push_str(&value.replace('$', "$$"));
            origin.get_or_insert_with(|| whole.to_owned());
            rest = tail;
        }
        plain.push_str(rest);
        escaped.push_str(rest);
        Some((
            plain,
            Taint {
                origin: origin?,
                escaped,
            },
        ))
    }

    fn value(
        &mut self,
        reference: &Reference<'_>,
        whole: &str,
        text: &str,
        span: Span,
        offset: usize,
    ) -> Option<String> {
        let place = self.place(span, text, offset, whole);
        let value = match reference {
            Reference::Env { name, default } => self.variable(name, *default, place),
            Reference::File(path) => self.file(path, place),
        };
        let default = match reference {
            Reference::Env { default, .. } => *default,
            Reference::File(_) => None,
        };
        let outside = value.as_deref().filter(|value| Some(*value) != default);
        self.resolved.values.extend(outside.map(str::to_owned));
        value
    }

    fn variable(&mut self, name: &str, default: Option<&str>, place: Span) -> Option<String> {
        let fit = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(fit) {
            self.out.push(
                Diagnostic::error(
                    code::SUBSTITUTION,
                    format!("`{name}` is not the name of an environment variable"),
                )
                .at(place, "")
                .expected("`${env.NAME}` or `${env.NAME:-default}`")
                .help("names have letters, digits and `_`"),
            );
            return None;
        }
        match ((self.environment.variable)(name), default) {
            (Some(value), None) => Some(value),
            (Some(value), Some(_)) if !value.is_empty() => Some(value),
            (_, Some(default)) => Some(default.to_owned()),
            (None, None) => {
                let names = (self.environment.names)();
                let help = match nearest(name, names.iter().map(String::as_str)) {
                    Some(near) => format!("`{near}` is set; did you mean `${{env.{near}}}`?"),
                    None => format!("set it, or give a default: `${{env.{name}:-…}}`"),
                };
                self.out.push(
                    Diagnostic::error(
                        code::SUBSTITUTION,
                        format!("the environment variable `{name}` is not set"),
                    )
                    .at(place, "not set")
                    .help(help),
                );
                None
            }
        }
    }

    fn file(&mut self, path: &str, place: Span) -> Option<String> {
        let folder = self
            .sources
            .get(place.source)
            .map_or(Path::new("."), |source| source.folder());
        let file = folder.join(path);
        let refused = match fs::metadata(&file) {
            Ok(metadata) if metadata.is_dir() => Some("it is a folder".to_owned()),
            Ok(metadata) if metadata.len() > LARGEST_VALUE => {
                Some("it has more than 1 MiB".to_owned())
            }
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        let text = match refused {
            Some(reason) => Err(reason),
            None => fs::read_to_string(&file).map_err(|error| error.to_string()),
        };
        self.resolved.files.push(file.clone());
        match text {
            Ok(text) => {
                let text = text.strip_suffix('\n').unwrap_or(&text);
                Some(text.strip_suffix('\r').unwrap_or(text).to_owned())
            }
            Err(reason) => {
                let message = format!("the file `{}` can't be read: {reason}", file.display());
                self.out.push(
                    Diagnostic::error(code::SUBSTITUTION, message)
                        .at(place, "named here")
                        .help(format!(
                            "paths start from the folder of the configuration file, here `{}`",
                            folder.display()
                        )),
                );
                None
            }
        }
    }

    /// The reference itself, where it is written as it reads.
    fn place(&self, span: Span, text: &str, offset: usize, whole: &str) -> Span {
        let Some(raw) = self.sources.slice(span) else {
            return span;
        };
        let start = raw
            .find(text)
            .map(|at| at + offset)
            .or_else(|| raw.find(whole));
        match start {
            Some(start) => {
                let start = span.start as usize + start;
                Span::new(span.source, start..start + whole.len())
            }
            None => span,
        }
    }
}

enum Reference<'t> {
    Env {
        name: &'t str,
        default: Option<&'t str>,
    },
    File(&'t str),
}

/// Reads a reference at the beginning of a text; returns it and what follows.
fn reference(text: &str) -> Option<(Reference<'_>, &str)> {
    let inner = text.strip_prefix("${")?;
    let (inside, tail) = inner.split_once('}')?;
    if let Some(path) = inside.strip_prefix("file.") {
        return Some((Reference::File(path), tail));
    }
    let name = inside.strip_prefix("env.")?;
    let (name, default) = match name.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (name, None),
    };
    Some((Reference::Env { name, default }, tail))
}
