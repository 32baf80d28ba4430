//! Vectors of the RFCs, tokens signed here, and attacks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod attacks;
mod client_key;
mod rules;
mod sign;
mod signer;
mod vectors;

use serde_json::{Map, Value, json};

use crate::{Algorithm, Keys, Refusal, Token};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn set(jwks: &[Value], accepted: &[Algorithm]) -> Keys {
    let text = json!({ "keys": jwks }).to_string();
    Keys::from_jwks(text.as_bytes(), accepted).unwrap().0
}

fn verify(keys: &Keys, text: &str) -> Result<(), Refusal> {
    keys.verify(&Token::parse(text)?).map(drop)
}
