//! Which files there are.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    diagnostic::{Diagnostic, code},
    span::Sources,
};

/// Bytes in one file; 10,000 routes take about 3 MiB.
const LARGEST_FILE: u64 = 64 << 20;

/// Adds the file, or every `*.yaml` and `*.yml` directly in the folder in the order of their
/// names, to the sources.
pub(crate) fn collect(path: &Path, sources: &mut Sources, out: &mut Vec<Diagnostic>) {
    let files = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => files_of(path, out),
        Ok(_) => vec![path.to_owned()],
        Err(error) => {
            out.push(unreadable(path, &error));
            return;
        }
    };
    for file in files {
        one(&file, sources, out);
    }
}

/// Adds a file to the sources.
pub(crate) fn one(file: &Path, sources: &mut Sources, out: &mut Vec<Diagnostic>) {
    match read(file) {
        Ok(text) => {
            sources.add(file.to_owned(), &text);
        }
        Err(diagnostic) => out.push(*diagnostic),
    }
}

fn files_of(folder: &Path, out: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            out.push(unreadable(folder, &error));
            return Vec::new();
        }
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            let yaml = matches!(
                path.extension().and_then(OsStr::to_str),
                Some("yaml" | "yml")
            );
            yaml && !hidden && path.is_file()
        })
        .collect();
    files.sort();
    if files.is_empty() {
        let message = format!("there is no configuration in `{}`", folder.display());
        out.push(
            Diagnostic::error(code::NOTHING_TO_READ, message)
                .help("put at least one `*.yaml` file directly into the folder"),
        );
    }
    files
}

fn read(path: &Path) -> Result<String, Box<Diagnostic>> {
    let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
    if size > LARGEST_FILE {
        let message = format!("`{}` has more than 64 MiB", path.display());
        return Err(Box::new(Diagnostic::error(code::TOO_LARGE, message)));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error
            .as_bytes()
            .iter()
            .take(at)
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        let message = format!(
            "`{}` is not UTF-8: line {line} has a byte that no character has",
            path.display()
        );
        Box::new(Diagnostic::error(code::UNREADABLE, message).help("save the file as UTF-8"))
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let shown = path.display();
    let diagnostic = Diagnostic::error(
        code::UNREADABLE,
        format!("`{shown}` can't be read: {error}"),
    );
    match error.kind() {
        io::ErrorKind::NotFound => {
            Diagnostic::error(code::NOTHING_TO_READ, format!("there is no file `{shown}`"))
                .help("name a file, or a folder with `*.yaml` files in it")
        }
        io::ErrorKind::PermissionDenied => diagnostic.help("let the user that runs Lintel read it"),
        _ => diagnostic,
    }
}
