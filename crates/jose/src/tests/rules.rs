//! What claims must say, at the edges of time.

use std::time::Duration;

use serde_json::{Value, json};

use super::sign::Signer;
use crate::{Algorithm, Refusal, Rules, Token};

const NOW: u64 = 1_700_000_000;

fn check_with(header: &Value, claims: &Value, rules: &Rules) -> Result<Option<u64>, Refusal> {
    let text = Signer::Secret(vec![0; 64]).token(header, claims);
    let token = Token::parse(&text).unwrap();
    rules.check(&token, &token.claims()?, NOW)
}

fn check(claims: &Value, rules: &Rules) -> Result<Option<u64>, Refusal> {
    check_with(&json!({"alg": Algorithm::Hs256.name()}), claims, rules)
}

#[test]
fn time_has_sharp_edges() {
    let exact = Rules::default();
    assert_eq!(check(&json!({"exp": NOW + 1}), &exact), Ok(Some(NOW + 1)));
    assert_eq!(check(&json!({"exp": NOW}), &exact), Err(Refusal::Expired));
    assert_eq!(
        check(&json!({"exp": NOW + 9, "nbf": NOW}), &exact),
        Ok(Some(NOW + 9))
    );
    assert_eq!(
        check(&json!({"exp": NOW + 9, "nbf": NOW + 1}), &exact),
        Err(Refusal::NotYetValid)
    );
    assert_eq!(
        check(&json!({"exp": NOW + 9, "iat": NOW + 1}), &exact),
        Err(Refusal::NotYetValid)
    );

    let lenient = Rules {
        leeway: Duration::from_secs(30),
        ..Rules::default()
    };
    assert_eq!(
        check(&json!({"exp": NOW - 29}), &lenient),
        Ok(Some(NOW + 1))
    );
    assert_eq!(
        check(&json!({"exp": NOW - 30}), &lenient),
        Err(Refusal::Expired)
    );
    assert_eq!(
        check(&json!({"exp": NOW + 9, "nbf": NOW + 30}), &lenient),
        Ok(Some(NOW + 39))
    );
    assert_eq!(
        check(&json!({"exp": NOW + 9, "nbf": NOW + 31}), &lenient),
        Err(Refusal::NotYetValid)
    );
}

#[test]
fn times_are_numbers_in_range() {
    let rules = Rules::default();
    assert_eq!(
        check(&json!({"exp": 1_700_000_000.9}), &rules),
        Err(Refusal::Expired)
    );
    assert_eq!(
        check(&json!({"exp": 1_700_000_001.5}), &rules),
        Ok(Some(NOW + 1))
    );
    assert_eq!(check(&json!({"exp": u64::MAX}), &rules), Ok(Some(u64::MAX)));
    for wrong in [
        json!("1800000000"),
        json!(null),
        json!(-1),
        json!(1e300),
        json!([1]),
        json!(true),
    ] {
        let refused = check(&json!({"exp": wrong}), &rules);
        assert!(
            matches!(refused, Err(Refusal::Malformed(_))),
            "{wrong}: {refused:?}"
        );
    }
    // No number of JSON: refused when the payload is read.
    let text = Signer::Secret(vec![0; 64]).raw(r#"{"alg":"HS256"}"#, r#"{"exp":1e999}"#);
    assert!(matches!(
        Token::parse(&text).unwrap().claims(),
        Err(Refusal::Malformed(_))
    ));
}

#[test]
fn a_token_ends() {
    let missing = || Err(Refusal::Missing("exp".to_owned()));
    assert_eq!(check(&json!({}), &Rules::default()), missing());
    let eternal = Rules {
        allow_eternal: true,
        ..Rules::default()
    };
    assert_eq!(check(&json!({}), &eternal), Ok(None));
    let hour = Duration::from_secs(3600);
    let bounded = Rules {
        max_lifetime: Some(hour),
        ..eternal
    };
    assert_eq!(check(&json!({"iat": NOW}), &bounded), missing());
    assert_eq!(
        check(&json!({"exp": NOW + 9}), &bounded),
        Err(Refusal::Missing("iat".to_owned()))
    );
    assert_eq!(
        check(&json!({"iat": NOW, "exp": NOW + 3600}), &bounded),
        Ok(Some(NOW + 3600))
    );
    assert_eq!(
        check(&json!({"iat": NOW, "exp": NOW + 3601}), &bounded),
        Err(Refusal::Lifetime)
    );
}

#[test]
fn issuer_audience_and_required_claims() {
    let rules = Rules {
        issuers: vec!["https://a/".to_owned()],
        audiences: vec!["api".to_owned(), "web".to_owned()],
        required: vec!["sub".to_owned()],
        ..Rules::default()
    };
    let claims =
        |iss: Value, aud: Value| json!({"exp": NOW + 9, "iss": iss, "aud": aud, "sub": "u"});
    let good = Ok(Some(NOW + 9));
    assert_eq!(
        check(&claims(json!("https://a/"), json!("api")), &rules),
        good
    );
    assert_eq!(
        check(&claims(json!("https://a/"), json!(["x", "web"])), &rules),
        good
    );
    for iss in [
        json!("https://a"),
        json!("https://A/"),
        json!(null),
        json!(["https://a/"]),
    ] {
        assert_eq!(
            check(&claims(iss, json!("api")), &rules),
            Err(Refusal::Issuer)
        );
    }
    for aud in [
        json!("ap"),
        json!([]),
        json!(null),
        json!({"api": 1}),
        json!("api web"),
    ] {
        assert_eq!(
            check(&claims(json!("https://a/"), aud), &rules),
            Err(Refusal::Audience)
        );
    }
    let mut nobody = claims(json!("https://a/"), json!("api"));
    nobody["sub"] = json!(null);
    assert_eq!(
        check(&nobody, &rules),
        Err(Refusal::Missing("sub".to_owned()))
    );
}

#[test]
fn a_token_of_another_type_is_refused() {
    let rules = Rules {
        kind: Some("at+jwt".to_owned()),
        ..Rules::default()
    };
    let typed = |kind: Value| {
        check_with(
            &json!({"alg": "HS256", "typ": kind}),
            &json!({"exp": NOW + 9}),
            &rules,
        )
    };
    for good in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        assert_eq!(typed(json!(good)), Ok(Some(NOW + 9)), "{good}");
    }
    assert_eq!(typed(json!("JWT")), Err(Refusal::Type));
    assert_eq!(check(&json!({"exp": NOW + 9}), &rules), Err(Refusal::Type));
}
