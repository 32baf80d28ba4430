//! Logins of browsers at a provider that others' libraries speak for, and what attackers try.

use std::{fs, path::PathBuf, thread};

use lintel_testkit::{Origin, until};
use tempfile::TempDir;

use crate::support::{Authority, Gateway, Peer, key_pair, lintel, text};

/// A provider, a site behind a gateway, and room for the cookies of browsers.
struct Scene {
    authority: Authority,
    provider: Peer,
    origin: Origin,
    gateway: Gateway,
    folder: TempDir,
}

/// What a browser gets.
#[derive(Debug)]
struct Shown {
    status: u16,
    /// Where it is sent.
    to: String,
    /// Where it is.
    at: String,
    body: String,
}

const PAGE: &str = "https://shop.example.com/page?x=1";
const KEY: &str = "a-secret-of-at-least-thirty-two-bytes";

impl Scene {
    fn new(more: &str) -> Self {
        let authority = Authority::new();
        let (cert, key) = authority.issue("localhost");
        authority.issue("shop.example.com");
        let provider = Peer::start("provider.py", &[&cert, &key]);
        let origin = Origin::saying("found");
        let gateway = Gateway::start(&configuration(&authority, &provider, &origin, KEY, more));
        Self {
            authority,
            provider,
            origin,
            gateway,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn order(&mut self, line: &str) {
        assert_eq!(self.provider.order(line), "done");
    }

    fn asked(&mut self, what: &str) -> usize {
        let said = self.provider.order(&format!("asked {what}"));
        said.strip_prefix("asked ").unwrap().parse().unwrap()
    }

    fn jar(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a browser with cookies of its own gets, where it asks first.
    fn visit(&self, jar: &str, url: &str, fields: &[&str]) -> Shown {
        self.browse(jar, ["GET", "stay", url], fields)
    }

    /// What it gets, in the end if it follows.
    fn browse(&self, jar: &str, [method, follow, url]: [&str; 3], fields: &[&str]) -> Shown {
        let (ca, port) = (self.authority.ca(), self.gateway.listener("secure").port());
        let (port, jar) = (port.to_string(), text(self.jar(jar)));
        let asked = [&ca, &*port, &jar, method, follow, url];
        let said = Peer::ask("browser.py", &[&asked[..], fields].concat());
        let (body, rest) = said.rsplit_once('\n').unwrap();
        let mut words = rest.split(' ').map(str::to_owned);
        Shown {
            status: words.next().unwrap().parse().unwrap(),
            at: words.next().unwrap(),
            to: words.next().unwrap_or_default(),
            body: body.to_owned(),
        }
    }

    /// Somebody opens a page, and follows wherever it leads.
    fn open(&self, jar: &str, url: &str) -> Shown {
        self.browse(jar, ["GET", "follow", url], &["Accept: text/html"])
    }

    /// The URL at which the provider sends a browser back, which has not gone there yet.
    fn callback(&self, jar: &str) -> String {
        let sent = self.visit(jar, PAGE, &["Accept: text/html"]);
        assert_eq!(sent.status, 302, "{sent:?}");
        let back = self.visit(jar, &sent.to, &[]);
        assert!(
            back.to
                .starts_with("https://shop.example.com/oauth2/callback?")
        );
        back.to
    }

    /// A script of the page asks.
    fn script(&self, jar: &str) -> u16 {
        self.visit(jar, PAGE, &["Accept: application/json"]).status
    }
}

fn configuration(
    authority: &Authority,
    provider: &Peer,
    origin: &Origin,
    key: &str,
    more: &str,
) -> String {
    let (url, port, ca) = (origin.url(), provider.port(), authority.ca());
    let site = ca.replace("ca.pem", "shop.example.com");
    format!(
        "version: 1\nworkers: 2\nlisteners:\n  secure:\n    bind: 127.0.0.1:0\n    tls: {{ certificates: \
         [{{ cert: {site}.pem, key: {site}.key }}] }}\n\
         admin: {{ bind: 127.0.0.1:0 }}\nservices: {{ shop: {{ endpoints: [\"{url}\"] }} }}\n\
         defaults:\n  policies:\n    access_log: {{ format: json, to: stdout }}\n    oidc:\n\
         \x20     provider: https://localhost:{port}\n      client_id: shop\n      client_secret: s3cret/+\n\
         \x20     redirect_uri: https://shop.example.com/oauth2/callback\n      cookie_keys: [{key}]\n\
         \x20     fetch: {{ ca: {ca}, timeout: 60s, wait: 60s }}\n      timeout: 30s\n\
         \x20     forward: {{ X-User: claims.sub, X-Name: claims.name }}\n\
         \x20     logout: {{ to: /goodbye }}\n      {more}\n\
         routes:\n  all: {{ match: {{ path: \"/*\" }}, to: shop, timeout: 60s }}\n\
         \x20 goodbye: {{ match: {{ path: /goodbye }}, policies: {{ oidc: off }}, to: {{ respond: {{ status: 200, body: bye }} }} }}\n"
    )
}

#[test]
fn a_person_logs_in_and_out() {
    let mut scene = Scene::new("");
    let shown = scene.open("ada", PAGE);
    assert_eq!(
        (shown.status, &*shown.body, &*shown.at),
        (200, "found", PAGE)
    );
    let seen = scene.origin.seen().pop().unwrap();
    assert_eq!(seen.target, "/page?x=1");
    let told = ["x-user", "x-name", "cookie", "authorization"].map(|name| seen.header(name));
    assert_eq!(told, [Some("ada"), Some("Ada L."), None, None]);

    // The session is known from now on, and what the client claims is not believed.
    let jar = fs::read_to_string(scene.jar("ada")).unwrap();
    assert!(
        jar.contains("__Host-lintel") && !jar.contains("-login-"),
        "{jar}"
    );
    let session = jar
        .lines()
        .find(|line| line.contains("__Host-lintel"))
        .unwrap();
    let session = session.split('\t').next_back().unwrap();
    let cookies = format!("Cookie: theme=dark; __Host-lintel={session}");
    let shown = scene.visit("nobody", PAGE, &[&cookies, "X-User: root"]);
    assert_eq!(shown.status, 200);
    let seen = scene.origin.seen().pop().unwrap();
    assert_eq!(seen.header("x-user"), Some("ada"));
    assert_eq!(seen.header("cookie"), Some("theme=dark"));
    assert_eq!(scene.asked("authorize"), 1);

    let logout = "https://shop.example.com/oauth2/logout";
    let from = ["Sec-Fetch-Site: same-origin"];
    let shown = scene.browse("ada", ["GET", "follow", logout], &from);
    assert_eq!((shown.status, &*shown.body), (200, "bye"));
    assert_eq!(shown.at, "https://shop.example.com/goodbye");
    assert_eq!(scene.provider.order("ended"), "ended ada");
    assert_eq!(scene.script("ada"), 401);

    // Neither codes nor states are in the access log, nor what is in the cookie.
    let log = scene.gateway.stdout();
    assert!(
        log.contains("code=***") && log.contains("state=***"),
        "{log}"
    );
    assert!(!log.contains(session));
}

#[test]
fn answers_that_a_browser_did_not_ask_for_are_worth_nothing() {
    let mut scene = Scene::new("");
    let forged = "https://shop.example.com/oauth2/callback?code=c0ffee&state=made-up";
    assert_eq!(scene.visit("ada", forged, &[]).status, 400);

    // Somebody is sent to a callback that an attacker has got for himself.
    let callback = scene.callback("eve");
    let shown = scene.visit("ada", &callback, &[]);
    assert_eq!(shown.status, 400, "{shown:?}");
    assert_eq!(scene.asked("authorization_code"), 0);

    // It is good once, in the browser that it is for, with all that belongs to it.
    let (rest, _) = callback.split_once("&code=").unwrap();
    for broken in [
        format!("{callback}&state=made-up"),
        format!("{callback}&code=made-up"),
        rest.to_owned(),
    ] {
        let other = scene.callback("mallory");
        let (_, tail) = broken.split_once("callback?").unwrap();
        assert_eq!(scene.visit("mallory", &broken, &[]).status, 400, "{tail}");
        drop(other);
    }
    assert_eq!(scene.visit("eve", &callback, &[]).status, 302);
    assert_eq!(scene.visit("eve", &callback, &[]).status, 400, "replayed");
    assert_eq!(scene.asked("authorization_code"), 1);

    // Two tabs at once.
    let (one, two) = (scene.callback("tabs"), scene.callback("tabs"));
    assert_eq!(scene.visit("tabs", &one, &[]).status, 302);
    assert_eq!(scene.visit("tabs", &two, &[]).status, 302);
}

#[test]
fn what_the_provider_says_is_checked() {
    let mut scene = Scene::new("");
    for (broken, status, cause) in [
        ("nonce", 502, "nonce_differs"),
        ("audience", 502, "audience"),
        ("issuer", 502, "issuer"),
        ("azp", 502, "azp_differs"),
        ("at_hash", 502, "at_hash_differs"),
        ("signature", 502, "signature"),
        ("expired", 502, "expired"),
        ("no_id_token", 502, "id_token_missing"),
        ("iss_missing", 400, "issuer_missing"),
        ("iss_other", 400, "issuer_differs"),
        ("deny", 403, "access_denied: ada changed her mind"),
        ("away", 503, "temporarily_unavailable"),
        ("garbage", 503, "can't be read"),
        ("huge", 503, "more than"),
    ] {
        scene.order(&format!("break {broken}"));
        let shown = scene.open("ada", PAGE);
        assert_eq!(shown.status, status, "{broken}: {shown:?}");
        assert!(!shown.body.contains("localhost"), "{shown:?}");
        until(&format!("the log says {cause}"), || {
            scene.gateway.stdout().contains(cause).then_some(())
        });
        assert_eq!(scene.script("ada"), 401, "{broken}");
    }
    scene.order("break nothing");
    assert_eq!(scene.open("ada", PAGE).status, 200);
    assert!(
        scene.origin.seen().len() == 1,
        "nothing went upstream before"
    );
}

#[test]
fn a_login_leads_to_no_other_site() {
    let scene = Scene::new("");
    for (to, at) in [
        ("/cart%3Fx=1", "/cart?x=1"),
        ("//evil.example/", "/"),
        ("/%5Cevil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/a%0d%0aX-Evil:1", "/"),
    ] {
        let url = format!("https://shop.example.com/oauth2/login?return_to={to}");
        let shown = scene.open(&format!("ada{}", to.len()), &url);
        assert_eq!(shown.at, format!("https://shop.example.com{at}"), "{to}");
    }
    // Also where the path itself looks like a host.
    let shown = scene.open("path", "https://shop.example.com//evil.example/");
    assert!(
        shown.at.starts_with("https://shop.example.com/"),
        "{shown:?}"
    );
}

#[test]
fn other_sites_log_nobody_out() {
    let scene = Scene::new("");
    scene.open("ada", PAGE);
    let url = "https://shop.example.com/oauth2/logout";
    let foreign = "Sec-Fetch-Site: cross-site";
    assert_eq!(scene.visit("ada", url, &[foreign]).status, 200);
    let origin = "Origin: https://evil.example";
    for header in [foreign, origin] {
        let posted = scene.browse("ada", ["POST", "stay", url], &[header]);
        assert_eq!(posted.status, 403, "{header}");
    }
    assert_eq!(scene.script("ada"), 200);
    let own = "Origin: https://shop.example.com";
    let posted = scene.browse("ada", ["POST", "stay", url], &[own]);
    assert_eq!(posted.status, 303);
    assert_eq!(scene.script("ada"), 401);
}

#[test]
fn parallel_requests_refresh_a_session_once() {
    // Each request comes within the time of refreshing.
    let mut scene = Scene::new("session: { refresh_ahead: 1h }\n      forward_access_token: true");
    scene.order("life 1800");
    assert_eq!(scene.open("ada", PAGE).status, 200);
    let before = scene.asked("refresh_token");
    let old = fs::read(scene.jar("ada")).unwrap();
    scene.order("life 7200");
    thread::scope(|scope| {
        for tab in 0..8 {
            let (scene, old) = (&scene, &old);
            scope.spawn(move || {
                let jar = format!("tab{tab}");
                fs::write(scene.jar(&jar), old).unwrap();
                assert_eq!(scene.script(&jar), 200);
                // What it has got is good.
                assert_eq!(scene.script(&jar), 200);
            });
        }
    });
    assert_eq!(scene.asked("refresh_token"), before + 1);
    let seen = scene.origin.seen().pop().unwrap();
    assert!(seen.header("authorization").unwrap().starts_with("Bearer "));
    // The refresh of another account is no refresh of this one.
    scene.order("life 1800");
    fs::remove_file(scene.jar("ada")).unwrap();
    scene.open("ada", PAGE);
    scene.order("break subject");
    scene.script("ada");
    assert!(
        scene
            .origin
            .seen()
            .iter()
            .all(|seen| seen.header("x-user") == Some("ada"))
    );
}

#[test]
fn a_session_ends_when_the_provider_says_so_and_not_when_it_is_away() {
    let mut scene = Scene::new("session: { refresh_ahead: 0s }");
    scene.order("life 1");
    assert_eq!(scene.open("ada", PAGE).status, 200);
    scene.order("break away");
    let mut refreshed = 0;
    until("the provider is asked in vain", || {
        assert_eq!(scene.script("ada"), 200, "the session goes on");
        refreshed = scene.asked("refresh_token");
        let page = scene.gateway.ask("/metrics").text();
        page.contains(r#"grant="refresh_token",result="failed""#)
            .then_some(())
    });
    assert_eq!(scene.open("new", PAGE).status, 503, "nobody logs in");
    scene.order("break nothing");
    scene.order("revoke");
    until("the session is over", || {
        (scene.script("ada") == 401).then_some(())
    });
    let jar = fs::read_to_string(scene.jar("ada")).unwrap();
    assert!(!jar.contains("__Host-lintel"), "{jar}");
    scene.order("life 3600");
    assert_eq!(scene.open("ada", PAGE).status, 200, "one logs in again");
}

#[test]
fn keys_rotate_and_strange_ones_open_nothing() {
    let scene = Scene::new("");
    assert_eq!(scene.open("ada", PAGE).status, 200);
    let with = |key: &str| {
        let Scene {
            authority,
            provider,
            origin,
            ..
        } = &scene;
        scene
            .gateway
            .write(&configuration(authority, provider, origin, key, ""));
        assert!(scene.gateway.reload().status.success());
    };
    let new = "another-secret-of-at-least-thirty-two-bytes";
    with(&format!("{new}, {KEY}"));
    assert_eq!(scene.script("ada"), 200);
    with(new);
    assert_eq!(scene.script("ada"), 401);
}

#[test]
fn large_sessions_are_split_and_huge_ones_refused() {
    let mut scene = Scene::new("");
    scene.order("pad 5000");
    assert_eq!(scene.open("ada", PAGE).status, 200);
    assert_eq!(scene.script("ada"), 200);
    let jar = fs::read_to_string(scene.jar("ada")).unwrap();
    assert!(jar.contains("__Host-lintel-1\t"), "{jar}");
    assert_eq!(scene.origin.seen().pop().unwrap().header("cookie"), None);
    scene.order("pad 9000");
    let shown = scene.open("large", PAGE);
    assert_eq!(shown.status, 502, "{shown:?}");
    assert!(shown.body.contains("session_too_large"), "{shown:?}");
}

#[test]
fn a_callback_that_nobody_takes_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    let checked = |path: &str| {
        let yaml = format!(
            "version: 1\nlisteners: {{ public: {{ bind: 127.0.0.1:0 }} }}\nroutes:\n  shop:\n\
             \x20   match: {{ path: /shop/* }}\n    to: {{ respond: {{ status: 200 }} }}\n    policies:\n\
             \x20     oidc:\n        provider: https://login.example.com\n        client_id: shop\n\
             \x20       redirect_uri: https://shop.example.com{path}\n        cookie_keys: [{KEY}]\n\
             \x20 open: {{ match: {{ path: \"/*\" }}, to: {{ respond: {{ status: 200 }} }} }}\n"
        );
        fs::write(&file, yaml).unwrap();
        let output = lintel(&["check", &text(&file)]);
        assert!(output.status.success());
        [output.stdout, output.stderr]
            .map(|said| String::from_utf8(said).unwrap())
            .concat()
    };
    let said = checked("/oauth2/callback");
    assert!(said.contains("no login ends"), "{said}");
    let said = checked("/shop/oauth2/callback");
    assert!(!said.contains("no login ends"), "{said}");
}

#[test]
fn a_session_that_is_revoked_ends() {
    let scene = Scene::new("");
    assert_eq!(scene.open("ada", PAGE).status, 200);
    assert_eq!(scene.open("eve", PAGE).status, 200);
    let number = lintel_testkit::until("the session is logged", || {
        let log = scene.gateway.stdout();
        let mut lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.find_map(|line| Some(line.get("credential")?.as_str()?.to_owned()))
    });
    let plain = fs::read_to_string(scene.gateway.config()).unwrap();
    scene.gateway.write(&format!(
        "{plain}\nrevocations: {{ entries: [{{ jti: {number} }}] }}\n"
    ));
    assert!(scene.gateway.reload().status.success());
    assert_eq!([scene.script("ada"), scene.script("eve")], [401, 200]);
    // She may log in again; not so where all of hers is taken back.
    assert_eq!(scene.open("ada", PAGE).status, 200);
    assert_eq!(scene.script("ada"), 200);
    scene.gateway.write(&format!(
        "{plain}\nrevocations: {{ entries: [{{ sub: ada, before: 9999999999 }}] }}\n"
    ));
    assert!(scene.gateway.reload().status.success());
    assert_eq!(
        [scene.script("ada"), scene.script("eve")],
        [401, 401],
        "all are ada"
    );
}

#[test]
fn a_key_proves_who_the_site_is_and_services_get_tokens_of_their_own() {
    let mut scene = Scene::new("");
    let [key, public] = key_pair(scene.folder.path());
    scene.order(&format!("trust {public}"));
    let client = format!("client_key: {{ pem: \"${{file.{key}}}\", id: key-1 }}");
    let (port, ca) = (scene.provider.port(), scene.authority.ca());
    let yaml = configuration(
        &scene.authority,
        &scene.provider,
        &scene.origin,
        KEY,
        "forward_access_token: true",
    );
    let yaml = yaml.replace("client_secret: s3cret/+", &client).replace(
        "routes:\n  all: { match: { path: \"/*\" },",
        &format!(
            "routes:\n  all: {{ match: {{ path: \"/*\" }}, policies: {{ token_exchange: {{ \
             provider: \"https://localhost:{port}\", client_id: shop, {client}, audience: [orders], \
             fetch: {{ ca: {ca} }} }} }},"
        ),
    );
    scene.gateway.write(&yaml);
    let reloaded = scene.gateway.reload();
    assert!(reloaded.status.success(), "{reloaded:?}");
    let shown = scene.open("ada", PAGE);
    assert_eq!((shown.status, &*shown.body), (200, "found"));
    let seen = scene.origin.seen().pop().unwrap();
    assert_eq!(
        seen.header("authorization"),
        Some("Bearer ada-for-orders-1")
    );
}
