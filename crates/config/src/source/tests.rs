#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;

fn read_texts(texts: &[&str], variables: &[(&str, &str)]) -> (Option<Read>, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    for (at, text) in texts.iter().enumerate() {
        sources.add(format!("{at}.yaml").into(), text);
    }
    let find = |name: &str| {
        let hit = variables.iter().find(|(known, _)| *known == name);
        hit.map(|(_, value)| (*value).to_owned())
    };
    let names = || {
        variables
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect()
    };
    let environment = Environment {
        variable: &find,
        names: &names,
    };
    let mut out = Vec::new();
    let read = tree(&sources, &environment, &mut out);
    (read, out)
}

fn text_of(text: &str, variables: &[(&str, &str)]) -> (String, Option<Taint>) {
    let (read, out) = read_texts(&[&format!("a: {text}")], variables);
    assert!(out.is_empty(), "{out:?}");
    let node = read.unwrap().tree.get("a").unwrap().clone();
    (
        node.scalar().unwrap().to_owned(),
        node.taint.map(|taint| *taint),
    )
}

use crate::document::Taint;

#[test]
fn only_two_prefixes_are_replaced_at_load() {
    let env = [("A", "1"), ("EMPTY", ""), ("D", "a$b")];
    for (text, plain) in [
        ("x${env.A}y${env.A}", "x1y1"),
        ("${env.EMPTY:-d}", "d"),
        ("${env.EMPTY}", ""),
        ("${env.NONE:-a b}", "a b"),
        ("${client.ip}", "${client.ip}"),
        ("$${env.A}", "$${env.A}"),
        ("$$${env.A}", "$$1"),
        ("$5", "$5"),
    ] {
        assert_eq!(text_of(&format!("'{text}'"), &env).0, plain, "{text}");
    }
    assert!(text_of("${client.ip}", &env).1.is_none());
    let (plain, taint) = text_of("'${env.D} ${client.ip}'", &env);
    assert_eq!(plain, "a$b ${client.ip}");
    let taint = taint.unwrap();
    assert_eq!(taint.escaped, "a$$b ${client.ip}");
    assert_eq!(taint.origin, "${env.D}");
}

#[test]
fn a_value_is_not_looked_into_again() {
    let (plain, _) = text_of("${env.A}", &[("A", "${env.B}"), ("B", "never")]);
    assert_eq!(plain, "${env.B}");
}

#[test]
fn files_are_merged_by_name() {
    let (read, out) = read_texts(
        &[
            "version: 1\nroutes: { a: 1 }\ntests: [1]",
            "",
            "version: 1\nroutes: { b: 2 }\nservices: { c: 3 }\ntests: [2]",
        ],
        &[],
    );
    assert!(out.is_empty(), "{out:?}");
    let tree = read.unwrap().tree;
    assert_eq!(
        format!("{tree:?}"),
        r#"{"version": 1, "routes": {"a": 1, "b": 2}, "tests": [1, 2], "services": {"c": 3}}"#
    );
}

#[test]
fn what_two_files_define_is_a_mistake_in_both() {
    let (_, out) = read_texts(
        &[
            "version: 1\nroutes: { a: 1 }\nlog: {}",
            "version: 2\nroutes: { a: 1 }\nlog: {}",
        ],
        &[],
    );
    let codes: Vec<&str> = out.iter().map(|d| d.code).collect();
    assert_eq!(codes, ["defined-twice"; 3]);
    for diagnostic in out {
        assert_eq!(diagnostic.primary.unwrap().span.source, 1);
        assert_eq!(diagnostic.secondary[0].span.source, 0);
    }
}

#[test]
fn a_folder_is_its_yaml_files_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.yaml", "a.yml", ".hidden.yaml", "c.txt"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    std::fs::create_dir(folder.path().join("d.yaml")).unwrap();
    let (mut sources, mut out) = (Sources::default(), Vec::new());
    collect(folder.path(), &mut sources, &mut out);
    let names: Vec<String> = sources
        .iter()
        .map(|source| {
            source
                .path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(names, ["a.yml", "b.yaml"]);
    assert!(out.is_empty());
}

#[test]
fn files_give_their_content_without_the_last_newline() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "s3cret\r\n").unwrap();
    let config = folder.path().join("gateway.yaml");
    std::fs::write(&config, "a: ${file.token}\nb: ${file.none}").unwrap();
    let (mut sources, mut out) = (Sources::default(), Vec::new());
    collect(&config, &mut sources, &mut out);
    let environment = Environment {
        variable: &|_| None,
        names: &Vec::new,
    };
    let read = tree(&sources, &environment, &mut out).unwrap();
    assert_eq!(read.tree.get("a").unwrap().scalar(), Some("s3cret"));
    assert_eq!(read.included.len(), 2);
    assert_eq!(out.len(), 1);
    assert!(out[0].message.contains("none"));
}
