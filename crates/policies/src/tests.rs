//! What holds for every policy.

#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn every_policy_has_a_complete_page() {
    for entry in REGISTRY {
        let page = entry.readme;
        assert!(
            page.starts_with(&format!("# {}\n", entry.name)),
            "{}: title",
            entry.name
        );
        for section in ["## Example", "## On failure", "## Cost"] {
            assert!(page.contains(section), "{}: {section}", entry.name);
        }
        for block in ["```yaml\n", "```http request\n", "```http response\n"] {
            assert!(page.contains(block), "{}: no {block}", entry.name);
        }
        assert!(
            entry.summary.trim().ends_with('.'),
            "{}: summary is a sentence",
            entry.name
        );
    }
}

#[test]
fn a_route_replaces_or_drops_a_default() {
    let read = |json: &str| -> RoutePolicies { serde_json::from_str(json).unwrap() };
    let defaults = read(
        r#"{"headers": {"request": {"set": {"X-A": "1"}}}, "rewrite": {"add_prefix": "/v1"}}"#,
    );
    let route = read(r#"{"headers": {"request": {"set": {"X-B": "2"}}}, "rewrite": "off"}"#);
    let merged = route.merged(&defaults);
    assert_eq!(merged.names(), ["headers"]);
    let Some(Setting::On(headers)) = merged.headers else {
        unreachable!("headers are on")
    };
    assert_eq!(headers.request.set.keys().collect::<Vec<_>>(), ["X-B"]);
}

#[test]
fn mistakes_carry_their_path() {
    let read = |json: &str| -> RoutePolicies { serde_json::from_str(json).unwrap() };
    let faults = |json: &str| -> Vec<(String, String)> {
        let built = Chain::build(&read(json), &Context::default());
        built
            .err()
            .unwrap()
            .into_iter()
            .map(|fault| (fault.path.join("."), fault.message))
            .collect()
    };
    let found = faults(
        r#"{
            "headers": {
                "request": {"set": {"Content-Length": "1", "X-S": "${response.status}"}, "remove": ["bad name"]},
                "response": {"add": {"X-A": "${client.pi}"}}
            },
            "rewrite": {"strip_prefix": "api", "path": "/x"}
        }"#,
    );
    let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "rewrite.path",
            "rewrite.strip_prefix",
            "headers.request.remove.0",
            "headers.request.set.Content-Length",
            "headers.request.set.X-S",
            "headers.response.add.X-A"
        ]
    );
}

#[test]
fn chains_run_in_registry_order_whatever_is_written_first() {
    let policies: RoutePolicies =
        serde_json::from_str(r#"{"headers": {}, "rewrite": {"add_prefix": "/v1"}}"#).unwrap();
    let chain = Chain::build(&policies, &Context::default()).unwrap();
    assert_eq!(chain.names().collect::<Vec<_>>(), ["rewrite", "headers"]);
}

#[test]
fn what_needs_a_caller_needs_a_policy_that_finds_one() {
    let read = |json: &str| -> RoutePolicies { serde_json::from_str(json).unwrap() };
    let alone = read(r#"{"authorize": {"scopes": ["a"]}}"#);
    let faults = Chain::build(&alone, &Context::default()).err().unwrap();
    assert!(faults.iter().any(|fault| fault.path == ["authorize"]
        && fault.hint.as_ref().is_some_and(|hint| hint.contains("jwt"))));
    for fine in [
        r#"{"authorize": {"scopes": ["a"]}, "anonymous": {}}"#,
        r#"{"authorize": {"condition": "client.ip == \"192.0.2.1\""}}"#,
    ] {
        assert!(
            Chain::build(&read(fine), &Context::default()).is_ok(),
            "{fine}"
        );
    }
}
