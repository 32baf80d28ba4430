//! Signatures as AWS makes them.

use lintel_httpsig::sigv4;

use super::*;

fn aws(more: Value) -> Chain {
    let mut config = json!({"format": "aws_sigv4", "aws": {"region": "r", "service": "s"}});
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    policy(config)
}

/// The canonical request of one without query, and its signature.
fn aws_signed(scope: &str, seconds: i64, payload: Option<&str>, content: &[u8]) -> Exchange {
    let time = jiff::Timestamp::from_second(i64::try_from(now()).unwrap() + seconds).unwrap();
    let date = time.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &date[..8];
    let sha256 = |bytes: &[u8]| {
        sigv4::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
    };
    let told = payload.map_or_else(|| sha256(content), str::to_owned);
    let mut fields = vec![("x-amz-date", date.as_str())];
    let mut headers = format!("host:api.example.com\nx-amz-date:{date}\n");
    let mut names = "host;x-amz-date";
    if let Some(payload) = payload {
        fields.push(("x-amz-content-sha256", payload));
        headers =
            format!("host:api.example.com\nx-amz-content-sha256:{payload}\nx-amz-date:{date}\n");
        names = "host;x-amz-content-sha256;x-amz-date";
    }
    let canonical = format!("POST\n/orders\n\n{headers}\n{names}\n{told}");
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{date}\n{day}/{scope}/aws4_request\n{}",
        sha256(canonical.as_bytes())
    );
    let mac = |key: &[u8], text: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
    };
    let mut key = mac(format!("AWS4{SECRET}").as_bytes(), day);
    for part in scope.split('/').chain(["aws4_request"]) {
        key = mac(key.as_ref(), part);
    }
    let signature = sigv4::hex(mac(key.as_ref(), &to_sign).as_ref());
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{day}/{scope}/aws4_request, SignedHeaders={names}, Signature={signature}"
    );
    fields.push(("authorization", &authorization));
    request("POST", "/orders", &fields)
}

#[tokio::test]
async fn aws_signatures_are_held_to_scope_time_and_content() {
    let strict = aws(json!({}));
    let hash = sigv4::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, CONTENT).as_ref());
    for payload in [None, Some(&*hash)] {
        let mut exchange = aws_signed("r/s", 0, payload, CONTENT);
        let (who, passed) = send(&strict, &mut exchange, CONTENT).await;
        assert_eq!((who.as_deref(), &*passed), (Ok("acme"), CONTENT));
        assert!(!exchange.request.headers.contains_key("authorization"));
        let wrong = if payload.is_some() {
            "content_wrong"
        } else {
            "signature_wrong: AKIDEXAMPLE"
        };
        for other in [&b"{}"[..], b""] {
            let (refused, _) =
                send(&strict, &mut aws_signed("r/s", 0, payload, CONTENT), other).await;
            assert_eq!(refused, Err(wrong.to_owned()));
        }
    }
    for (scope, seconds, payload, cause) in [
        ("other/s", 0, None, "signature_scope: AKIDEXAMPLE"),
        ("r/other", 0, None, "signature_scope: AKIDEXAMPLE"),
        ("r/s", 40, None, "signature_not_yet_valid: AKIDEXAMPLE"),
        ("r/s", -931, None, "signature_expired: AKIDEXAMPLE"),
        (
            "r/s",
            0,
            Some("UNSIGNED-PAYLOAD"),
            "content_unsigned: AKIDEXAMPLE",
        ),
    ] {
        let (refused, _) = send(
            &strict,
            &mut aws_signed(scope, seconds, payload, CONTENT),
            CONTENT,
        )
        .await;
        assert_eq!(refused, Err(cause.to_owned()));
    }
    let lax = aws(json!({"unsigned_content": true}));
    let mut unsigned = aws_signed("r/s", 0, Some("UNSIGNED-PAYLOAD"), b"");
    assert!(send(&lax, &mut unsigned, CONTENT).await.0.is_ok());
    // A key for messages is none for these, and other credentials are for other policies.
    let mut other = aws_signed("r/s", 0, None, b"");
    let value = other.request.headers["authorization"]
        .to_str()
        .unwrap()
        .replace("AKIDEXAMPLE", "acme-1");
    other
        .request
        .headers
        .insert("authorization", value.parse().unwrap());
    assert_eq!(verdict(&strict, other).await, Err("key_unknown".to_owned()));
    let bearer = request("GET", "/", &[("authorization", "Bearer x")]);
    assert_eq!(
        verdict(&strict, bearer).await,
        Err("no_credentials".to_owned())
    );
}
