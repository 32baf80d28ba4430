//! The size gate: what bounds the tail of a code base is a bound.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Lines allowed in a source file, a test file, and the front page of a module or crate.
const SOURCE: usize = 600;
const TEST: usize = 800;
const FRONT: usize = 150;
/// Lines allowed in one function, from its signature to its closing brace.
const FUNCTION: usize = 60;

/// Files that may be larger, each with its reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

pub(crate) fn check(root: &Path) -> Result<(), String> {
    let mut findings = Vec::new();
    let mut seen = 0;
    for folder in ["crates", "xtask", "bench"] {
        visit(&root.join(folder), &mut |file| {
            seen += 1;
            let name = file
                .strip_prefix(root)
                .unwrap_or(file)
                .display()
                .to_string();
            if EXCEPTIONS.iter().any(|(exception, _)| *exception == name) {
                return;
            }
            let Ok(text) = fs::read_to_string(file) else {
                return;
            };
            findings.extend(file_size(&name, &text));
            if !is_test(&name) {
                findings.extend(function_sizes(&name, &text));
            }
        });
    }
    if findings.is_empty() {
        println!("sizes: {seen} files within bounds");
        return Ok(());
    }
    Err(format!("sizes:\n  {}", findings.join("\n  ")))
}

fn visit(folder: &Path, each: &mut impl FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if path
                .file_name()
                .is_none_or(|name| name != "target" && name != ".work")
            {
                visit(&path, each);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&path);
        }
    }
}

fn is_test(name: &str) -> bool {
    name.contains("/tests/")
        || name.ends_with("/tests.rs")
        || name.contains("/benches/")
        || name.contains("/fuzz/")
}

fn file_size(name: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let limit = if is_test(name) {
        TEST
    } else if name.ends_with("/lib.rs") || name.ends_with("/mod.rs") {
        FRONT
    } else {
        SOURCE
    };
    (lines > limit).then(|| format!("{name}: {lines} lines, {limit} allowed"))
}

/// Finds functions by their signature line and the brace at the same indentation: exact for code
/// that rustfmt has laid out.
fn function_sizes(name: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let mut open: Option<(usize, usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let code = line.trim_start();
        match &open {
            None => {
                if let Some(function) = signature(code) {
                    open = Some((number, indent, function.to_owned()));
                }
            }
            Some((start, at, function)) => {
                let ends = indent == *at && (code == "}" || code == "};");
                let declaration = indent == *at && code.ends_with(';')
                    || (number == *start + 1 && indent <= *at && signature(code).is_some());
                if ends || declaration {
                    let lines = number - start + 1;
                    if ends && lines > FUNCTION {
                        findings.push(format!(
                            "{name}:{}: fn {function} has {lines} lines, {FUNCTION} allowed",
                            start + 1
                        ));
                    }
                    open = if declaration && !ends {
                        signature(code).map(|next| (number, indent, next.to_owned()))
                    } else {
                        None
                    };
                }
            }
        }
        if let Some((start, _, _)) = &open
            && *start == number
            && (code.ends_with('}') || code.ends_with(';'))
        {
            open = None;
        }
    }
    findings
}

fn signature(code: &str) -> Option<&str> {
    let mut rest = code;
    for word in [
        "pub ",
        "pub(crate) ",
        "pub(super) ",
        "default ",
        "const ",
        "async ",
        "unsafe ",
        "extern \"C\" ",
    ] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_functions_and_files_are_found() {
        let body = "    x();\n".repeat(70);
        let text = format!(
            "fn short() {{\n    x();\n}}\n\npub async fn long(\n    a: u8,\n) {{\n{body}}}\n"
        );
        let found = function_sizes("crates/a/src/b.rs", &text);
        assert_eq!(
            found,
            ["crates/a/src/b.rs:5: fn long has 74 lines, 60 allowed"]
        );
        assert!(file_size("crates/a/src/b.rs", &"x\n".repeat(601)).is_some());
        assert!(file_size("crates/a/src/b.rs", &"x\n".repeat(600)).is_none());
        assert!(file_size("crates/a/src/lib.rs", &"x\n".repeat(151)).is_some());
        assert!(file_size("crates/a/tests/b.rs", &"x\n".repeat(800)).is_none());
    }
}
