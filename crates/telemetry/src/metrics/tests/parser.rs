//! A strict reader of both exposition formats: refuses what `promtool check metrics` would.

use std::collections::{BTreeMap, BTreeSet};

/// One family as read.
#[derive(Default, Debug)]
pub(super) struct Read {
    pub(super) kind: String,
    pub(super) help: String,
    pub(super) samples: Vec<Sample>,
}

#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

pub(super) struct Exposition(pub(super) BTreeMap<String, Read>);

impl Exposition {
    /// The one sample of this name with these labels among its own.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self
            .0
            .values()
            .flat_map(|family| &family.samples)
            .filter(|sample| {
                let has = |(key, value): &(&str, &str)| {
                    sample.labels.get(*key).map(String::as_str) == Some(*value)
                };
                sample.name == name && labels.iter().all(has)
            });
        let value = found.next().map(|sample| sample.value);
        assert!(found.next().is_none(), "{name} {labels:?} is ambiguous");
        value
    }
}

pub(super) fn parse(text: &str, openmetrics: bool) -> Exposition {
    assert!(text.ends_with('\n'), "the last line ends");
    let body = match text.strip_suffix("# EOF\n") {
        Some(body) if openmetrics => body,
        None if !openmetrics => text,
        _ => panic!("`# EOF` ends OpenMetrics and nothing else"),
    };
    let mut families: BTreeMap<String, Read> = BTreeMap::new();
    let mut current = String::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!families.contains_key(name), "{name} comes in one block");
            current = name.to_owned();
            help.clone_into(&mut families.entry(current.clone()).or_default().help);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, current, "TYPE follows its HELP");
            let family = families.get_mut(name).unwrap();
            assert!(family.kind.is_empty() && family.samples.is_empty());
            kind.clone_into(&mut family.kind);
        } else {
            let sample = sample(line);
            let family = families.get_mut(&current).unwrap();
            belongs(&sample, &current, &family.kind, openmetrics);
            family.samples.push(sample);
        }
    }
    for (name, family) in &families {
        check(name, family);
    }
    Exposition(families)
}

fn belongs(sample: &Sample, family: &str, kind: &str, openmetrics: bool) {
    let rest = sample.name.strip_prefix(family).unwrap();
    let allowed: &[&str] = match (kind, openmetrics) {
        ("counter", true) => &["_total"],
        ("counter" | "gauge", _) => &[""],
        ("histogram", _) => &["_bucket", "_sum", "_count"],
        other => panic!("unknown type {other:?}"),
    };
    assert!(allowed.contains(&rest), "{} in {family}", sample.name);
    assert_eq!(sample.labels.contains_key("le"), rest == "_bucket");
}

fn check(name: &str, family: &Read) {
    assert!(
        !family.help.is_empty() && !family.kind.is_empty(),
        "{name} has HELP and TYPE"
    );
    assert!(!family.samples.is_empty(), "{name} has samples");
    let mut seen = BTreeSet::new();
    for sample in &family.samples {
        assert!(
            seen.insert((&sample.name, &sample.labels)),
            "{sample:?} comes once"
        );
        if family.kind != "gauge" {
            assert!(sample.value >= 0.0, "{sample:?}");
        }
    }
    if family.kind == "histogram" {
        histograms(name, &family.samples);
    }
}

/// Buckets ascend and accumulate, end in `+Inf`, and that one is the count.
fn histograms(name: &str, samples: &[Sample]) {
    let mut rest = samples;
    while !rest.is_empty() {
        let buckets = rest
            .iter()
            .take_while(|s| s.name.ends_with("_bucket"))
            .count();
        let (all, after) = rest.split_at(buckets);
        let les: Vec<&str> = all.iter().map(|s| s.labels["le"].as_str()).collect();
        assert_eq!(les.last(), Some(&"+Inf"), "{name}");
        let bounds: Vec<f64> = les.iter().map(|le| le.parse().unwrap()).collect();
        assert!(bounds.is_sorted_by(|a, b| a < b), "{name} {les:?}");
        assert!(all.is_sorted_by(|a, b| a.value <= b.value), "{name}");
        assert_eq!(after[0].name, format!("{name}_sum"));
        assert_eq!(after[1].name, format!("{name}_count"));
        assert_eq!(after[1].value, all.last().unwrap().value);
        rest = &after[2..];
    }
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (key, after) = rest.split_once("=\"").unwrap();
            assert!(is_name(key) && !key.contains(':'), "{line}");
            let (value, after) = quoted(after);
            assert!(labels.insert(key.to_owned(), value).is_none(), "{line}");
            match after.split_at(1) {
                (",", more) => rest = more,
                ("}", more) => {
                    rest = more;
                    break;
                }
                _ => panic!("{line}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap();
    assert!(!value.contains(' '), "no timestamp: {line}");
    Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().unwrap(),
    }
}

fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next().unwrap().1 {
                'n' => value.push('\n'),
                c @ ('\\' | '"') => value.push(c),
                c => panic!("bad escape \\{c}"),
            },
            c => value.push(c),
        }
    }
    panic!("unclosed label value: {text}");
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':'))
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}
