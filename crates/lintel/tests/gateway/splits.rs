//! Splits, over whole processes.

use lintel_testkit::{Client, Origin, Reply};

use crate::support::{Gateway, with_routes};

fn split(more: &str) -> (Origin, String) {
    let origin = Origin::saying("");
    let url = origin.url();
    let yaml = with_routes(&format!(
        "services: {{ v1: {{ endpoints: [\"{url}\"] }}, v2: {{ endpoints: [\"{url}\"] }} }}\n\
         routes: {{ all: {{ match: {{ path: \"/*\" }}, policies: {{ access_log: {{ to: stdout }} }}, \
         to: {{ split: {{ services: {{ v1: 1, v2: 1 }}, header: X-Variant, {more} }} }} }} }}"
    ));
    (origin, yaml)
}

fn ask(client: &mut Client, field: &str) -> Reply {
    client
        .send(format!("GET / HTTP/1.1\r\nHost: test\r\n{field}\r\n\r\n"))
        .reply()
}

#[test]
fn replicas_agree_on_every_user() {
    let (_origin, yaml) = split("sticky: 'request.headers[\"x-user\"]'");
    let (one, two) = (Gateway::start(&yaml), Gateway::start(&yaml));
    let (mut one, mut two) = (one.client(), two.client());
    let variants: Vec<String> = (0..40)
        .map(|user| {
            let field = format!("X-User: {user}");
            let here = ask(&mut one, &field)
                .header("x-variant")
                .unwrap()
                .to_owned();
            assert_eq!(ask(&mut two, &field).header("x-variant"), Some(&*here));
            here
        })
        .collect();
    assert!(variants.iter().any(|name| name == "v1") && variants.iter().any(|name| name == "v2"));
}

#[test]
fn a_client_without_a_name_is_known_by_its_cookie() {
    let (origin, yaml) = split("cookie: { name: cohort }");
    let gateway = Gateway::start(&yaml);
    for _ in 0..10 {
        let first = ask(&mut gateway.client(), "X-Variant: forged");
        let set = first.header("set-cookie").unwrap();
        assert!(
            set.ends_with("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"),
            "{set}"
        );
        let (cookie, _) = set.split_once(';').unwrap();
        let again = ask(&mut gateway.client(), &format!("Cookie: {cookie}"));
        assert_eq!(again.header("x-variant"), first.header("x-variant"));
        assert_eq!(again.header("set-cookie"), None);
    }
    let forged = origin
        .seen()
        .iter()
        .any(|seen| seen.header("x-variant") == Some("forged"));
    assert!(!forged);
}

#[test]
fn what_was_chosen_is_logged_and_counted() {
    let (_origin, yaml) = split("override: { cookie: variant }");
    let gateway = Gateway::start(&yaml);
    ask(&mut gateway.client(), "Cookie: variant=v2");
    let metrics = gateway.ask("/metrics").text();
    let count = "lintel_split_requests_total{route=\"all\",variant=\"v2\",by=\"override\"} 1";
    assert!(metrics.contains(count), "{metrics}");
    lintel_testkit::until("the request is logged", || {
        gateway
            .stdout()
            .contains("\"variant\":\"v2\"")
            .then_some(())
    });
}
