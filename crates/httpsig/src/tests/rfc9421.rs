//! The test cases of RFC 9421 appendix B.

use base64::{Engine, engine::general_purpose::STANDARD};
use lintel_jose::Key;

use super::Owned;
use crate::{Algorithm, Digests, Unfit, signatures};

const RSA_PSS: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----
";
const P256: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----
";
const ED25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----
";
const SECRET: &str =
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

/// The request of appendix B.2.
fn request() -> Owned {
    Owned::new(
        "POST",
        "example.com",
        "/foo?param=Value&Pet=dog",
        &[
            ("Host", "example.com"),
            ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("Content-Type", "application/json"),
            (
                "Content-Digest",
                "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
            ),
            ("Content-Length", "18"),
        ],
    )
}

fn public(pem: &str, algorithm: Algorithm) -> Key {
    Key::from_pem(pem.as_bytes(), &[algorithm.jose()]).unwrap()
}

/// Holds a signature to its key, and to the bytes of everything that it covers.
fn check(request: Owned, input: &str, signature: &str, key: &Key, algorithm: Algorithm) {
    let signed = request
        .with("Signature-Input", &format!("sig={input}"))
        .with("Signature", &format!("sig=:{signature}:"));
    let found = signatures(&signed.message()).unwrap().remove(0);
    assert_eq!(&*found.label, "sig");
    assert_eq!(found.created, Some(1_618_884_473));
    assert!(found.is_for(algorithm));
    let base = found.base(&signed.message()).unwrap();
    assert!(
        base.ends_with(&format!("\"@signature-params\": {input}")),
        "{base}"
    );
    assert!(
        key.verifies(algorithm.jose(), base.as_bytes(), &found.bytes),
        "{base}"
    );
    for at in 0..base.len() {
        let mut other = base.clone().into_bytes();
        other[at] ^= 1;
        assert!(
            !key.verifies(algorithm.jose(), &other, &found.bytes),
            "byte {at}"
        );
    }
}

#[test]
fn b21_minimal_signature() {
    check(
        request(),
        r#"();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#,
        "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==",
        &public(RSA_PSS, Algorithm::RsaPssSha512),
        Algorithm::RsaPssSha512,
    );
}

#[test]
fn b22_selected_components() {
    check(
        request(),
        r#"("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example""#,
        "LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==",
        &public(RSA_PSS, Algorithm::RsaPssSha512),
        Algorithm::RsaPssSha512,
    );
}

#[test]
fn b23_full_coverage() {
    check(
        request(),
        r#"("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#,
        "bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==",
        &public(RSA_PSS, Algorithm::RsaPssSha512),
        Algorithm::RsaPssSha512,
    );
}

#[test]
fn b24_is_of_an_answer_and_of_no_request() {
    let signed = request()
        .with("Signature-Input", r#"sig=("@status" "content-type");created=1618884473;keyid="test-key-ecc-p256""#)
        .with("Signature", "sig=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==:");
    let found = signatures(&signed.message()).unwrap().remove(0);
    let unfit = Unfit::Unsupported("\"@status\"".into());
    assert_eq!(found.base(&signed.message()), Err(unfit));
}

#[test]
fn b25_hmac_sha256() {
    let secret = STANDARD.decode(SECRET).unwrap();
    check(
        request(),
        r#"("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
        "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
        &Key::from_secret(&secret, &[Algorithm::HmacSha256.jose()]).unwrap(),
        Algorithm::HmacSha256,
    );
}

#[test]
fn b26_ed25519() {
    check(
        request(),
        r#"("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
        &public(ED25519, Algorithm::Ed25519),
        Algorithm::Ed25519,
    );
}

#[test]
fn b3_behind_a_proxy_that_ends_tls() {
    let certificate = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:";
    let request = Owned::new(
        "POST",
        "service.internal.example",
        "/foo?param=Value&Pet=dog",
        &[("Client-Cert", certificate)],
    );
    check(
        request,
        r#"("@path" "@query" "@method" "@authority" "client-cert");created=1618884473;keyid="test-key-ecc-p256""#,
        "xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==",
        &public(P256, Algorithm::EcdsaP256Sha256),
        Algorithm::EcdsaP256Sha256,
    );
}

#[test]
fn digests_of_rfc9530() {
    let right = |field: &str, content: &[u8]| {
        let request = Owned::new("POST", "a", "/", &[("Content-Digest", field)]);
        let mut hashing = Digests::of(&request.message()).ok()?.hashing();
        let (one, two) = content.split_at(content.len() / 2);
        hashing.update(one);
        hashing.update(two);
        Some(hashing.is_right())
    };
    // Of appendix B.1, and of the request above.
    let sha256 = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
    let sha512 = request().headers["content-digest"]
        .to_str()
        .unwrap()
        .to_owned();
    let content = b"{\"hello\": \"world\"}\n";
    assert_eq!(right(sha256, content), Some(true));
    assert_eq!(right(&sha512, b"{\"hello\": \"world\"}"), Some(true));
    assert_eq!(right(sha256, b"{\"hello\": \"World\"}\n"), Some(false));
    assert_eq!(
        right(
            "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
            b""
        ),
        Some(true)
    );
    // All of them must be right, and one of them good.
    assert_eq!(right(&format!("{sha256}, {sha512}"), content), Some(false));
    assert_eq!(right(&format!("md5=:AAAA:, {sha256}"), content), Some(true));
    for field in [
        "",
        "md5=:AAAA:",
        "sha-256=x",
        "sha-256",
        "sha-256=(:AA==:)",
        "sha-256=:AA",
    ] {
        assert_eq!(right(field, content), None, "{field}");
    }
    assert_eq!(right("sha-256=:AA==:", content), Some(false));
}
