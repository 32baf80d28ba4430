#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::Arc;

use super::{
    Busy, Checked, Hash, argon2id, check, facts,
    pool::{Pool, work},
    verify,
};

/// Of the reference implementation's `src/test.c`: password `password`, salt `somesalt`.
const REFERENCE: &str =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
/// From the test vectors of Openwall's crypt_blowfish: password `U*U`.
const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/// A cheap hash of `sesame`: 8 KiB and one pass.
fn cheap(salt: &[u8]) -> Arc<Hash> {
    use argon2::{Argon2, Params, PasswordHasher};
    let params = Params::new(8, 1, 1, None).unwrap();
    let hash = Argon2::from(params).hash_password_with_salt(b"sesame", salt);
    Arc::new(Hash::parse(&hash.unwrap().to_string()).unwrap())
}

#[test]
fn the_hashes_of_others_are_verified() {
    for (hash, good) in [(REFERENCE, "password"), (BCRYPT, "U*U")] {
        let hash = Hash::parse(hash).unwrap();
        assert!(hash.verify(good.as_bytes()));
        assert!(!hash.verify(b"Password"));
        assert!(!hash.verify(b""));
    }
}

#[test]
fn what_is_made_here_verifies_and_has_a_salt_of_its_own() {
    let (one, two) = (argon2id(b"sesame").unwrap(), argon2id(b"sesame").unwrap());
    assert_ne!(one, two);
    assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(Hash::parse(&one).unwrap().verify(b"sesame"));
}

#[test]
fn what_is_weak_broken_or_too_costly_is_refused() {
    for (text, words) in [
        ("", "no password hash"),
        ("sesame", "no password hash"),
        ("$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00", "MD5"),
        ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "SHA-1"),
        ("$6$saltsalt$x", "SHA-512"),
        ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ", "complete"),
        ("$argon2id$v=19$m=65536", "complete"),
        (
            "$argon2x$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "complete",
        ),
        (
            "$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "too much",
        ),
        (
            "$argon2id$v=19$m=65536,t=1000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "too much",
        ),
        (
            "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
            "complete",
        ),
        (
            "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "broken",
        ),
        (
            "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "cost",
        ),
    ] {
        let fault = Hash::parse(text).unwrap_err();
        assert!(fault.message.contains(words), "{text}: {}", fault.message);
        assert!(fault.hint.is_some(), "{text}");
    }
}

#[tokio::test]
async fn a_password_is_computed_once() {
    let hash = cheap(b"computed-once");
    assert_eq!(check(&hash, "sesame"), Checked::Unknown);
    let all = [
        verify(&hash, "sesame"),
        verify(&hash, "sesame"),
        verify(&hash, "wrong"),
    ];
    let [one, two, wrong] = all;
    let (one, two, wrong) = tokio::join!(one, two, wrong);
    assert_eq!((one, two, wrong), (Ok(true), Ok(true), Ok(false)));
    assert_eq!(check(&hash, "sesame"), Checked::Good);
    assert_eq!(check(&hash, "wrong"), Checked::Wrong);
    assert_eq!(check(&cheap(b"another-salt"), "sesame"), Checked::Unknown);
}

#[tokio::test]
async fn who_waits_for_one_that_was_given_up_goes_on() {
    let hash = cheap(b"given-up");
    // Nothing is computed until both wait.
    let (pool, jobs) = Pool::idle(4);
    let mut first = Box::pin(facts::verify(&pool, &hash, "sesame"));
    assert!(futures_poll_once(&mut first).await, "it is under way");
    let mut second = Box::pin(facts::verify(&pool, &hash, "sesame"));
    assert!(
        futures_poll_once(&mut second).await,
        "it waits for the first"
    );
    drop(first);
    std::thread::spawn(move || work(&jobs));
    assert_eq!(second.await, Ok(true));
}

/// Polls a future once; whether it is still pending.
async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())
    })
    .await
}

#[tokio::test]
async fn a_full_queue_says_so() {
    let idle = Pool::start(0, 2);
    assert_eq!(
        idle.submit(&cheap(b"no-threads"), "sesame").err(),
        Some(Busy)
    );

    let pool = Pool::start(1, 1);
    // Slow enough to be under way while the others come: 64 MiB twice.
    let slow = Arc::new(Hash::parse(REFERENCE).unwrap());
    let first = pool.submit(&slow, "password").unwrap();
    let mut waiting = Vec::new();
    let busy = loop {
        match pool.submit(&slow, "password") {
            Ok(answer) => waiting.push(answer),
            Err(busy) => break busy,
        }
    };
    assert_eq!(busy, Busy);
    assert!(waiting.len() <= 2, "one at work, one in the queue");
    drop(waiting);
    assert_eq!(first.await, Ok(true));
}
