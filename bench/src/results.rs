//! The file of results: a run replaces the sections of the scenarios it measured and leaves the others as they are, so that the
//! whole can be measured in pieces and notes stay where they were written.

use std::path::Path;
use std::{fs, io};

use anyhow::{Context, Result};

/// A part of the file that begins with `## `, its heading included.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section {
    title: String,
    text: String,
}

impl Section {
    pub(crate) fn new(title: &str, text: String) -> Self {
        Self {
            title: title.to_owned(),
            text,
        }
    }
}

/// Writes what was measured into the file. `order` are the titles of all scenarios: sections of other titles are notes, and stay in
/// front of them. The head of the file is replaced if `whole`, or if there is none.
///
/// # Errors
/// The file cannot be read or written.
pub(crate) fn write(
    path: &Path,
    head: &str,
    whole: bool,
    measured: Vec<Section>,
    order: &[&str],
) -> Result<()> {
    let known = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let text = merged(&known, head, whole, measured, order);
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn merged(known: &str, head: &str, whole: bool, measured: Vec<Section>, order: &[&str]) -> String {
    let (old_head, mut sections) = split(known);
    for fresh in measured {
        match sections
            .iter_mut()
            .find(|section| section.title == fresh.title)
        {
            Some(section) => *section = fresh,
            None => sections.push(fresh),
        }
    }
    // A stable sort: notes, which have no place, keep their order.
    sections.sort_by_key(|section| {
        order
            .iter()
            .position(|title| *title == section.title)
            .map_or(0, |place| place + 1)
    });
    let head = if whole || old_head.trim().is_empty() {
        head
    } else {
        old_head
    };
    let mut text = head.trim_end().to_owned();
    text.push('\n');
    for section in &sections {
        text.push('\n');
        text.push_str(section.text.trim_end());
        text.push('\n');
    }
    text
}

fn split(text: &str) -> (&str, Vec<Section>) {
    let starts: Vec<usize> = text
        .match_indices("## ")
        .map(|(at, _)| at)
        .filter(|at| *at == 0 || text.get(..*at).is_some_and(|before| before.ends_with('\n')))
        .collect();
    let head = text
        .get(..starts.first().copied().unwrap_or(text.len()))
        .unwrap_or_default();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let sections = starts.iter().zip(ends).filter_map(|(start, end)| {
        let section = text.get(*start..end)?;
        let title = section.lines().next()?.strip_prefix("## ")?;
        Some(Section::new(title, section.to_owned()))
    });
    (head, sections.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &[&str] = &["First", "Second", "Third"];

    #[test]
    fn pieces_make_a_whole() {
        let section =
            |title: &str, text: &str| Section::new(title, format!("## {title}\n\n{text}\n"));
        let text = merged("", "# Results\n", false, vec![section("Third", "3")], ORDER);
        assert_eq!(text, "# Results\n\n## Third\n\n3\n");
        let text = format!("{text}\n## Notes\n\nby hand, with ### in it\n");
        let pieces = vec![section("First", "1"), section("Third", "three")];
        let text = merged(&text, "# Later\n", false, pieces, ORDER);
        let expected = "# Results\n\n## Notes\n\nby hand, with ### in it\n\n## First\n\n1\n\n## Third\n\nthree\n";
        assert_eq!(text, expected);
        let text = merged(&text, "# Later\n", true, Vec::new(), ORDER);
        assert_eq!(text, expected.replace("# Results", "# Later"));
    }
}
