#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{config::Config, verify::Credentials};
use crate::{
    Chain, Context,
    testing::{chain, exchange, pass},
};

/// The bcrypt hash of a text with the least of costs.
fn hash(text: &str) -> String {
    bcrypt::hash_with_salt(text, 4, *b"sixteen bytes...")
        .unwrap()
        .to_string()
}

fn authorization(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

async fn with(chain: &Chain, credentials: &str) -> (u16, String, bool) {
    let value = authorization(credentials);
    let mut exchange = exchange("/", &[("authorization", &value)]);
    let (passed, waited) = pass(chain, &mut exchange).await;
    match passed {
        Ok(()) => {
            assert!(exchange.request.headers.is_empty(), "the password is gone");
            let who = exchange.identity.as_ref().unwrap();
            let consumer = exchange.consumer().map_or("-", |consumer| &*consumer.name);
            let named = format!("{} {consumer}", who.credential.as_deref().unwrap());
            (200, named, waited)
        }
        Err(no) => (no.status.as_u16(), exchange.cause.unwrap().into(), waited),
    }
}

#[tokio::test]
async fn names_and_passwords_are_known_once_verified() {
    let users = format!(
        "# people\n\nada:{}\r\ngrace:{}\n",
        hash("countess"),
        hash("a:b")
    );
    let chain = chain(
        json!({"basic_auth": {"users": users}}),
        json!({
            "acme": {"basic": [{"hash": hash("roadrunner")}, {"username": "wile", "hash": hash("coyote")}]},
        }),
    );
    for (credentials, status, told) in [
        ("ada:countess", 200, "ada -"),
        ("grace:a:b", 200, "grace -"),
        ("acme:roadrunner", 200, "acme acme"),
        ("wile:coyote", 200, "wile acme"),
        ("ada:roadrunner", 401, "password_wrong: ada"),
        ("nobody:roadrunner", 401, "user_unknown"),
        // The decoy is somebody's hash: their password must not let others in.
        ("nobody-else:countess", 401, "user_unknown"),
        ("Ada:countess", 401, "user_unknown"),
        (":countess", 401, "user_unknown"),
    ] {
        let first = with(&chain, credentials).await;
        assert_eq!((first.0, &*first.1), (status, told), "{credentials}");
        let again = with(&chain, credentials).await;
        assert_eq!(
            again,
            (status, told.to_owned(), false),
            "{credentials}, remembered"
        );
    }
}

#[tokio::test]
async fn unknown_names_take_the_same_work() {
    let consumers = json!({"acme": {"basic": [{"hash": hash("same-work")}]}});
    let chain = chain(json!({"basic_auth": {}}), consumers);
    assert!(
        with(&chain, "acme:never-seen").await.2,
        "a wrong password is computed"
    );
    assert!(
        with(&chain, "nobody:not-seen-either").await.2,
        "so is an unknown name's"
    );
}

#[test]
fn credentials_are_read_as_the_rfc_says() {
    // RFC 7617 §2 and §2.1.
    for text in [
        "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "dGVzdDoxMjPCow==",
        "dGVzdDoxMjPCow",
    ] {
        assert!(Credentials::decode(text).is_some(), "{text}");
    }
    let encode = |bytes: &[u8]| STANDARD.encode(bytes);
    for text in [
        "",
        "%",
        "QWxhZGRpbjpv cGVu",
        &encode(b"no-colon"),
        &encode(b"latin:\xa3"),
        &encode(b"a:b\nc"),
        &encode(b"a\0:b"),
        &encode(format!("a:{}", "b".repeat(1025)).as_bytes()),
    ] {
        assert!(Credentials::decode(text).is_none(), "{text}");
    }
}

#[tokio::test]
async fn a_broken_credential_is_no_missing_one() {
    let chain = chain(
        json!({"basic_auth": {}, "anonymous": {}}),
        json!({"acme": {"basic": [{"hash": hash("x")}]}}),
    );
    for (fields, cause) in [
        (&[("authorization", "Basic !")][..], "credential_malformed"),
        (
            &[
                ("authorization", "Basic YTpi"),
                ("authorization", "Basic YTpi"),
            ],
            "credential_unclear",
        ),
    ] {
        let mut exchange = exchange("/", fields);
        assert!(pass(&chain, &mut exchange).await.0.is_err());
        assert_eq!(exchange.cause.as_deref(), Some(cause));
    }
    let mut bearer = exchange("/", &[("authorization", "Bearer x")]);
    assert!(
        pass(&chain, &mut bearer).await.0.is_ok(),
        "another scheme is not for this policy"
    );
}

#[test]
fn mistakes_say_what_to_write_and_show_no_secret() {
    let consumer: crate::ConsumerConfig =
        serde_json::from_value(json!({"basic": [{"hash": hash("x")}]})).unwrap();
    let context = Context {
        consumers: std::sync::Arc::new(crate::Directory::build([("acme", &consumer)]).unwrap()),
        ..Context::default()
    };
    let faults = |value: Value| {
        let config: Config = serde_json::from_value(value).unwrap();
        let fault = config.build(&context).err().unwrap().remove(0);
        assert!(fault.hint.is_some());
        (fault.path.join("."), fault.message)
    };
    for (value, path, words) in [
        (json!({"users": "ada"}), "users", "line 1: there is no `:`"),
        (
            json!({"users": "\n\nada:hunter2"}),
            "users",
            "line 3: this is no password hash",
        ),
        (
            json!({"users": ":hunter2"}),
            "users",
            "can't be a user name",
        ),
        (
            json!({"users": format!("a:{0}\na:{0}", hash("x"))}),
            "users",
            "already",
        ),
        (
            json!({"users": format!("acme:{}", hash("x"))}),
            "users",
            "consumer `acme`",
        ),
        (json!({"realm": "\""}), "realm", "quotes"),
    ] {
        let (at, message) = faults(value);
        assert!(at == path && message.contains(words), "{at}: {message}");
        assert!(!message.contains("hunter2"));
    }
    let bad: crate::ConsumerConfig = serde_json::from_value(
        json!({"basic": [{"username": "a:b", "hash": hash("x")}, {"hash": "hunter2"}]}),
    )
    .unwrap();
    let faults = crate::Directory::build([("acme", &bad)]).err().unwrap();
    let paths: Vec<String> = faults.iter().map(|fault| fault.path.join(".")).collect();
    assert_eq!(paths, ["acme.basic.0.username", "acme.basic.1.hash"]);
}
