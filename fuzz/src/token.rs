//! Any text as a token: no panic, and only the two tokens that were really signed are believed, in
//! only one spelling.

use std::{sync::LazyLock, time::Duration};

use lintel_jose::{Algorithm, Key, Keys, MAX_TOKEN, Rules, Token};

/// RFC 8037 appendix A.4, and a token of the documentation.
const SIGNED: [&str; 2] = [
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    concat!(
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
        "eyJpc3MiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20vIiwiYXVkIjoiYXBpLmV4YW1wbGUuY29tIiwic3ViIjoiYWRhIiwi",
        "c2NvcGUiOiJvcmRlcnM6cmVhZCIsImV4cCI6NDEwMjQ0NDgwMH0.TrqmtKLrZO5cRI5LSMxzlxKgT3IBbd4pQGNeb1iwYIg"
    ),
];
const SET: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const SECRET: &[u8] = b"a-secret-of-at-least-thirty-two-bytes";

/// Each way to sign with its keys alone; they are never mixed.
static KEYS: LazyLock<[Keys; 2]> = LazyLock::new(|| {
    let public = Keys::from_jwks(SET.as_bytes(), &[Algorithm::EdDsa]).unwrap().0;
    let secret = Key::from_secret(SECRET, &[Algorithm::Hs256]).unwrap();
    [public, Keys::one(secret)]
});

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(token) = Token::parse(text) else {
        assert!(!SIGNED.contains(&text), "a good token is malformed");
        return;
    };
    assert!(text.len() <= MAX_TOKEN);
    for (keys, signed) in KEYS.iter().zip(SIGNED) {
        assert_eq!(keys.verify(&token).is_ok(), text == signed, "{text}");
    }
    let Ok(claims) = token.claims() else { return };
    let rules = Rules {
        leeway: Duration::from_secs(5),
        max_lifetime: Some(Duration::from_secs(60)),
        ..Rules::default()
    };
    for now in [0, 1_000_000_000, u64::MAX] {
        let lasting = Rules {
            max_lifetime: None,
            ..rules.clone()
        };
        let until = lasting.check(&token, &claims, now);
        assert!(!matches!(until, Ok(Some(until)) if until <= now), "it has ended already");
        assert!(until.is_ok() || rules.check(&token, &claims, now).is_err());
    }
}
