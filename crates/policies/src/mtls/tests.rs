#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{
    rc::Rc,
    time::{Duration, SystemTime},
};

use lintel_kernel::{ClientCertificate, Exchange};
use serde_json::{Value, json};

use crate::testing::{certificate, chain, exchange, pass};

/// What becomes of a request with a certificate, and why it was refused.
async fn with(
    settings: Value,
    consumers: Value,
    shown: Option<ClientCertificate>,
    fields: &[(&str, &str)],
) -> (Exchange, Result<(), &'static str>) {
    let chain = chain(json!({"mtls": settings}), consumers);
    let mut exchange = exchange("/", fields);
    exchange.certificate = shown.map(Rc::new);
    let passed = pass(&chain, &mut exchange).await.0;
    let outcome = passed.map_err(|no| no.cause.unwrap_or(no.code));
    (exchange, outcome)
}

#[tokio::test]
async fn each_fact_leads_to_its_consumer() {
    let colons = vec!["07"; 32].join(":");
    for matcher in [
        json!({"fingerprint": colons}),
        json!({"fingerprint": "07".repeat(32)}),
        json!({"uri": "spiffe://example.com/billing"}),
        json!({"dns": "billing.example.com"}),
        json!({"dns": "B.example.com"}),
        json!({"email": "ops@example.com"}),
        json!({"subject": "C=DE, O=Example, CN=billing"}),
        json!({"common_name": "billing"}),
    ] {
        let consumers = json!({"acme": {"plan": "gold", "certificates": [matcher]}});
        let (exchange, outcome) = with(json!({}), consumers, Some(certificate(7)), &[]).await;
        assert_eq!(outcome, Ok(()), "{matcher}");
        assert_eq!(&*exchange.consumer().unwrap().name, "acme", "{matcher}");
        let identity = exchange.identity.unwrap();
        assert_eq!(identity.method, "mtls");
        assert_eq!(identity.claims["first_dns"], "Billing.Example.com");
        assert_eq!(identity.credential.as_deref(), Some(&*"07".repeat(32)));
    }
}

#[tokio::test]
async fn a_certificate_of_nobody_or_of_two_is_refused() {
    let two = json!({
        "acme": {"certificates": [{"dns": "b.example.com"}]},
        "umbrella": {"certificates": [{"common_name": "billing"}]},
    });
    for (settings, consumers, expected) in [
        (json!({}), json!({"acme": {}}), Err("invalid_certificate")),
        (json!({"allow_unknown": true}), json!({"acme": {}}), Ok(())),
        (json!({}), two.clone(), Err("certificate_ambiguous")),
        (
            json!({"allow_unknown": true}),
            two,
            Err("certificate_ambiguous"),
        ),
        // No wildcards, no parts, and no fact of another kind.
        (
            json!({}),
            json!({"acme": {"certificates": [{"dns": "*.example.com"}, {"dns": "billing"}, {"uri": "b.example.com"}]}}),
            Err("invalid_certificate"),
        ),
    ] {
        let shown = consumers.to_string();
        let (exchange, outcome) = with(settings, consumers, Some(certificate(7)), &[]).await;
        assert_eq!(outcome, expected, "{shown}");
        assert_eq!(exchange.identity.is_some(), outcome.is_ok());
    }
}

#[tokio::test]
async fn one_that_ended_while_the_connection_stayed_open_is_refused() {
    let over = ClientCertificate {
        not_after: SystemTime::now() - Duration::from_secs(1),
        ..certificate(7)
    };
    let consumers = json!({"acme": {"certificates": [{"common_name": "billing"}]}});
    let (_, outcome) = with(json!({}), consumers, Some(over), &[]).await;
    assert_eq!(outcome, Err("certificate_expired"));
}

#[tokio::test]
async fn upstreams_are_told_and_clients_can_tell_nothing() {
    let forged = [
        ("client-cert", ":MIIC:"),
        ("Client_Cert_Chain", ":MIIC:"),
        ("x-forwarded-client-cert", "Hash=00"),
        ("x-forwarded_client-cert", "Hash=00"),
        ("x-who", "root"),
    ];
    let consumers = json!({"acme": {"certificates": [{"common_name": "billing"}]}});
    for (field, name, value) in [
        ("client_cert", "client-cert", ":AQID:".to_owned()),
        (
            "xfcc",
            "x-forwarded-client-cert",
            format!(
                "Hash={};Subject=\"C=DE, O=Example, CN=billing\";URI=spiffe://example.com/billing;DNS=Billing.Example.com;DNS=b.example.com",
                "07".repeat(32)
            ),
        ),
    ] {
        let settings = json!({"forward_certificate": field, "forward": {"X-Who": "consumer.name"}});
        let (exchange, outcome) =
            with(settings, consumers.clone(), Some(certificate(7)), &forged).await;
        assert_eq!(outcome, Ok(()));
        let headers = &exchange.request.headers;
        assert_eq!(headers[name], value.as_str());
        assert_eq!(headers["x-who"], "acme");
        assert_eq!(headers.len(), 2, "{headers:?}");
    }
    let (exchange, _) = with(json!({}), consumers, None, &forged).await;
    assert_eq!(
        exchange.request.headers.len(),
        1,
        "only the field that is not this policy's"
    );
}

#[test]
fn a_certificate_has_one_owner() {
    let acme =
        json!({"certificates": [{"dns": "A.example.com"}, {"fingerprint": "07"}, {"uri": " "}]});
    let other = json!({"certificates": [{"dns": "a.example.com"}]});
    let read = |value| serde_json::from_value::<crate::ConsumerConfig>(value).unwrap();
    let (acme, other) = (read(acme), read(other));
    let faults = crate::Directory::build([("acme", &acme), ("other", &other)]).unwrap_err();
    let paths: Vec<String> = faults.iter().map(|fault| fault.path.join(".")).collect();
    assert_eq!(
        paths,
        [
            "acme.certificates.1.fingerprint",
            "acme.certificates.2.uri",
            "other.certificates.0"
        ]
    );
}
