//! Commands that need no running gateway.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{Gateway, lintel, with_routes};

const GATEWAY: &str = "\
version: 1
listeners: { public: { bind: 127.0.0.1:0 } }
services: { orders: { endpoints: [http://127.0.0.1:1] } }
routes: { orders: { match: { path: \"/orders/*\" }, to: orders } }
tests:
";

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = lintel(arguments);
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// A folder with `gateway.yaml` in it, and the file's path.
fn written(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    (folder, file)
}

#[test]
fn test_tells_what_holds_and_what_does_not() {
    let holds = "  - { request: { url: /orders/7 }, expect: { route: orders, status: 200 } }\n";
    let fails = "  - { name: elsewhere, request: { url: /else }, expect: { route: orders } }\n";

    let (_folder, file) = written(&format!("{GATEWAY}{holds}"));
    let (code, out, err) = run(&["test", &file]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out, "ok     GET /orders/7\n\n1 passed, 0 failed\n");

    let (_folder, file) = written(&format!("{GATEWAY}{holds}{fails}"));
    let (code, out, _) = run(&["test", &file]);
    assert_eq!(code, Some(1));
    let place = format!(
        "FAILED elsewhere\n       at {file}:7\n       route: expected `orders`, got none\n"
    );
    assert!(out.contains(&place), "{out}");
    assert!(out.ends_with("1 passed, 1 failed\n"), "{out}");

    let (code, out, _) = run(&["test", "--json", &file]);
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &shown["passed"], &shown["failed"]),
        (Some(1), &1.into(), &1.into())
    );
    assert_eq!(shown["tests"][1]["mismatches"][0]["what"], "route");
}

#[test]
fn test_of_a_wrong_configuration_is_no_failed_test() {
    let (_folder, file) = written("version: 1\n");
    let (code, out, err) = run(&["test", &file]);
    assert_eq!((code, &*out), (Some(2), ""));
    assert!(err.contains("listeners"), "{err}");
    let (code, out, _) = run(&["test", "--json", &file]);
    assert_eq!(code, Some(2));
    assert!(out.contains("\"invalid\""), "{out}");
}

#[test]
fn the_examples_do_what_their_tests_say() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut tried = 0;
    for entry in fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        let is_folder = path.is_dir() && !path.ends_with("protos");
        if !is_folder && path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let (code, out, err) = run(&["test", "--json", &path.display().to_string()]);
        assert_eq!(code, Some(0), "{}: {out}{err}", path.display());
        let shown: Value = serde_json::from_str(&out).unwrap();
        assert!(
            shown["passed"].as_u64().unwrap() > 0,
            "{} has no tests",
            path.display()
        );
        tried += 1;
    }
    assert!(tried >= 5, "only {tried} examples");
}

#[test]
fn keys_are_made_and_hashed() {
    let (code, out, err) = run(&["keys", "new", "--consumer", "acme", "--id", "a-1"]);
    assert_eq!(code, Some(0), "{err}");
    let key = out.trim_end();
    assert!(key.starts_with("lk_") && !err.contains(key), "{out}{err}");
    let (_, section) = err.split_once("consumers:").expect("what to write");
    let (_folder, file) = written(&format!(
        "version: 1\nlisteners: {{ public: {{ bind: 127.0.0.1:0 }} }}\nconsumers:{section}\
         routes: {{ all: {{ match: {{ path: /* }}, policies: {{ api_key: {{}} }}, to: {{ respond: {{ status: 204 }} }} }} }}\n\
         tests:\n  - {{ request: {{ url: /, headers: {{ X-Api-Key: {key} }} }}, expect: {{ status: 204 }} }}\n\
         \u{20} - {{ request: {{ url: /, headers: {{ X-Api-Key: {key}x }} }}, expect: {{ status: 401 }} }}\n"
    ));
    let (code, out, err) = run(&["test", &file]);
    assert_eq!(code, Some(0), "{out}{err}");

    let (code, out, _) = run(&["keys", "new", "--json"]);
    let made: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(made["sha256"].as_str().unwrap().len(), 64);
    let (code, _, err) = run(&["keys", "new", "--prefix", "a b"]);
    assert_eq!(code, Some(2), "{err}");
}

#[test]
fn the_readme_does_what_it_says() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let blocks: Vec<&str> = readme
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```").map(|(block, _)| block))
        .collect();
    let (_folder, file) = written(&blocks.join("\n"));
    let (code, out, err) = run(&["test", &file]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(!out.starts_with("no tests"), "{out}");
}

#[test]
fn diff_shows_what_changes_and_no_secret() {
    let (_before_folder, before) = written(&format!(
        "{GATEWAY}  - {{ request: {{ url: /orders/7 }}, expect: {{ route: orders }} }}\n\
         admin: {{ bind: 127.0.0.1:0, token: s3cr3t-one }}\n"
    ));
    let changed = fs::read_to_string(&before)
        .unwrap()
        .replace("s3cr3t-one", "s3cr3t-two")
        .replace("127.0.0.1:1]", "127.0.0.1:2], balance: least_request")
        .replace(
            "routes: { orders:",
            "routes: { new: { match: { path: /new }, to: orders }, orders:",
        );
    let (_after_folder, after) = written(&changed);

    let (code, out, _) = run(&["diff", &before, &before]);
    assert_eq!((code, &*out), (Some(0), "no difference\n"));

    let (code, out, err) = run(&["diff", &before, &after]);
    assert_eq!(code, Some(1), "{err}");
    assert_eq!(
        out,
        "~ service `orders`\n    \
         endpoints: [\"http://127.0.0.1:1\"] → [\"http://127.0.0.1:2\"]\n    \
         + balance: least_request\n\
         + route `new`\n\
         ~ `admin`\n    token: a hidden value changes\n\n\
         1 added, 0 removed, 2 changed\n"
    );

    let (code, out, _) = run(&["diff", "--json", &before, &after]);
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &shown["same"]), (Some(1), &false.into()));
    assert_eq!(shown["changes"][1]["kind"], "added");
    assert!(!out.contains("s3cr3t"), "{out}");

    let (_folder, wrong) = written("version: 2\n");
    let (code, out, err) = run(&["diff", &before, &wrong]);
    assert_eq!((code, &*out), (Some(2), ""));
    assert!(err.contains("version"), "{err}");
    assert_eq!(run(&["diff", &before]).0, Some(2));
}

#[test]
fn diff_with_a_running_gateway_tells_what_a_reload_would_change() {
    let yaml = with_routes(
        "services: { a: { endpoints: [http://127.0.0.1:1] } }\n\
         routes: { a: { match: { path: /a }, policies: { headers: { request: { set: { X: \"${env.SECRET}\" } } } }, to: a } }",
    );
    let gateway = Gateway::start_with(&yaml, &[("SECRET", "s3cr3t-one")]);
    let admin = gateway.admin().to_string();
    let (_folder, file) = written(&yaml);
    let diff = |file: &str, secret: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_lintel"))
            .args(["diff", file, "--running", "--admin", &admin])
            .env("SECRET", secret)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text)
    };
    assert_eq!(
        diff(&file, "s3cr3t-one"),
        (Some(0), "no difference\n".to_owned())
    );
    let (code, out) = diff(&file, "s3cr3t-two");
    assert_eq!(code, Some(1));
    assert!(out.contains("not shown"), "{out}");
    let (_folder, file) = written(&yaml.replace("path: /a", "path: /b"));
    let (code, out) = diff(&file, "s3cr3t-one");
    assert_eq!(code, Some(1));
    assert!(
        out.starts_with("~ route `a`\n    match.path: /a → /b\n"),
        "{out}"
    );
}
