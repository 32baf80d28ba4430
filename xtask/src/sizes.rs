//! The size gate: what bounds the tail of a code base is a bound.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

/// Lines allowed in a source file, a test file, and the front page of a module or crate.
const SOURCE: usize = 600;
const TEST: usize = 800;
const FRONT: usize = 150;
/// Lines allowed in one function, from its signature to its closing brace.
const FUNCTION: usize = 60;

/// What was over its bound when the gate came in, with its size then: it may shrink, not grow. An
/// entry that is no longer needed has to go.
const DEBT: &str = include_str!("sizes.debt");

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
            let Ok(text) = fs::read_to_string(file) else {
                return;
            };
            findings.extend(file_size(&name, &text));
            if !is_test(&name) {
                findings.extend(function_sizes(&name, &text));
            }
        });
    }
    let findings = settle(findings);
    if findings.is_empty() {
        println!(
            "sizes: {seen} files within bounds, {} known exceptions",
            DEBT.lines().count()
        );
        return Ok(());
    }
    Err(format!("sizes:\n  {}", findings.join("\n  ")))
}

/// A file or function over its bound.
struct Finding {
    /// `path`, or `path fn name`.
    what: String,
    lines: usize,
    allowed: usize,
}

/// Leaves out what is known and has not grown; adds what is known and no longer so.
fn settle(findings: Vec<Finding>) -> Vec<String> {
    let mut debt: HashMap<&str, usize> = DEBT
        .lines()
        .filter_map(|line| {
            let (lines, what) = line.split_once(' ')?;
            Some((what, lines.parse().ok()?))
        })
        .collect();
    let mut left: Vec<String> = findings
        .into_iter()
        .filter(|finding| {
            let known = debt.remove(finding.what.as_str());
            known.is_none_or(|known| finding.lines > known)
        })
        .map(|finding| {
            format!(
                "{}: {} lines, {} allowed",
                finding.what, finding.lines, finding.allowed
            )
        })
        .collect();
    let settled = debt
        .keys()
        .map(|what| format!("{what}: within bounds now; remove it from xtask/src/sizes.debt"));
    left.extend(settled);
    left.sort();
    left
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

fn file_size(name: &str, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    let limit = if is_test(name) {
        TEST
    } else if name.ends_with("/lib.rs") || name.ends_with("/mod.rs") {
        FRONT
    } else {
        SOURCE
    };
    (lines > limit).then(|| Finding {
        what: name.to_owned(),
        lines,
        allowed: limit,
    })
}

/// Finds functions by their signature line and the brace at the same indentation: exact for code
/// that rustfmt has laid out.
fn function_sizes(name: &str, text: &str) -> Vec<Finding> {
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
                        findings.push(Finding {
                            what: format!("{name} fn {function}"),
                            lines,
                            allowed: FUNCTION,
                        });
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
        let found: Vec<_> = found
            .iter()
            .map(|finding| (finding.what.as_str(), finding.lines))
            .collect();
        assert_eq!(found, [("crates/a/src/b.rs fn long", 74)]);
        assert!(file_size("crates/a/src/b.rs", &"x\n".repeat(601)).is_some());
        assert!(file_size("crates/a/src/b.rs", &"x\n".repeat(600)).is_none());
        assert!(file_size("crates/a/src/lib.rs", &"x\n".repeat(151)).is_some());
        assert!(file_size("crates/a/tests/b.rs", &"x\n".repeat(800)).is_none());
    }
}
