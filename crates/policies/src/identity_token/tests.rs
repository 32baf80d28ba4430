#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{rc::Rc, sync::Arc, time::Duration};

use lintel_jose::{Algorithm, Keys, Signer, Token};
use lintel_kernel::{Consumer, Exchange, Identity};
use lintel_telemetry::Catalogue;
use lintel_upstream::Control;
use serde_json::{Value, json};

use super::{
    config::{Config, OWN},
    identity_keys,
    keys::{Keyring, Source},
    mint::{Mint, Settings},
};
use crate::{
    Context,
    testing::{chain, exchange, pass},
};

const ONE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
const TWO: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9h\n-----END PRIVATE KEY-----\n";
/// 2026-01-01.
const NOW: u64 = 1_767_225_600;

fn config(value: Value) -> Config {
    serde_json::from_value(value).unwrap()
}

fn context() -> Context {
    Context {
        targets: Some([Arc::from("orders"), "spare".into()].into()),
        ..Context::default()
    }
}

fn mint(value: Value) -> Arc<Mint> {
    config(value).build(&context()).unwrap().mint.unwrap()
}

fn identity(claims: Value) -> Rc<Identity> {
    Rc::new(Identity {
        method: "jwt",
        claims: claims.as_object().unwrap().clone(),
        credential: Some("key-7".into()),
        ..Identity::default()
    })
}

fn ring(source: Source) -> Arc<Keyring> {
    Keyring::of(source).unwrap()
}

fn given(pems: &[&str]) -> Source {
    let mut all: Vec<Signer> = pems
        .iter()
        .map(|pem| Signer::from_pem(pem.as_bytes()).unwrap())
        .collect();
    let first = all.remove(0);
    Source::Given(first, all)
}

fn id(pem: &str) -> String {
    Signer::from_pem(pem.as_bytes()).unwrap().id().to_owned()
}

fn published() -> Vec<String> {
    let keys = identity_keys()["keys"].clone();
    let keys = keys.as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

/// What a token says, if a key that is published has signed it.
fn read(token: &str) -> Value {
    let keys = Keys::from_jwks(identity_keys().to_string().as_bytes(), &[Algorithm::EdDsa])
        .unwrap()
        .0;
    let token = Token::parse(token).unwrap();
    keys.verify(&token).unwrap();
    Value::Object(token.claims().unwrap().into_map())
}

fn settings(keys: Arc<Keyring>, lifetime: u64) -> Settings {
    Settings {
        issuer: "gateway".into(),
        audience: vec!["orders".into()],
        lifetime,
        claims: Vec::new(),
        scheme: "",
        keys,
    }
}

#[test]
fn a_token_says_who_is_calling() {
    let mint = mint(json!({"issuer": "gateway", "claims": ["tenant", "none"], "keys": [ONE]}));
    let whose = Rc::new(Identity {
        consumer: Some(Arc::new(Consumer {
            name: "acme".into(),
            plan: Some("gold".into()),
            groups: Vec::new(),
        })),
        scopes: vec!["orders:read".into(), "orders:write".into()],
        ..Identity::clone(&identity(json!({
            "sub": "ada", "iss": "https://auth.example.com/", "aud": "api", "tenant": {"id": 7}, "email": "a@b"
        })))
    });
    let field = mint.field(&whose, NOW).unwrap();
    assert!(field.is_sensitive());
    let token = field.to_str().unwrap();
    assert_eq!(
        read(token),
        json!({
            "iss": "gateway", "sub": "ada", "aud": ["orders", "spare"], "iat": NOW, "exp": NOW + 60,
            "auth": "jwt", "auth_iss": "https://auth.example.com/", "consumer": "acme", "plan": "gold",
            "scope": "orders:read orders:write", "tenant": {"id": 7}
        })
    );
    let token = Token::parse(token).unwrap();
    assert_eq!(token.key_id(), Some(&*id(ONE)));
    assert_eq!(token.kind(), Some("JWT"));
}

#[test]
fn who_has_no_token_is_called_by_what_else_is_known() {
    let mint = mint(json!({"issuer": "gateway", "audience": ["all"], "keys": [ONE]}));
    let said = |whose: Identity| {
        let field = mint.field(&Rc::new(whose), NOW)?;
        let claims = read(field.to_str().unwrap());
        assert_eq!(claims["aud"], "all");
        Some(claims["sub"].clone())
    };
    let consumer = Some(Arc::new(Consumer {
        name: "acme".into(),
        plan: None,
        groups: Vec::new(),
    }));
    let credential = Some("ada".into());
    let claims = |value: Value| value.as_object().unwrap().clone();
    for (whose, sub) in [
        (
            Identity {
                consumer: consumer.clone(),
                credential: credential.clone(),
                ..Identity::default()
            },
            Some(json!("acme")),
        ),
        (
            Identity {
                credential: credential.clone(),
                ..Identity::default()
            },
            Some(json!("ada")),
        ),
        (
            Identity {
                credential: credential.clone(),
                claims: claims(json!({"subject": "CN=b", "fingerprint": "ab"})),
                ..Identity::default()
            },
            Some(json!("CN=b")),
        ),
        // The credential of a token is the name of a key.
        (
            Identity {
                credential,
                claims: claims(json!({"iss": "x"})),
                ..Identity::default()
            },
            Some(Value::Null),
        ),
        (
            Identity {
                method: "anonymous",
                ..Identity::default()
            },
            None,
        ),
    ] {
        assert_eq!(said(whose), sub);
    }
}

#[test]
fn a_token_is_used_until_it_is_about_to_end() {
    let mint = Mint::shared(settings(ring(given(&[ONE])), 61));
    let (ada, grace) = (
        identity(json!({"sub": "ada"})),
        identity(json!({"sub": "grace"})),
    );
    let first = mint.field(&ada, NOW).unwrap();
    assert_ne!(first, mint.field(&grace, NOW).unwrap());
    assert_eq!(first, mint.field(&ada, NOW + 39).unwrap());
    let second = mint.field(&ada, NOW + 41).unwrap();
    assert_ne!(first, second);
    assert_eq!(second, mint.field(&ada, NOW + 42).unwrap());
}

#[test]
fn the_place_of_an_identity_that_is_gone_is_nobody_elses() {
    let mint = Mint::shared(settings(ring(given(&[ONE])), 62));
    for number in 0..200 {
        let sub = format!("user-{number}");
        let whose = identity(json!({"sub": sub}));
        let field = mint.field(&whose, NOW).unwrap();
        assert_eq!(read(field.to_str().unwrap())["sub"], sub);
    }
}

#[test]
fn no_token_outlives_the_callers_own() {
    let mint = Mint::shared(settings(ring(given(&[ONE])), 63));
    for (end, until) in [
        (json!(NOW + 3600), NOW + 63),
        (json!(NOW + 20), NOW + 20),
        (json!(1.0e300), NOW + 63),
        // It has just ended, and was accepted for the leeway.
        (json!(NOW - 1), NOW + 5),
        (json!(-1), NOW + 5),
    ] {
        let whose = identity(json!({"sub": "ada", "exp": end}));
        let field = mint.field(&whose, NOW).unwrap();
        assert_eq!(read(field.to_str().unwrap())["exp"], until, "{end}");
    }
}

#[test]
fn equal_settings_share_keys_and_tokens() {
    let config = || json!({"issuer": "shared", "keys": [ONE, TWO]});
    let (one, two) = (mint(config()), mint(config()));
    assert!(Arc::ptr_eq(&one, &two));
    let other = mint(json!({"issuer": "other", "keys": [ONE, TWO]}));
    assert!(!Arc::ptr_eq(&one, &other));
    assert!(Arc::ptr_eq(&one.settings().keys, &other.settings().keys));
    let turned = mint(json!({"issuer": "shared", "keys": [TWO, ONE]}));
    assert!(!Arc::ptr_eq(&one, &turned), "another key signs");
    assert!([ONE, TWO].iter().all(|pem| published().contains(&id(pem))));
}

#[test]
fn what_was_signed_can_be_verified_for_as_long_as_it_is_valid() {
    let pem = ONE.replace("rn9g", "rn9i");
    let keys = ring(given(&[&pem]));
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let mint = Mint::shared(settings(keys, 64));
    let field = mint.field(&identity(json!({"sub": "ada"})), now).unwrap();
    drop(mint);
    assert_eq!(
        read(field.to_str().unwrap())["sub"],
        "ada",
        "the key is still published"
    );

    let ended = ring(given(&[&ONE.replace("rn9g", "rn9j")]));
    let kid = ended.current().signer.id().to_owned();
    ended.current().used_until(now - 61);
    assert!(published().contains(&kid));
    drop(ended);
    assert!(!published().contains(&kid), "its last token has ended");

    let unused = ring(given(&[&ONE.replace("rn9g", "rn9k")]));
    let kid = unused.current().signer.id().to_owned();
    drop(unused);
    assert!(!published().contains(&kid), "it has signed nothing");
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_made_here_are_replaced_and_published_ahead() {
    let keys = ring(Source::Made {
        rotate: Duration::from_secs(977),
    });
    let control = Control {
        runtime: tokio::runtime::Handle::current(),
        catalogue: Catalogue::new(),
        readers: lintel_upstream::discovery::Readers {
            endpoints: |_, _| Err("nothing is read here".to_owned()),
            yaml: |_, _| Err("nothing is read here".to_owned()),
        },
    };
    keys.start(&control);
    keys.start(&control);
    let signing = || keys.current().signer.id().to_owned();
    let mut seen = vec![signing()];
    let far = u64::MAX / 2;
    for _ in 0..3 {
        keys.current().used_until(far);
        let before = published();
        tokio::time::sleep(Duration::from_secs(978)).await;
        let now = signing();
        assert!(
            !seen.contains(&now) && before.contains(&now),
            "it was published before it signs"
        );
        assert!(
            seen.iter().all(|last| published().contains(last)),
            "those before it are still published"
        );
        seen.push(now);
    }
}

#[tokio::test]
async fn only_the_gateway_says_who_is_calling() {
    let chain = chain(
        json!({"api_key": {}, "anonymous": {}, "identity_token": {"issuer": "g", "audience": ["a"], "keys": [ONE]}}),
        json!({"acme": {"api_keys": [{"sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"}]}}),
    );
    let sent = async |fields: &[(&str, &str)]| {
        let mut exchange: Exchange = exchange("/", fields);
        pass(&chain, &mut exchange).await.0.unwrap();
        exchange.request.headers
    };
    let forged = [
        ("x-identity-token", "a.b.c"),
        ("X_Identity_Token", "a.b.c"),
        ("x-identity_token", "a.b.c"),
    ];
    assert!(sent(&forged).await.is_empty(), "nobody is known");
    let with_key = [forged.as_slice(), &[("x-api-key", "foo")]].concat();
    let seen = sent(&with_key).await;
    assert_eq!(seen.len(), 1);
    assert_eq!(
        read(seen["x-identity-token"].to_str().unwrap())["sub"],
        "acme"
    );
}

#[test]
fn mistakes_say_what_to_write_and_show_no_key() {
    let faults = |value: Value, context: &Context| -> Vec<(String, String)> {
        let built = config(value).build(context);
        let faults = built.err().expect("a mistake").into_iter();
        faults
            .map(|fault| {
                assert!(fault.hint.is_some());
                (fault.path.join("."), fault.message)
            })
            .collect()
    };
    for (value, path, words) in [
        (json!({"issuer": " "}), "issuer", "nobody"),
        (
            json!({"issuer": "g", "header": "a b"}),
            "header",
            "not a header name",
        ),
        (json!({"issuer": "g", "lifetime": "9s"}), "lifetime", "9s"),
        (json!({"issuer": "g", "lifetime": "2h"}), "lifetime", "2h"),
        (json!({"issuer": "g", "rotate": "9m"}), "rotate", "9m"),
        (
            json!({"issuer": "g", "rotate": "10m", "lifetime": "11m"}),
            "rotate",
            "10m",
        ),
        (
            json!({"issuer": "g", "rotate": "1h", "keys": [ONE]}),
            "rotate",
            "not rotated",
        ),
        (
            json!({"issuer": "g", "keys": [ONE, ONE]}),
            "keys.1",
            "twice",
        ),
        (
            json!({"issuer": "g", "keys": ["hunter2"]}),
            "keys.0",
            "PRIVATE KEY",
        ),
        (
            json!({"issuer": "g", "claims": ["tenant", "sub"]}),
            "claims.1",
            "`sub`",
        ),
    ] {
        let found = faults(value, &context());
        let [(at, message)] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(at == path && message.contains(words), "{at}: {message}");
        assert!(!message.contains("hunter2"));
    }
    let several = Context {
        dry: true,
        replicas: Arc::new(lintel_state::store::Replicas::fixed(3)),
        ..context()
    };
    let (_, message) = faults(json!({"issuer": "g"}), &several).remove(0);
    assert!(message.contains("3 replicas"), "{message}");
    assert!(
        config(json!({"issuer": "g", "keys": [ONE]}))
            .build(&several)
            .is_ok()
    );
    assert_eq!(
        OWN.len(),
        OWN.iter().collect::<std::collections::BTreeSet<_>>().len()
    );
}
