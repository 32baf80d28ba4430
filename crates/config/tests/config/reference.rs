//! The committed reference pages are those of this code, and what the docs say loads.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lintel_config::Loader;

const UPDATE: &str = "LINTEL_UPDATE=1 cargo nextest run -p lintel-config";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_pages_are_up_to_date() {
    let folder = root().join("docs/reference");
    let pages = lintel_config::pages();
    if std::env::var_os("LINTEL_UPDATE").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for page in &pages {
            fs::write(folder.join(&page.file), &page.text).unwrap();
        }
    }
    for page in &pages {
        let committed = fs::read_to_string(folder.join(&page.file)).unwrap_or_default();
        assert!(
            committed == page.text,
            "docs/reference/{} is not what the doc comments say; run `{UPDATE}`",
            page.file
        );
    }
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        let own = fs::read_to_string(&path)
            .unwrap()
            .starts_with(lintel_config::PAGE_NOTE);
        assert!(
            !own || pages.iter().any(|page| page.file == name),
            "docs/reference/{name} belongs to no section; remove it"
        );
    }
}

/// Every Markdown file below a folder.
fn markdown(folder: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            markdown(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            out.push(path);
        }
    }
}

/// The fenced `yaml` blocks of a text that are whole configurations.
fn configurations(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match (&mut open, line.trim_start()) {
            (None, "```yaml" | "```yml") => open = Some(String::new()),
            (Some(block), "```") => {
                blocks.push(std::mem::take(block));
                open = None;
            }
            (Some(block), _) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    let whole = |block: &String| {
        let first = block
            .lines()
            .find(|line| !line.trim().is_empty() && !line.starts_with('#'));
        first.is_some_and(|line| line.starts_with("version:"))
    };
    blocks.retain(whole);
    blocks
}

fn check(name: &Path, text: &str) {
    // What stands for an endpoint where examples are run.
    let mut parts = text.split("endpoints: [");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let word = part.split(']').next().unwrap_or_default();
        let is_word = word.chars().all(|c| c.is_ascii_lowercase());
        text.push_str("endpoints: [");
        text.push_str(&match part.strip_prefix(word) {
            Some(rest) if is_word => format!("\"http://{word}\"{rest}"),
            _ => part.to_owned(),
        });
    }
    let text = &*text;
    // Any variable is set: examples show how, not what.
    let variables = text
        .split("${env.")
        .skip(1)
        .filter_map(|rest| rest.split(['}', ':']).next());
    let loader = Loader::new()
        .environment(variables.map(|name| (name, "x")))
        .without_files();
    if let Err(report) = loader.load_texts([(name.to_owned(), text)]) {
        panic!("{report}");
    }
}

#[test]
fn what_the_docs_show_loads() {
    let mut files = vec![root().join("README.md")];
    markdown(&root().join("docs"), &mut files);
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        for block in configurations(&text) {
            check(&file, &block);
        }
    }
}

#[test]
fn the_examples_load() {
    let Ok(entries) = fs::read_dir(root().join("examples")) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let text = fs::read_to_string(&path).unwrap();
            assert!(
                text.starts_with("# yaml-language-server: $schema="),
                "{} does not name its schema in the first line",
                path.display()
            );
            check(&path, &text);
        }
    }
}

#[test]
fn blocks_are_found() {
    let text =
        "a\n```yaml\nversion: 1\nb: 2\n```\n```yaml\nroutes: {}\n```\n```sh\nversion: 1\n```\n";
    assert_eq!(configurations(text), ["version: 1\nb: 2\n"]);
}
