#![allow(clippy::unwrap_used)]
use std::str::FromStr;

use super::*;

fn error<T: FromStr<Err = TextError>>(text: &str) -> TextError {
    text.parse::<T>().map(drop).unwrap_err()
}

#[test]
fn binds_are_addresses_or_sockets() {
    for text in [
        "0.0.0.0:8080",
        "[::]:8080",
        "127.0.0.1:0",
        "unix:/run/x.sock",
    ] {
        assert_eq!(text.parse::<Bind>().unwrap().to_string(), text);
    }
    assert!("127.0.0.1:1".parse::<Bind>().unwrap().is_local());
    assert!("[::1]:1".parse::<Bind>().unwrap().is_local());
    assert!(!"0.0.0.0:1".parse::<Bind>().unwrap().is_local());
    for (text, hint) in [
        ("8080", "0.0.0.0:8080"),
        (":8080", "0.0.0.0:8080"),
        ("localhost:80", "127.0.0.1:80"),
        ("*:80", "0.0.0.0:80"),
        ("::1:80", "[::1]:80"),
        ("0.0.0.0", "0.0.0.0:8080"),
        ("::", "[::]:8080"),
        ("http://x:80", "no scheme"),
        ("0.0.0.0:99999", "0 to 65535"),
        ("unix:", "unix:/run"),
    ] {
        let error = error::<Bind>(text);
        assert!(
            error.hint.clone().unwrap().contains(hint),
            "{text}: {error}"
        );
    }
}

#[test]
fn ranges_have_no_stray_bits() {
    assert_eq!(
        "10.0.0.0/8".parse::<Cidr>().unwrap().to_string(),
        "10.0.0.0/8"
    );
    assert_eq!(
        "192.0.2.1".parse::<Cidr>().unwrap().to_string(),
        "192.0.2.1/32"
    );
    assert!("::/0".parse::<Cidr>().unwrap().is_everyone());
    assert!(
        error::<Cidr>("10.0.0.7/8")
            .hint
            .unwrap()
            .contains("10.0.0.0/8")
    );
    assert!(error::<Cidr>("lan").hint.is_some());
}

#[test]
fn endpoints_are_urls_without_a_path() {
    for (text, shown) in [
        ("http://10.0.0.7:8080", "http://10.0.0.7:8080"),
        ("https://Orders.Internal/", "https://orders.internal:443"),
        ("http://[fd00::1]", "http://[fd00::1]:80"),
        ("unix:/run/x.sock", "unix:/run/x.sock"),
    ] {
        assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), shown);
    }
    for (text, hint) in [
        ("orders:8080", "http://orders:8080"),
        ("grpc://orders:1", "protocol: grpc"),
        ("http://orders/v1", "add_prefix"),
        ("http://orders:0", "1 to 65535"),
        ("http://orders:x", "1 to 65535"),
        ("http://caf\u{e9}", "xn--"),
        ("ftp://x", "`http`"),
        ("unix:x", "unix:/run"),
    ] {
        let error = error::<Endpoint>(text);
        assert!(
            error.hint.clone().unwrap_or_default().contains(hint),
            "{text}: {error}"
        );
    }
    assert_eq!(error::<Endpoint>("http://").offset, Some(7));
    // A password is never repeated.
    assert!(
        !error::<Endpoint>("http://me:hunter2@x")
            .to_string()
            .contains("hunter2")
    );
}

#[test]
fn words_near_a_keyword_are_no_hosts() {
    assert_eq!("preserve".parse::<HostRule>().unwrap(), HostRule::Preserve);
    assert_eq!(
        "a.example:80".parse::<HostRule>().unwrap(),
        HostRule::Fixed("a.example:80".into())
    );
    assert!(
        error::<HostRule>("presrve")
            .hint
            .unwrap()
            .contains("preserve")
    );
    assert!(error::<HostRule>("a b").hint.is_some());
}

#[test]
fn names_are_labels() {
    assert!("orders_v1.eu-west".parse::<Name>().is_ok());
    assert!(
        error::<Name>("my orders")
            .hint
            .unwrap()
            .contains("my_orders")
    );
    for bad in ["", "-a", ".", &"a".repeat(65), "\u{e9}"] {
        assert!(bad.parse::<Name>().is_err(), "{bad}");
    }
}

#[test]
fn methods_are_upper_case() {
    for good in ["GET", "PROPFIND", "M-SEARCH"] {
        assert_eq!(good.parse::<MethodName>().unwrap().to_string(), good);
    }
    assert!(error::<MethodName>("get").hint.unwrap().contains("`GET`"));
    assert!(error::<MethodName>("POTS").hint.unwrap().contains("`POST`"));
    assert!(error::<MethodName>("*").hint.unwrap().contains("leave"));
}

#[test]
fn statuses_of_errors() {
    for good in ["404", "4xx", "5xx", "default"] {
        assert_eq!(good.parse::<StatusPattern>().unwrap().to_string(), good);
    }
    assert!(
        error::<StatusPattern>("200")
            .hint
            .unwrap()
            .contains("400 to 599")
    );
    assert!(error::<StatusPattern>("6xx").hint.is_some());
}

#[test]
fn every_format_has_a_noun_and_a_parser() {
    for format in [
        "duration",
        "size",
        "rate",
        "share",
        "bind",
        "cidr",
        "endpoint",
        "host-rule",
        "file",
        "log-target",
        "field-name",
        "field-value",
        "method",
        "name",
        "status-pattern",
        "host",
        "path",
        "value-regex",
        "test-url",
        "template",
    ] {
        assert!(check(format, "x").is_some(), "{format}");
        assert!(noun(format) != "a text" || format == "template", "{format}");
    }
}
