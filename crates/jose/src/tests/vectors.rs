//! Examples that the RFCs give, and every algorithm once.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::{set, sign::Signer, verify};
use crate::{Algorithm, Key, Keys, Refusal, Token};

const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// RFC 7515, appendix A.1.
#[test]
fn hs256_of_rfc_7515() {
    let secret =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let secret = URL_SAFE_NO_PAD.decode(secret).unwrap();
    let keys = Keys::one(Key::from_secret(&secret, &[Algorithm::Hs256]).unwrap());
    let token = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    verify(&keys, &token).unwrap();
    let claims = Token::parse(&token).unwrap().claims().unwrap();
    assert_eq!(claims.text("iss"), Some("joe"));
}

/// RFC 7515, appendix A.2.
#[test]
fn rs256_of_rfc_7515() {
    let n = concat!(
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt",
        "0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX",
        "ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5",
        "IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
    );
    let keys = set(
        &[json!({"kty": "RSA", "n": n, "e": "AQAB"})],
        &[Algorithm::Rs256],
    );
    let signature = concat!(
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W",
        "2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkS",
        "jtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnv",
        "Wh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    verify(
        &keys,
        &format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{signature}"),
    )
    .unwrap();
}

/// RFC 7515, appendix A.3.
#[test]
fn es256_of_rfc_7515() {
    let keys = set(
        &[json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })],
        &[Algorithm::Es256],
    );
    let signature =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    verify(
        &keys,
        &format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.{signature}"),
    )
    .unwrap();
}

/// RFC 8037, appendix A.4. Its payload is a sentence, so it is a JWS and no JWT.
#[test]
fn eddsa_of_rfc_8037() {
    let jwk =
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let keys = set(&[jwk], &[Algorithm::EdDsa]);
    let token = concat!(
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    verify(&keys, token).unwrap();
    let token = Token::parse(token).unwrap();
    assert_eq!(token.payload().unwrap(), b"Example of Ed25519 signing");
    assert!(matches!(token.claims(), Err(Refusal::Malformed(_))));
}

#[test]
fn every_public_algorithm_verifies_its_own_and_no_other() {
    let public: Vec<_> = Algorithm::ALL
        .into_iter()
        .filter(|own| !own.is_symmetric())
        .collect();
    for algorithm in &public {
        let (signer, other) = (Signer::new(*algorithm), Signer::new(*algorithm));
        let token = signer.token(&json!({"alg": algorithm.name(), "kid": "k"}), &json!({}));
        let keys = set(&[signer.jwk("k")], &public);
        assert_eq!(verify(&keys, &token), Ok(()), "{algorithm}");
        let keys = set(&[other.jwk("k")], &public);
        assert_eq!(
            verify(&keys, &token),
            Err(Refusal::Signature(*algorithm)),
            "{algorithm}"
        );
    }
}

#[test]
fn every_secret_algorithm_verifies_its_own() {
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        let secret: Vec<u8> = (0..64).collect();
        let token =
            Signer::Secret(secret.clone()).token(&json!({"alg": algorithm.name()}), &json!({}));
        let key = |secret: &[u8]| Keys::one(Key::from_secret(secret, &[algorithm]).unwrap());
        assert_eq!(verify(&key(&secret), &token), Ok(()));
        assert_eq!(
            verify(&key(&[7; 64]), &token),
            Err(Refusal::Signature(algorithm))
        );
    }
}

#[test]
fn a_public_key_may_come_as_pem() {
    // Made with `openssl ecparam -name prime256v1 -genkey` and `openssl ec -pubout`.
    let pem = b"-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n\
        6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n\
        -----END PUBLIC KEY-----\n";
    let all = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    let key = Key::from_pem(pem, &all).unwrap();
    assert_eq!(key.algorithms().collect::<Vec<_>>(), [Algorithm::Es256]);
    let signature =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    verify(
        &Keys::one(key),
        &format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.{signature}"),
    )
    .unwrap();
    assert!(Key::from_pem(pem, &[Algorithm::Rs256]).is_err());
    assert!(Key::from_pem(b"nothing", &all).is_err());
}
