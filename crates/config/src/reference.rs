//! The reference documentation, written from the schema.

use std::fmt::Write as _;

use crate::{
    schema::{self, Kind, View},
    shape::inline,
    text,
};

/// One page of the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its file name: `listeners.md`.
    pub file: String,
    /// Its content, Markdown.
    pub text: String,
}

/// Every page: an index and one for each section of the configuration.
pub fn pages() -> Vec<Page> {
    let root = schema::root();
    let sections = root
        .properties()
        .filter(|(_, section)| has_keys(*section))
        .map(|(name, section)| page(name, section));
    std::iter::once(index(root)).chain(sections).collect()
}

/// How every page begins.
pub const PAGE_NOTE: &str = "<!-- Generated from the doc comments of the configuration's types; see CONTRIBUTING.md. -->\n\n";

fn index(root: View<'static>) -> Page {
    let mut out = format!("{PAGE_NOTE}# Configuration reference\n\n");
    out.push_str(
        "A configuration is a YAML file, or a folder of them: every `*.yaml` and `*.yml` directly in the folder, in \
         the order of their names. Listeners, services, groups, routes, stores, consumers, plans and error pages may be spread over files; a name \
         that two files define is an error.\n\n\
         `${env.NAME}`, `${env.NAME:-default}` and `${file.PATH}` are replaced when the configuration is loaded, in values \
         only. What came from there is never shown. Paths start from the folder of the file they are written in.\n\n\
         Durations are written `300ms`, `2s`, `1h`; sizes `64KiB`, `10MiB`; shares `20%`.\n\n",
    );
    table(root, &mut out, |name, view| match has_keys(view) {
        true => format!("[`{name}`]({name}.md)"),
        false => format!("`{name}`"),
    });
    Page {
        file: "README.md".to_owned(),
        text: out,
    }
}

fn page(name: &'static str, section: View<'static>) -> Page {
    let mut out = format!("{PAGE_NOTE}# `{name}`\n\n{}\n", section.description());
    let detail = section.type_description();
    if !detail.is_empty() && detail != section.description() {
        let _ = write!(out, "\n{detail}\n");
    }
    let (base, body) = body_of(name.to_owned(), section);
    describe(&base, body, &mut out);
    Page {
        file: format!("{name}.md"),
        text: out,
    }
}

/// Steps into the items of maps and lists.
fn body_of(path: String, view: View<'static>) -> (String, View<'static>) {
    match view.kind() {
        Kind::Map { values, .. } => body_of(format!("{path}.<name>"), values),
        Kind::List { items, .. } => body_of(format!("{path}[]"), items),
        _ => (path, view),
    }
}

/// The tables of everything below a path.
fn describe(path: &str, view: View<'static>, out: &mut String) {
    match view.kind() {
        Kind::Record => {
            let _ = write!(out, "\n## `{path}`\n\n");
            table(view, out, |name, _| format!("`{name}`"));
            for (name, property) in view.properties() {
                let (path, body) = body_of(format!("{path}.{name}"), property);
                if has_keys(body) {
                    describe(&path, body, out);
                }
            }
        }
        Kind::Tagged(tags) => {
            let _ = write!(out, "\n## `{path}`\n\nExactly one of these keys.\n\n");
            out.push_str("| key | takes | |\n|---|---|---|\n");
            for (name, variant) in &tags {
                row(&format!("`{name}`"), *variant, false, out);
            }
            for (name, variant) in tags {
                let (path, body) = body_of(format!("{path}.{name}"), variant);
                if has_keys(body) {
                    describe(&path, body, out);
                }
            }
        }
        Kind::OneOf(alternatives) => {
            for alternative in alternatives {
                let (path, body) = body_of(path.to_owned(), alternative);
                if has_keys(body) {
                    describe(&path, body, out);
                }
            }
        }
        _ => {}
    }
}

fn has_keys(view: View<'static>) -> bool {
    match view.kind() {
        Kind::Record | Kind::Tagged(_) => true,
        Kind::Map { values, .. } => has_keys(values),
        Kind::List { items, .. } => has_keys(items),
        Kind::OneOf(alternatives) => alternatives.into_iter().any(has_keys),
        _ => false,
    }
}

fn table(record: View<'static>, out: &mut String, link: impl Fn(&str, View<'static>) -> String) {
    out.push_str("| key | takes | |\n|---|---|---|\n");
    let required: Vec<&str> = record.required().collect();
    for (name, property) in record.properties() {
        row(
            &link(name, property),
            property,
            required.contains(&name),
            out,
        );
    }
}

fn row(name: &str, view: View<'static>, required: bool, out: &mut String) {
    let mut about = view.description().replace("\n\n", "<br>");
    if let Some(words) = words(view) {
        about.push_str(&format!("<br>{words}"));
    }
    let default = view
        .default()
        .filter(|default| !default.is_object() && !is_empty(default));
    if let Some(default) = default {
        about.push_str(&format!("<br>Default: `{}`.", inline(default)));
    }
    if required && !name.is_empty() && view.default().is_none() {
        about.push_str("<br>**Required.**");
    }
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let _ = writeln!(
        out,
        "| {name} | {} | {} |",
        cell(&takes(view)),
        cell(&about)
    );
}

fn is_empty(value: &serde_json::Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// What the words of a choice mean.
fn words(view: View<'static>) -> Option<String> {
    let Kind::Choice(words) = view.kind() else {
        return None;
    };
    let lines: Vec<String> = words
        .iter()
        .map(|word| format!("`{}`: {}", word.word(), word.description()))
        .collect();
    (words.len() > 1).then(|| lines.join("<br>"))
}

fn takes(view: View<'static>) -> String {
    match view.kind() {
        Kind::Record | Kind::Tagged(_) => "map".to_owned(),
        Kind::Map { keys, values, .. } => {
            let key = match keys.kind() {
                Kind::Text { format } if format != "name" => {
                    text::noun(format).trim_start_matches("the ").to_owned()
                }
                _ => "name".to_owned(),
            };
            format!("map: {} → {}", key.trim_start_matches("a "), takes(values))
        }
        Kind::List { items, .. } => format!("list of {}", takes(items)),
        Kind::Choice(words) => {
            let words: Vec<String> = words
                .iter()
                .map(|word| format!("`{}`", word.word()))
                .collect();
            words.join(", ")
        }
        Kind::Text { format } => {
            let noun = text::noun(format);
            let noun = ["the ", "an ", "a "]
                .iter()
                .find_map(|article| noun.strip_prefix(article))
                .unwrap_or(noun);
            match (view.example(), format) {
                (_, "template") => "text with `${…}`".to_owned(),
                (Some(example), "" | "secret") => {
                    format!("{noun}, as in `{}`", inline(example))
                }
                (Some(example), _) => format!("{noun}: `{}`", inline(example)),
                (None, _) => noun.to_owned(),
            }
        }
        Kind::Integer { min, max } => match (min, max) {
            (_, max) if max <= 1_000_000 => format!("{min} to {max}"),
            (min, _) if min > 0 => format!("number, at least {min}"),
            _ => "number".to_owned(),
        },
        Kind::Bool => "`true`, `false`".to_owned(),
        Kind::OneOf(alternatives) => {
            let mut texts: Vec<String> = alternatives.into_iter().map(takes).collect();
            texts.dedup();
            texts.join(", or ")
        }
        Kind::Any => "any value".to_owned(),
    }
}
