//! Tokens of another library than the issuer's in `issuers.rs`, and what becomes of them.

use lintel_testkit::Origin;
use serde_json::Value;

use crate::support::{Gateway, Peer, with_routes};

/// A gateway that believes the tokens of a maker, in a header field, a cookie and the query.
fn gateway(origin: &Origin, maker: &mut Peer) -> Gateway {
    let said = maker.order("keys");
    let keys = said.strip_prefix("keys ").unwrap();
    Gateway::start(&with_routes(&format!(
        "services: {{ origin: {{ endpoints: [\"{}\"] }} }}\n\
         defaults: {{ policies: {{ access_log: {{ format: json, to: stdout }} }} }}\n\
         routes:\n  all:\n    match: {{ path: \"/*\" }}\n    to: origin\n    policies:\n\
         \x20     identity_token: {{ issuer: gateway }}\n\
         \x20     jwt:\n        issuer: https://node.example.com\n        audience: [api]\n\
         \x20       algorithms: [RS256, PS256, ES256, ES384, EdDSA]\n\
         \x20       from: [{{ header: Authorization }}, {{ cookie: token }}, {{ query: token }}]\n\
         \x20       forward: {{ X-User: claims.sub }}\n        jwks: '{keys}'",
        origin.url()
    )))
}

fn token(maker: &mut Peer, order: &str) -> String {
    let said = maker.order(order);
    said.strip_prefix("token ").unwrap().to_owned()
}

#[test]
fn tokens_of_jose_are_believed_and_it_believes_the_gateways() {
    let (origin, mut maker) = (Origin::saying("found"), Peer::start_node("tokens.mjs"));
    let gateway = gateway(&origin, &mut maker);
    let ask = |token: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
        gateway.client().send(request).reply().status
    };
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"] {
        let token = token(&mut maker, &format!("token {algorithm} ada"));
        assert_eq!(ask(&token), 200, "{algorithm}");
        assert_eq!(origin.seen().pop().unwrap().header("x-user"), Some("ada"));
    }
    let encrypted = token(&mut maker, "encrypt ada");
    assert_eq!(ask(&encrypted), 401);

    let minted = origin
        .seen()
        .pop()
        .unwrap()
        .header("x-identity-token")
        .unwrap()
        .to_owned();
    let admin = gateway.admin();
    let mut read = |audience: &str, token: &str| {
        maker.order(&format!(
            "read http://{admin}/.well-known/jwks.json gateway {audience} {token}"
        ))
    };
    let said = read("origin", &minted);
    let said: Value = serde_json::from_str(said.strip_prefix("says ").unwrap()).unwrap();
    assert_eq!(
        (&said["sub"], &said["auth_iss"]),
        (&"ada".into(), &"https://node.example.com".into())
    );
    assert_eq!(
        read("another", &minted),
        "refused ERR_JWT_CLAIM_VALIDATION_FAILED"
    );
    let (signed, signature) = minted.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{signed}.{first}{}", &signature[1..]);
    assert!(read("origin", &forged).starts_with("refused "));
}

#[test]
fn a_token_is_taken_away_wherever_it_may_stand() {
    let (origin, mut maker) = (Origin::saying("found"), Peer::start_node("tokens.mjs"));
    let gateway = gateway(&origin, &mut maker);
    let token = token(&mut maker, "token ES256 ada");
    for (authorization, cookie, query) in [
        (
            format!("Bearer {token}"),
            format!("token={token}"),
            format!("&token={token}"),
        ),
        (
            format!("Bearer {token}"),
            "other=1".to_owned(),
            String::new(),
        ),
        (
            "Basic YTpi".to_owned(),
            format!("token={token}"),
            format!("&token={token}"),
        ),
        (
            "Basic YTpi".to_owned(),
            "other=1".to_owned(),
            format!("&token={token}"),
        ),
    ] {
        let request = format!(
            "GET /a?b=1{query} HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\nCookie: a=1; {cookie}\r\n\r\n"
        );
        assert_eq!(gateway.client().send(request).reply().status, 200);
        let seen = origin.seen().pop().unwrap();
        assert_eq!(
            (&*seen.target, seen.header("x-user")),
            ("/a?b=1", Some("ada"))
        );
        assert!(!seen.header("cookie").unwrap().contains("token"));
        let kept = authorization.starts_with("Basic").then_some("Basic YTpi");
        assert_eq!(
            seen.header("authorization"),
            kept,
            "what is no token is not ours"
        );
    }
    gateway.get(&format!("/late?token={token}x"));
    lintel_testkit::until("the last one is logged", || {
        gateway.stdout().contains("/late").then_some(())
    });
    assert!(!gateway.stdout().contains(&token), "no token is logged");
}
