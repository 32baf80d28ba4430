//! Any request as one with API keys: no panic, whoever passes has shown a key that is known, and no copy of one goes on.

use std::{collections::BTreeMap, sync::{Arc, LazyLock}};

use http::{HeaderMap, Request, Uri, header};
use lintel_http::Body;
use lintel_kernel::{Exchange, Flow, testing};
use lintel_policies::{Chain, ConsumerConfig, Context, Depth, Directory, RoutePolicies, keys::sha256_hex};
use serde_json::{Value, json};

/// As `lintel keys new` makes them; the second has expired.
const KNOWN: &str = "lk_6Gf0pQmC3vVJt1uYw8sXzL5bRkN2aHdE7iToPqA9yBc1kjx2";
const EXPIRED: &str = "lk_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3aB4c5dE6f";
/// The hash of a password of the documentation, as good as any.
const SLOW: &str = "$argon2id$v=19$m=19456,t=2,p=1$rT5jhEMx+U6WHGSwnMieZw$Iy05IBng6tvmIrt1Upv+VZHcw9KavUi3Cgp6ilWMIfY";

/// Keys that are found at once; and beside them one that has to be computed.
static CHAINS: LazyLock<[Chain; 2]> = LazyLock::new(|| {
    let keys = json!([{ "sha256": sha256_hex(KNOWN) }, { "sha256": sha256_hex(EXPIRED), "expires": "2020-01-01" }]);
    let slow = json!([{ "prefix": "pk_live_", "argon2": SLOW }]);
    [
        chain(json!({ "acme": { "api_keys": keys } })),
        chain(json!({ "acme": { "api_keys": keys }, "other": { "api_keys": slow } })),
    ]
});

fn chain(consumers: Value) -> Chain {
    let consumers: BTreeMap<String, ConsumerConfig> = serde_json::from_value(consumers).unwrap();
    let all = consumers.iter().map(|(name, own)| (name.as_str(), own));
    let context = Context { consumers: Arc::new(Directory::build(all).unwrap()), ..Context::default() };
    let policies: RoutePolicies = serde_json::from_value(json!({ "api_key": {
        "from": [{ "header": "X-Api-Key" }, { "header": "Authorization" }, { "cookie": "key" }, { "query": "key" }],
    } }))
    .unwrap();
    Chain::build(&policies, &context).unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// Lines: the target, then header fields.
pub(crate) fn run(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let target = lines.next().unwrap_or_default();
    let Ok(target) = Uri::try_from(target) else { return };
    if target.path_and_query().is_none() {
        return;
    }
    let mut request = Request::get(target);
    for line in lines {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        request = request.header(name, value.trim_ascii());
    }
    let Ok(request) = request.body(()) else { return };
    let asked = || {
        let mut builder = Request::builder().uri(request.uri());
        builder.headers_mut().unwrap().clone_from(request.headers());
        testing::exchange(builder)
    };
    let [at_once, computing] = &*CHAINS;
    let mut exchange = asked();
    let passed = pass(at_once, &mut exchange, request.headers()).expect("nothing to wait for");
    let mut alone = request.headers().get_all("x-api-key").iter();
    if let (Some(key), None) = (alone.next(), alone.next()) && key == KNOWN {
        assert!(passed, "the key is known");
    }
    let mut again = asked();
    if let Some(again) = pass(computing, &mut again, request.headers()) {
        assert_eq!(again, passed, "a key that is known at once, or is none, needs no other's hash");
    }
}

/// Whether a request passes; none where it has to wait.
fn pass(chain: &Chain, exchange: &mut Exchange, sent: &HeaderMap) -> Option<bool> {
    let shown = shown(sent, &exchange.request.uri);
    match chain.on_request(&mut Depth::default(), exchange, &mut Body::empty()) {
        Flow::Next => {
            let identity = exchange.identity.as_ref().expect("somebody is known");
            assert_eq!(identity.consumer.as_ref().map(|own| &*own.name), Some("acme"));
            assert!(shown.iter().any(|key| key == KNOWN), "{shown:?}");
            let request = &exchange.request;
            let left = self::shown(&request.headers, &request.uri);
            assert!(left.is_empty() && !request.headers.contains_key("x-api-key"), "{left:?} goes on");
            is_masked(exchange);
            Some(true)
        }
        Flow::Refuse(refusal) => {
            assert_eq!(refusal.status, 401);
            assert!(exchange.identity.is_none());
            if refusal.code != "no_credentials" {
                is_masked(exchange);
            }
            Some(false)
        }
        Flow::Wait => None,
        Flow::Answer(_) => panic!("keys are no answers"),
    }
}

/// No log sees a key that stood in the query.
fn is_masked(exchange: &Exchange) {
    let logged = exchange.target.query().unwrap_or("").split('&');
    let mut keys = logged.filter(|pair| pair.split('=').next() == Some("key"));
    assert!(keys.all(|pair| pair == "key=***"), "{}", exchange.target);
}

/// All keys of a request, wherever they stand.
fn shown(headers: &HeaderMap, target: &Uri) -> Vec<String> {
    let texts = |name: &str| -> Vec<&str> {
        let all = headers.get_all(name).iter();
        all.filter_map(|value| value.to_str().ok()).collect()
    };
    let mut all: Vec<String> = texts("x-api-key").into_iter().map(str::to_owned).collect();
    for field in texts(header::AUTHORIZATION.as_str()) {
        match field.split_once(' ') {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => all.push(key.trim_start_matches(' ').to_owned()),
            _ => {}
        }
    }
    let cookies = texts(header::COOKIE.as_str());
    let cookies = cookies.iter().flat_map(|field| field.split(';'));
    all.extend(cookies.filter_map(|pair| pair.trim_matches([' ', '\t']).strip_prefix("key=")).map(str::to_owned));
    let query = target.query().unwrap_or("").split('&');
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    all.extend(query.filter_map(|pair| pair.strip_prefix("key=")).map(decoded));
    all
}
