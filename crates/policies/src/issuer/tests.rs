//! Issuers that tests script, over loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{
    sync::Mutex as StdMutex,
    time::{Duration, SystemTime},
};

use lintel_jose::{Algorithm, Signer};
use lintel_telemetry::Catalogue;
use lintel_testkit::{Answer, Origin, until};
use lintel_upstream::discovery::Readers;
use serde_json::{Value, json};

use super::*;

/// A runtime of the control side, and what it counts.
struct Side {
    runtime: tokio::runtime::Runtime,
    control: Control,
}

fn side() -> Side {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let readers = Readers {
        endpoints: |_, _| Err("nothing is read here".to_owned()),
        yaml: |_, _| Err("nothing is read here".to_owned()),
    };
    let control = Control {
        runtime: runtime.handle().clone(),
        catalogue: Catalogue::new(),
        readers,
    };
    Side { runtime, control }
}

impl Side {
    fn page(&self) -> String {
        let mut page = Vec::new();
        self.control.catalogue.render(&mut page, false);
        String::from_utf8(page).unwrap()
    }
}

/// What the issuer publishes now.
#[derive(Clone)]
struct Shown(Arc<StdMutex<(u16, String, &'static str)>>);

impl Shown {
    fn of(body: impl ToString) -> Self {
        Self(Arc::new(StdMutex::new((
            200,
            body.to_string(),
            "max-age=3600",
        ))))
    }

    fn set(&self, status: u16, body: impl ToString) {
        let mut shown = self.0.lock().unwrap();
        (shown.0, shown.1) = (status, body.to_string());
    }

    fn origin(&self) -> Origin {
        let shown = self.clone();
        Origin::start(move |_| {
            let (status, body, control) = &*shown.0.lock().unwrap();
            Answer::new(*status, &[("Cache-Control", control)], body)
        })
    }
}

fn set(signers: &[&Signer]) -> Value {
    json!({ "keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>() })
}

fn terms(cooldown: Duration) -> Terms {
    Terms {
        ca: None,
        plaintext: false,
        timeout: Duration::from_secs(20),
        min_age: Duration::from_secs(60),
        max_age: Duration::from_secs(3600),
        cooldown,
        max_stale: None,
    }
}

fn issuer(from: From, terms: Terms) -> Arc<Issuer> {
    Issuer::of(Source {
        from,
        algorithms: vec![Algorithm::EdDsa],
        terms,
    })
}

fn jwks(origin: &Origin) -> From {
    From::Jwks(Url::parse(&format!("{}/jwks", origin.url()), false).unwrap())
}

fn until_keys(issuer: &Issuer, ids: &[&str]) {
    until(&format!("the keys are {ids:?}"), || {
        let keys = issuer.published().keys();
        let own: Vec<&str> = keys.as_ref()?.iter().filter_map(|key| key.id()).collect();
        (own == ids).then_some(())
    });
}

#[test]
fn keys_are_fetched_once_for_all_who_use_them() {
    let (side, signer) = (side(), Signer::generate().unwrap());
    let shown = Shown::of(set(&[&signer]));
    let origin = shown.origin();
    let hour = Duration::from_secs(3600);
    let one = issuer(jwks(&origin), terms(hour));
    assert_eq!(one.published().version(), 0);
    assert!(
        !one.published().ask(),
        "nothing is on its way before the start"
    );
    let two = issuer(jwks(&origin), terms(hour));
    assert!(Arc::ptr_eq(&one, &two));
    one.start(&side.control);
    two.start(&side.control);
    until_keys(&one, &[signer.id()]);
    until("the refresh is over", || {
        (!one.published().ask()).then_some(())
    });
    assert_eq!(one.published().version(), 1);
    assert_eq!(origin.seen().len(), 1);
    let status = one.status();
    let next = status.next.unwrap().duration_since(SystemTime::now());
    assert!(next.unwrap() > Duration::from_secs(2000), "{status:?}");
    assert_eq!(status.keys, [(Some(signer.id().to_owned()), vec!["EdDSA"])]);
    let page = side.page();
    assert!(page.contains("result=\"changed\"} 1"), "{page}");
}

/// An issuer whose key is in use, and another that it does not show yet.
fn in_use(cooldown: Duration) -> (Side, [Signer; 2], Shown, Origin, Arc<Issuer>) {
    let (side, signers) = (side(), [(), ()].map(|()| Signer::generate().unwrap()));
    let shown = Shown::of(set(&[&signers[0]]));
    let origin = shown.origin();
    let issuer = issuer(jwks(&origin), terms(cooldown));
    issuer.start(&side.control);
    until_keys(&issuer, &[signers[0].id()]);
    (side, signers, shown, origin, issuer)
}

#[test]
fn tokens_cause_one_refresh_in_each_cooldown() {
    let (side, [old, new], shown, origin, issuer) = in_use(Duration::from_millis(1));
    shown.set(200, set(&[&old, &new]));
    until("a token may ask", || issuer.published().ask().then_some(()));
    side.runtime.block_on(issuer.published().settled());
    until_keys(&issuer, &[old.id(), new.id()]);
    assert_eq!(issuer.published().version(), 2);
    // The same keys in another order are the same keys.
    shown.set(200, set(&[&new, &old]));
    let seen = origin.seen().len();
    until("a token may ask", || issuer.published().ask().then_some(()));
    origin.until_seen(seen + 1);
    side.runtime.block_on(issuer.published().settled());
    assert_eq!(issuer.published().version(), 2);
}

#[test]
fn an_operator_need_not_wait_for_the_cooldown() {
    let (side, [_, new], shown, origin, issuer) = in_use(Duration::from_secs(3600));
    until("the refresh is over", || {
        (!issuer.published().ask()).then_some(())
    });
    shown.set(200, set(&[&new]));
    side.runtime.block_on(issuer.refresh());
    until_keys(&issuer, &[new.id()]);
    assert_eq!(origin.seen().len(), 2);
}

#[test]
fn a_storm_of_made_up_keys_is_one_fetch() {
    let (side, signer) = (side(), Signer::generate().unwrap());
    let origin = Shown::of(set(&[&signer])).origin();
    let issuer = issuer(jwks(&origin), terms(Duration::from_secs(3600)));
    issuer.start(&side.control);
    until_keys(&issuer, &[signer.id()]);
    until("the refresh is over", || {
        (!issuer.published().ask()).then_some(())
    });
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!((0..1000).all(|_| !issuer.published().ask())));
        }
    });
    assert_eq!(origin.seen().len(), 1);
    assert!(issuer.published().keys().is_some());
}

#[test]
fn whatever_an_issuer_says_the_last_good_keys_stay() {
    let (side, signer) = (side(), Signer::generate().unwrap());
    let good = set(&[&signer]);
    let shown = Shown::of(&good);
    let origin = shown.origin();
    let issuer = issuer(jwks(&origin), terms(Duration::from_millis(1)));
    issuer.start(&side.control);
    until_keys(&issuer, &[signer.id()]);
    for (status, body, words) in [
        (500, "no".to_owned(), "status 500"),
        (302, String::new(), "redirections"),
        (200, "<html>".to_owned(), "no JSON"),
        (200, "{}".to_owned(), "no list `keys`"),
        (200, json!({"keys": []}).to_string(), "it is empty"),
        (
            200,
            json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "x"}]}).to_string(),
            "secret",
        ),
        (
            200,
            format!("{{\"a\":\"{}\"}}", "x".repeat(2 << 20)),
            "more than",
        ),
    ] {
        shown.set(status, body);
        let asked = origin.seen().len();
        until("the refresh fails", || {
            issuer.published().ask();
            let failing = issuer.status().failing?.0;
            (origin.seen().len() > asked && failing.contains(words)).then_some(())
        });
        assert!(issuer.published().keys().is_some(), "{words}");
        assert_eq!(issuer.published().version(), 1);
    }
    shown.set(200, good);
    until("it answers again", || {
        issuer.published().ask();
        issuer.status().failing.is_none().then_some(())
    });
    assert_eq!(issuer.published().version(), 1);
}

#[test]
fn keys_that_are_too_old_are_given_up_and_come_back() {
    let (side, signer) = (side(), Signer::generate().unwrap());
    let good = set(&[&signer]);
    let shown = Shown::of(&good);
    let origin = shown.origin();
    let terms = Terms {
        max_stale: Some(Duration::from_millis(300)),
        ..terms(Duration::from_millis(1))
    };
    let issuer = issuer(jwks(&origin), terms);
    issuer.start(&side.control);
    until_keys(&issuer, &[signer.id()]);
    shown.set(503, "");
    until("they are given up", || {
        issuer.status().withdrawn.then_some(())
    });
    assert_eq!(issuer.published().version(), 0);
    assert!(issuer.published().keys().is_none());
    shown.set(200, good);
    until_keys(&issuer, &[signer.id()]);
    assert_eq!(
        issuer.published().version(),
        2,
        "never a number that was used before"
    );
}

#[test]
fn discovery_believes_metadata_of_the_issuer_alone() {
    let (side, signer) = (side(), Signer::generate().unwrap());
    let claimed = Arc::new(StdMutex::new(String::new()));
    let (keys, named) = (set(&[&signer]), Arc::clone(&claimed));
    let origin = Origin::start(move |seen| {
        let host = seen.header("host").unwrap();
        match seen.target.as_str() {
            "/.well-known/oauth-authorization-server/a" => {
                let issuer = named.lock().unwrap().clone();
                let uri = format!("http://{host}/keys");
                Answer::ok(json!({ "issuer": issuer, "jwks_uri": uri }).to_string())
            }
            "/keys" => Answer::ok(keys.to_string()),
            _ => Answer::new(404, &[], ""),
        }
    });
    let name = format!("{}/a", origin.url());
    *claimed.lock().unwrap() = "https://evil.example".to_owned();
    let url = |path: &str| Url::parse(&format!("{}{path}", origin.url()), false).unwrap();
    let from = From::Discovery {
        first: url("/a/.well-known/openid-configuration"),
        second: Some(url("/.well-known/oauth-authorization-server/a")),
        issuer: name.clone(),
    };
    let issuer = issuer(from, terms(Duration::from_millis(1)));
    issuer.start(&side.control);
    until("the other issuer is noticed", || {
        let failing = issuer.status().failing?.0;
        failing.contains("https://evil.example").then_some(())
    });
    assert!(issuer.published().keys().is_none());
    *claimed.lock().unwrap() = name;
    until_keys(&issuer, &[signer.id()]);
}

#[test]
fn an_issuer_that_nobody_uses_is_asked_no_more() {
    let (side, signer) = (side(), Signer::generate().unwrap());
    let origin = Shown::of(set(&[&signer])).origin();
    let issuer = issuer(jwks(&origin), terms(Duration::from_secs(1)));
    issuer.start(&side.control);
    until_keys(&issuer, &[signer.id()]);
    let published = Arc::downgrade(&issuer.published);
    drop(issuer);
    until("its task ends", || {
        published.upgrade().is_none().then_some(())
    });
    until("its series end", || {
        let page = side.page();
        (!page.contains(&origin.url())).then_some(())
    });
}
