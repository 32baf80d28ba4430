#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_700_000_000;

fn token(name: &str, issuer: &str) -> Entry {
    Entry {
        what: What::Token(name.into()),
        issuer: issuer.into(),
        until: NOW + 100,
    }
}

fn subject(name: &str, before: u64) -> Entry {
    Entry {
        what: What::Subject(name.into(), before),
        issuer: "".into(),
        until: NOW + 100,
    }
}

fn bearer<'a>(token: &'a str, subject: &'a str, issued: Option<u64>) -> Bearer<'a> {
    Bearer {
        token: Some(token),
        subject: Some(subject),
        issuer: Some("https://a.example/"),
        issued,
    }
}

#[test]
fn what_is_revoked_is_meant_and_nothing_else() {
    let revoked = Revoked::default();
    let before = revoked.number();
    revoked.write(&[
        token("t-1", ""),
        token("t-2", "https://a.example/"),
        token("t-3", "https://b.example/"),
        subject("ada", NOW - 10),
    ]);
    assert!(revoked.number() > before);
    for (bearer, meant) in [
        (bearer("t-1", "bob", Some(NOW)), true),
        (bearer("t-2", "bob", Some(NOW)), true),
        (bearer("t-3", "bob", Some(NOW)), false),
        (bearer("bob", "t-1", Some(NOW)), false),
        (bearer("t-9", "ada", Some(NOW - 10)), true),
        (bearer("t-9", "ada", Some(NOW - 9)), false),
        (bearer("t-9", "ada", None), true),
        (bearer("ada", "bob", None), false),
        (Bearer::default(), false),
    ] {
        assert_eq!(revoked.means(&bearer, NOW), meant, "{bearer:?}");
    }
    // What is over is over, also before it is forgotten.
    assert!(!revoked.means(&bearer("t-1", "bob", Some(NOW)), NOW + 100));
}

#[test]
fn both_lists_hold_and_neither_replaces_the_other() {
    let revoked = Revoked::default();
    revoked.write(&[token("t-1", "")]);
    assert!(revoked.share(|entries| entries.add(token("t-2", ""))));
    let holds = |name| revoked.means(&bearer(name, "", None), NOW);
    assert!(holds("t-1") && holds("t-2"));
    revoked.write(&[]);
    assert!(!holds("t-1") && holds("t-2"));
    assert!(revoked.share(|entries| entries.remove(&token("t-2", ""))));
    assert!(!holds("t-2") && revoked.is_empty());
    assert!(!revoked.share(|entries| entries.remove(&token("t-2", ""))));
}

#[test]
fn entries_of_one_name_are_one() {
    let mut entries = Entries::default();
    assert!(entries.add(subject("ada", 5)));
    assert!(!entries.add(subject("ada", 3)), "it means less");
    assert!(entries.add(subject("ada", 7)));
    assert!(entries.add(token("ada", "")));
    assert!(entries.add(token("ada", "https://a.example/")));
    assert_eq!(entries.len(), 3);
    assert!(entries.mean(&bearer("", "ada", Some(7)), NOW));
    assert!(entries.forget(NOW + 100) && entries.len() == 0);
}

proptest! {
    /// What a store keeps is what was given to it, whatever is in the names.
    #[test]
    fn entries_are_read_as_they_were_written(name in ".{0,40}", issuer in ".{0,40}", before in any::<u64>(), is_token in any::<bool>()) {
        let what = match is_token {
            true => What::Token(name.into()),
            false => What::Subject(name.into(), before),
        };
        let entry = Entry { what, issuer: issuer.into(), until: NOW };
        prop_assert_eq!(Entry::read(&entry.id(), entry.before(), NOW).unwrap(), entry);
    }

    /// What others have put there does no harm.
    #[test]
    fn garbage_is_no_entry_or_one_that_writes_as_it_reads(id in ".{0,20}|[ts][0-9]{1,3}:.{0,9}") {
        if let Some(entry) = Entry::read(&id, 0, 0) {
            prop_assert_eq!(Entry::read(&entry.id(), 0, 0).unwrap(), entry);
        }
    }
}
