//! `cargo bench -p lintel-policies --bench known`
//!
//! What it costs to know a caller again: at most 1 µs, by a token that was verified before and by one of
//! 100,000 API keys. A chain without policies stands beside them.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::KeySize,
    signature::{KeyPair as _, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use divan::{Bencher, counter::ItemsCount};
use http::Request;
use lintel_http::Body;
use lintel_jose::ClientKey;
use lintel_kernel::{Exchange, testing};
use lintel_policies::{Chain, Context, Depth, Directory, RoutePolicies, keys::sha256_hex};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

const KEYS: usize = 100_000;
/// Callers that take turns.
const CALLERS: usize = 64;

fn chain(policies: Value, context: &Context) -> Chain {
    let policies: RoutePolicies = serde_json::from_value(policies).unwrap();
    Chain::build(&policies, context).ok().unwrap()
}

fn request(field: Option<(&str, &str)>) -> Exchange {
    let request = Request::get("/orders?page=2")
        .header("host", "api.example.com")
        .header("accept", "application/json")
        .header("user-agent", "bench");
    testing::exchange(match field {
        Some((name, value)) => request.header(name, value),
        None => request,
    })
}

/// Requests go through once before they are measured.
fn measure(
    bencher: Bencher<'_, '_>,
    chain: &Chain,
    fields: &[Option<(&str, String)>],
    known: bool,
) {
    let mut turn = fields.iter().cycle();
    let mut next = || {
        let field = turn.next().and_then(Option::as_ref);
        request(field.map(|(name, value)| (*name, value.as_str())))
    };
    let pass = |mut exchange: Exchange| {
        chain.on_request(&mut Depth::default(), &mut exchange, &mut Body::empty());
        exchange
    };
    for _ in fields {
        assert_eq!(pass(next()).identity.is_some(), known);
    }
    bencher
        .counter(ItemsCount::new(1_usize))
        .with_inputs(next)
        .bench_local_values(pass);
}

#[divan::bench]
fn nobody(bencher: Bencher<'_, '_>) {
    let chain = chain(json!({}), &Context::default());
    measure(bencher, &chain, &[None], false);
}

#[divan::bench]
fn token(bencher: Bencher<'_, '_>) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    let key = ClientKey::from_pem(pem("PRIVATE", private.as_ref()).as_bytes()).unwrap();
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let ends = since.unwrap().as_secs() + 3600;
    let tokens = (0..CALLERS).map(|caller| {
        let claims = json!({ "iss": "https://auth.example.com/", "aud": "api", "sub": format!("user-{caller}"), "exp": ends });
        let token = key.sign(None, claims.as_object().unwrap()).unwrap();
        Some(("authorization", format!("Bearer {token}")))
    });
    let tokens: Vec<_> = tokens.collect();
    let jwt = json!({ "issuer": "https://auth.example.com/", "audience": ["api"], "algorithms": ["RS256"], "public_key": pem("PUBLIC", public.as_ref()) });
    let chain = chain(json!({ "jwt": jwt }), &Context::default());
    measure(bencher, &chain, &tokens, true);
}

#[divan::bench]
fn key_of_100_000(bencher: Bencher<'_, '_>) {
    let key = |number: usize| format!("lk_{number:049}");
    let consumers = (0..KEYS).map(|number| {
        let own = json!({ "api_keys": [{ "sha256": sha256_hex(&key(number)) }] });
        (format!("c{number}"), serde_json::from_value(own).unwrap())
    });
    let consumers: BTreeMap<String, _> = consumers.collect();
    let all = consumers.iter().map(|(name, own)| (name.as_str(), own));
    let context = Context {
        consumers: Arc::new(Directory::build(all).ok().unwrap()),
        ..Context::default()
    };
    let callers = (0..CALLERS).map(|caller| Some(("x-api-key", key(caller * 1_009))));
    let callers: Vec<_> = callers.collect();
    let chain = chain(json!({ "api_key": {} }), &context);
    measure(bencher, &chain, &callers, true);
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN {kind} KEY-----\n{text}\n-----END {kind} KEY-----\n")
}
