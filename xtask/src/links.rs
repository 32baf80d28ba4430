//! The link gate: a link in a page leads to a file that is there.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Looks at every page of the repository.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let mut pages = Vec::new();
    collect(root, &mut pages);
    let mut findings = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page)
            .map_err(|error| format!("links: {}: {error}", page.display()))?;
        let folder = page.parent().unwrap_or(root);
        let name = page.strip_prefix(root).unwrap_or(page).display();
        for link in links(&text) {
            if !folder.join(link).exists() {
                findings.push(format!("{name}: `{link}` is not there"));
            }
        }
    }
    if findings.is_empty() {
        println!("links: {} pages lead to what is there", pages.len());
        return Ok(());
    }
    Err(format!("links:\n  {}", findings.join("\n  ")))
}

fn collect(folder: &Path, pages: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                collect(&path, pages);
            }
        } else if name.ends_with(".md") {
            pages.push(path);
        }
    }
}

/// Links to files, outside of fenced blocks; without the place in the page.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for after in line.split("](").skip(1) {
            let Some((link, _)) = after.split_once(')') else {
                continue;
            };
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !file.contains(' ') {
                found.push(file);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_files_are_found() {
        let text =
            "[a](b.md#c) and [d](e/f.md), [g](#h)\n```\n[i](j.md)\n```\n[k](https://l.example/)";
        assert_eq!(links(text), ["b.md", "e/f.md"]);
    }
}
