#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{collections::BTreeSet, fs, net::IpAddr, path::Path, rc::Rc, time::Duration};

use lintel_kernel::{Exchange, Phase};
use proptest::prelude::*;
use regex::Regex;
use serde_json::json;

use super::{
    Config, WRONG,
    runtime::{Seen, Table, Terms, network},
};
use crate::{
    Chain, REGISTRY,
    testing::{certificate, chain, exchange, pass_and_answer},
};

const TERMS: Terms = Terms {
    attempts: 3,
    within: 60,
    ban: 10,
    longest: 35,
};

fn banned(seconds: u64) -> Seen {
    Seen::Banned(Duration::from_secs(seconds))
}

fn fail(table: &Table, client: IpAddr, times: usize, now: u32) {
    for _ in 0..times {
        table.fail(client, now);
    }
}

#[test]
fn each_ban_is_twice_as_long_until_all_is_forgotten() {
    let table = Table::new(TERMS);
    let (client, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    fail(&table, client, 2, 100);
    assert_eq!(table.seen(client, 100), Seen::Failures(2));
    fail(&table, client, 1, 159);
    assert_eq!(table.seen(client, 159), banned(10));
    assert_eq!(table.seen(other, 159), Seen::Failures(0));
    fail(&table, client, 5, 160);
    assert_eq!(
        table.seen(client, 168),
        banned(1),
        "more failures change nothing"
    );
    assert_eq!(table.seen(client, 169), Seen::Failures(0));
    fail(&table, client, 3, 170);
    assert_eq!(table.seen(client, 170), banned(20));
    fail(&table, client, 3, 190);
    assert_eq!(table.seen(client, 190), banned(35), "at most");
    fail(&table, client, 3, 225 + 60);
    assert_eq!(table.seen(client, 285), banned(10), "all was forgotten");
}

#[test]
fn old_failures_do_not_count() {
    let table = Table::new(TERMS);
    let client = [192, 0, 2, 1].into();
    fail(&table, client, 2, 100);
    assert_eq!(table.seen(client, 160), Seen::Failures(0));
    fail(&table, client, 2, 160);
    assert_eq!(table.seen(client, 160), Seen::Failures(2));
}

#[test]
fn an_ipv6_client_is_its_network() {
    let of = |text: &str| network(text.parse().unwrap());
    assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
    assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
}

#[test]
fn a_flood_of_addresses_does_not_free_the_banned() {
    let table = Table::new(Terms {
        ban: 1000,
        longest: 1000,
        ..TERMS
    });
    let banned_ones: Vec<IpAddr> = (0..1000_u32)
        .map(|n| IpAddr::from(n.to_be_bytes()))
        .collect();
    for client in &banned_ones {
        fail(&table, *client, 3, 100);
    }
    for n in 0..500_000_u32 {
        table.fail(IpAddr::from((0x0a00_0000 | n).to_be_bytes()), 101);
    }
    let still = banned_ones
        .iter()
        .filter(|client| matches!(table.seen(**client, 102), Seen::Banned(_)));
    assert_eq!(still.count(), 1000);
}

#[test]
fn workers_count_together() {
    let table = Table::new(Terms {
        attempts: 200,
        ..TERMS
    });
    let client = [192, 0, 2, 1].into();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| fail(&table, client, 60, 100));
        }
    });
    let Seen::Failures(failures) = table.seen(client, 100) else {
        panic!("not banned yet");
    };
    assert!((60..=120).contains(&failures), "{failures}");
}

proptest! {
    /// Nobody is banned before the limit, whoever fails beside them; and at the limit everybody is.
    #[test]
    fn bans_are_just(steps in prop::collection::vec((0u8..6, 0u32..5), 0..200)) {
        let table = Table::new(Terms { attempts: 5, within: 1000, ban: 1000, longest: 1000 });
        let (mut now, mut counts) = (1, [0_u32; 6]);
        for (who, step) in steps {
            now += step;
            let client = IpAddr::from([192, 0, 2, who]);
            table.fail(client, now);
            counts[usize::from(who)] += 1;
            let expected = counts[usize::from(who)] >= 5;
            prop_assert_eq!(matches!(table.seen(client, now), Seen::Banned(_)), expected);
        }
    }
}

/// Each test has settings of its own, as equal ones would share a table.
fn guarded(settings: serde_json::Value) -> Chain {
    let key = crate::keys::sha256_hex("good");
    chain(
        json!({"failed_auth": settings, "api_key": {}}),
        json!({"acme": {"api_keys": [{"sha256": key}]}}),
    )
}

async fn status(chain: &Chain, client: &str, key: Option<&str>, later: u64) -> (u16, Exchange) {
    let fields = key.map(|key| ("x-api-key", key));
    let mut exchange = exchange("/", fields.as_slice());
    exchange.client = client.parse().unwrap();
    exchange.received += Duration::from_secs(later);
    let status = pass_and_answer(chain, &mut exchange).await;
    (status, exchange)
}

#[tokio::test]
async fn whose_credentials_keep_failing_is_held_off() {
    let chain =
        guarded(json!({"attempts": 3, "ban": "61s", "exempt": ["198.51.100.0/24", "2001:db8::1"]}));
    for _ in 0..5 {
        let (missing, _) = status(&chain, "192.0.2.1", None, 0).await;
        assert_eq!(missing, 401, "no credentials are no failure");
        assert_eq!(
            status(&chain, "198.51.100.7", Some("bad"), 0).await.0,
            401,
            "exempt"
        );
    }
    for _ in 0..3 {
        assert_eq!(status(&chain, "192.0.2.1", Some("good"), 0).await.0, 200);
        assert_eq!(status(&chain, "192.0.2.1", Some("bad"), 0).await.0, 401);
    }
    let (code, exchange) = status(&chain, "192.0.2.1", Some("good"), 0).await;
    assert_eq!(
        (code, exchange.refused.unwrap().code),
        (429, "too_many_failures")
    );
    assert_eq!(
        status(&chain, "192.0.2.2", Some("good"), 0).await.0,
        200,
        "another"
    );
    assert_eq!(
        status(&chain, "192.0.2.1", Some("good"), 62).await.0,
        200,
        "later"
    );
}

#[tokio::test(start_paused = true)]
async fn failures_slow_down() {
    let chain = guarded(json!({"attempts": 100, "within": "59s", "slow_down": "2s"}));
    let mut took = Vec::new();
    for key in ["good", "bad", "bad", "good"] {
        let begun = tokio::time::Instant::now();
        status(&chain, "192.0.2.1", Some(key), 0).await;
        took.push(begun.elapsed().as_secs());
    }
    assert_eq!(took, [0, 0, 2, 4]);
}

#[test]
fn equal_settings_count_together() {
    let build = |settings: serde_json::Value| {
        let config: Config = serde_json::from_value(settings).unwrap();
        config.build().unwrap().table
    };
    let (one, two) = (
        build(json!({"ban": "17s"})),
        build(json!({"ban": "17s", "slow_down": "1s"})),
    );
    assert!(std::sync::Arc::ptr_eq(&one, &two));
    assert!(!std::sync::Arc::ptr_eq(&one, &build(json!({"ban": "18s"}))));
}

#[test]
fn mistakes_say_what_to_write() {
    for (settings, path) in [
        (json!({"within": "500ms"}), "within"),
        (json!({"ban": "0s"}), "ban"),
        (json!({"ban": "2h"}), "longest_ban"),
        (json!({"exempt": ["10.0.0.0/8", "here"]}), "exempt.1"),
    ] {
        let config: Config = serde_json::from_value(settings.clone()).unwrap();
        let faults = config.build().err().expect("a mistake");
        assert_eq!(faults[0].path.join("."), path, "{settings}");
        assert!(faults[0].hint.is_some());
    }
}

/// Every policy that takes credentials says by its code that one was wrong, and that is counted.
#[tokio::test]
async fn a_wrong_credential_counts_whatever_its_kind() {
    let secret = "a-secret-of-at-least-thirty-two-bytes";
    let provider = "http://127.0.0.1:9";
    for (at, (policy, config, target, field, status)) in [
        (
            "jwt",
            json!({ "secret": secret }),
            "/",
            ("authorization", "Bearer x.y.z"),
            401,
        ),
        ("api_key", json!({}), "/", ("x-api-key", "made-up"), 401),
        (
            "basic_auth",
            json!({}),
            "/",
            ("authorization", "Basic YWRhOm5v"),
            401,
        ),
        (
            "hmac",
            json!({ "format": "aws_sigv4", "aws": { "region": "eu-1", "service": "x" } }),
            "/",
            ("authorization", "AWS4-HMAC-SHA256 Credential=nobody"),
            401,
        ),
        ("mtls", json!({}), "/", CERTIFIED, 401),
        (
            "oidc",
            json!({
                "provider": provider, "client_id": "shop", "cookie_keys": [secret],
                "redirect_uri": "https://shop.example.com/callback", "fetch": { "wait": "1ms" },
                "endpoints": { "authorization": format!("{provider}/authorize") },
            }),
            "/callback?code=a&state=made-up",
            ("x-a", "b"),
            400,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        // Each has a table of its own.
        let ban = format!("{}s", 500 + at);
        let mut policies = json!({ "failed_auth": { "attempts": 1, "ban": ban } });
        policies[policy] = config;
        let chain = chain(policies, json!({}));
        let mut statuses = Vec::new();
        for _ in 0..2 {
            let mut exchange = exchange(target, &[field]);
            if field == CERTIFIED {
                exchange.certificate = Some(Rc::new(certificate(7)));
            }
            statuses.push(pass_and_answer(&chain, &mut exchange).await);
        }
        assert_eq!(statuses, [status, 429], "{policy}");
        let mut nothing = exchange("/", &[]);
        nothing.client = [198, 51, 100, 7].into();
        for _ in 0..2 {
            let status = pass_and_answer(&chain, &mut nothing).await;
            assert_ne!(status, 429, "{policy}: nothing was tried");
        }
    }
}

/// A certificate in place of a field.
const CERTIFIED: (&str, &str) = ("x-certificate", "7");

/// Refusals that say nothing of the credential, or not that it was wrong.
const NOT_WRONG: [&str; 13] = [
    // There was none.
    "no_credentials",
    // It could not be judged.
    "keys_unavailable",
    "introspection_unavailable",
    "verification_busy",
    "provider_unavailable",
    // The request it came with was not whole.
    "content_incomplete",
    "signed_content_late",
    "signed_content_too_large",
    // A login that the provider decided about, or that failed there.
    "login_refused",
    "login_failed",
    "session_too_large",
    // No credential at all: another site, or another method.
    "foreign_logout",
    "method_not_allowed",
];

/// Every refusal of the phase counts, or is declared not to: the sources are searched for them.
#[test]
fn every_refusal_of_a_credential_counts_or_is_declared_not_to() {
    let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut files = vec![sources.join("bearer.rs"), sources.join("gate.rs")];
    let mut policies = REGISTRY.iter();
    while let Some(policy) = policies.find(|entry| entry.phase == Phase::Authenticate) {
        let folder = fs::read_dir(sources.join(policy.name)).unwrap();
        files.extend(folder.map(|file| file.unwrap().path()));
    }
    let code = Regex::new(r#"Rejection::new\(\s*[\w:."]+,\s*[\w:]+,\s*"(\w+)""#).unwrap();
    let mut found = BTreeSet::new();
    for file in files.iter().filter(|file| file.is_file()) {
        let text = fs::read_to_string(file).unwrap();
        let all = text.matches("Rejection::new(").count();
        let written: Vec<String> = code
            .captures_iter(&text)
            .map(|code| code[1].to_owned())
            .collect();
        assert_eq!(
            written.len(),
            all,
            "{}: a code is not written out",
            file.display()
        );
        found.extend(written);
    }
    assert!(found.len() > 10, "{found:?}");
    for code in &found {
        let (wrong, not) = (WRONG.contains(&&**code), NOT_WRONG.contains(&&**code));
        assert!(wrong != not, "`{code}` counts, or is declared not to");
    }
    for code in WRONG.iter().chain(&NOT_WRONG) {
        assert!(found.contains(*code), "`{code}` is no code any more");
    }
}
