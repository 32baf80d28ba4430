//! Any text as what an issuer publishes: no panic, no secret among public keys, and reading it twice
//! gives the same keys.

use lintel_jose::{Algorithm, Key, Keys, Token};

/// A token that none of the keys has signed.
const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub(crate) fn run(data: &[u8]) {
    if let Ok((keys, left_out)) = Keys::from_jwks(data, &Algorithm::ALL) {
        check(&keys);
        let (again, left_out_again) = Keys::from_jwks(data, &Algorithm::ALL).unwrap();
        assert!(keys.same(&again) && left_out == left_out_again);
        for key in keys.iter() {
            assert!(keys.has(&key.print()));
            assert!(key.id().is_none_or(|id| keys.names(id)));
        }
        // What is accepted narrows what keys may do, and never widens it.
        if let Ok((fewer, _)) = Keys::from_jwks(data, &[Algorithm::EdDsa]) {
            let mut all = fewer.iter().flat_map(Key::algorithms);
            assert!(all.all(|algorithm| algorithm == Algorithm::EdDsa));
        }
    }
    if let Ok(key) = Key::from_pem(data, &Algorithm::ALL) {
        check(&Keys::one(key));
    }
}

fn check(keys: &Keys) {
    for key in keys.iter() {
        assert_ne!(key.algorithms().count(), 0, "a key that is good for nothing");
        assert!(!key.algorithms().any(Algorithm::is_symmetric), "a public secret");
    }
    assert!(keys.verify(&Token::parse(TOKEN).unwrap()).is_err());
}
