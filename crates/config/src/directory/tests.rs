#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use lintel_policies::{Context, Directory, keys::sha256_hex};
use lintel_state::store::Record;
use proptest::prelude::*;
use rustc_hash::FxHashSet;
use serde_json::{Value, json};

use super::{Kind, Register, Terms};

fn register() -> Register {
    Register::new(Terms {
        context: Context::default(),
        declared: Arc::new(Directory::default()),
        consumers: Arc::new(FxHashSet::default()),
        plans: Arc::new(BTreeSet::new()),
        secrets: false,
    })
}

fn record(kind: Kind, name: &str, number: u64, value: Option<&Value>) -> Record {
    Record {
        name: kind.record(name),
        number,
        text: value.map(|value| value.to_string().into()),
    }
}

fn consumer(name: usize, number: u64, key: usize, plan: Option<&str>) -> Record {
    let value =
        json!({ "api_keys": [{ "sha256": sha256_hex(&format!("key-{key}")) }], "plan": plan });
    let value = match plan {
        Some(_) => value,
        None => json!({ "api_keys": value["api_keys"] }),
    };
    record(Kind::Consumer, &format!("c{name}"), number, Some(&value))
}

/// Who is in use, and with which keys; and who is not.
fn known(register: &Register) -> (Vec<(String, String)>, Vec<String>) {
    let entries = register.entries(Kind::Consumer, None, usize::MAX);
    let used = entries
        .iter()
        .map(|entry| (entry.name.to_string(), entry.value.to_string()));
    let status = register.status();
    (
        used.collect(),
        status.faults.into_iter().map(|(name, _)| name).collect(),
    )
}

proptest! {
    /// Whatever changes in whatever parts: what is in use is what it would be had all been told at
    /// once, as long as nobody has what another has.
    #[test]
    fn changes_come_to_the_same_as_the_whole(
        changes in proptest::collection::vec((0usize..600, any::<bool>(), 0u8..4), 1..900),
        parts in 1usize..40,
    ) {
        let (register, mut last) = (register(), BTreeMap::new());
        let silver = record(Kind::Plan, "p", 1, Some(&json!({})));
        register.try_out(vec![silver.clone()]);
        for (turn, some) in changes.chunks(parts).enumerate() {
            let mut told = Vec::new();
            for (at, (name, there, plan)) in some.iter().enumerate() {
                let number = (turn * parts + at + 2) as u64;
                let plan = (*plan == 0).then_some("p");
                let one = match there {
                    true => consumer(*name, number, *name + usize::from(plan.is_some()) * 1000, plan),
                    false => record(Kind::Consumer, &format!("c{name}"), number, None),
                };
                last.insert(*name, one.clone());
                told.push(one);
            }
            register.try_out(told);
        }
        let whole = self::register();
        whole.try_out([silver].into_iter().chain(last.into_values()).collect());
        prop_assert_eq!(known(&register), known(&whole));
        prop_assert_eq!(known(&register).1, Vec::<String>::new());
    }
}

#[test]
fn of_two_with_one_key_the_first_holds_until_it_goes() {
    let register = register();
    register.try_out(vec![consumer(1, 1, 7, None)]);
    register.try_out(vec![consumer(2, 2, 7, None), consumer(3, 3, 8, None)]);
    let names = |register: &Register| {
        let (used, refused) = known(register);
        let used: Vec<String> = used.into_iter().map(|(name, _)| name).collect();
        (used.join(" "), refused.join(" "))
    };
    assert_eq!(
        names(&register),
        ("c1 c3".to_owned(), "consumers/c2".to_owned())
    );
    // One that had another key before keeps that.
    register.try_out(vec![consumer(3, 4, 7, None)]);
    assert_eq!(names(&register).0, "c1 c3");
    let third = register.entry(Kind::Consumer, "c3").unwrap();
    assert_eq!(third.number, 3);
    register.try_out(vec![record(Kind::Consumer, "c1", 5, None)]);
    assert_eq!(
        names(&register),
        ("c2 c3".to_owned(), "consumers/c3".to_owned())
    );
    // The same where all are built together.
    let whole = self::register();
    whole.try_out(
        (0..400)
            .map(|at| consumer(at + 10, at as u64 + 1, at + 10, None))
            .collect(),
    );
    whole.try_out(vec![consumer(1, 1_000, 300, None)]);
    let (used, refused) = known(&whole);
    assert_eq!(
        (used.len(), refused.join(" ")),
        (400, "consumers/c1".to_owned())
    );
}

#[test]
fn a_plan_in_use_stays_and_what_lacks_one_waits() {
    let register = register();
    register.try_out(vec![consumer(1, 1, 1, Some("gold"))]);
    assert_eq!(known(&register).1, ["consumers/c1"]);
    register.try_out(vec![record(
        Kind::Plan,
        "gold",
        2,
        Some(&json!({ "rate_limit": [{ "rate": "1/s" }] })),
    )]);
    assert_eq!(known(&register), (known(&register).0, vec![]));
    assert_eq!(register.status().consumers, 1);
    register.try_out(vec![record(Kind::Plan, "gold", 3, None)]);
    assert_eq!(known(&register).1, ["plans/gold"]);
    assert_eq!(register.status().plans, 1);
    register.try_out(vec![record(Kind::Consumer, "c1", 4, None)]);
    assert_eq!((known(&register).1, register.status().plans), (vec![], 0));
    // A mistake in a plan leaves it what it was.
    register.try_out(vec![record(Kind::Plan, "gold", 5, Some(&json!({})))]);
    register.try_out(vec![record(
        Kind::Plan,
        "gold",
        6,
        Some(&json!({ "rate_limit": [{ "rate": "1/s", "store": "none" }] })),
    )]);
    assert_eq!(register.entry(Kind::Plan, "gold").unwrap().number, 5);
    assert_eq!(known(&register).1, ["plans/gold"]);
}

#[test]
fn another_configuration_takes_over_what_is_known() {
    let before = register();
    before.try_out(vec![
        record(Kind::Plan, "gold", 1, Some(&json!({}))),
        consumer(1, 2, 1, Some("gold")),
        consumer(2, 3, 1, None),
    ]);
    let after = register();
    assert!(after.follow(&before).is_empty());
    assert_eq!(known(&after), known(&before));
    assert!(after.follows(&before));
    before.try_out(vec![consumer(3, 4, 3, None)]);
    assert!(!after.follows(&before));
    // One that declares who is known already would forget them.
    let mut terms = FxHashSet::default();
    terms.insert("c1".to_owned());
    let declaring = Register::new(Terms {
        consumers: Arc::new(terms),
        context: Context::default(),
        declared: Arc::new(Directory::default()),
        plans: Arc::default(),
        secrets: false,
    });
    let lost = declaring.follow(&before);
    assert_eq!(lost.len(), 1);
    assert_eq!((lost[0].0, &*lost[0].1), (Kind::Consumer, "c1"));
}

/// `cargo test --release -p lintel-config swap -- --ignored --nocapture`.
#[test]
#[ignore = "figures, and no check"]
#[expect(clippy::print_stderr, reason = "figures for whoever asks")]
fn how_long_a_swap_takes() {
    const ALL: usize = 100_000;
    let register = register();
    let all: Vec<Record> = (0..ALL)
        .map(|at| consumer(at, at as u64 + 1, at, None))
        .collect();
    let timed = |what: &str, work: &mut dyn FnMut()| {
        let begun = Instant::now();
        work();
        eprintln!("{what}: {:?}", begun.elapsed());
    };
    timed("all of 100,000 at once", &mut || {
        drop(register.try_out(all.clone()))
    });
    let mut number = ALL;
    timed("a hundred single changes", &mut || {
        for _ in 0..100 {
            number += 1;
            register.try_out(vec![consumer(number % ALL, number as u64, number, None)]);
        }
    });
    let next = self::register();
    timed("into another configuration", &mut || {
        drop(next.follow(&register))
    });
    assert_eq!(register.status().consumers, ALL);
}

#[test]
fn what_is_no_map_is_no_entry() {
    let register = register();
    let told = ["[]", "[null, [\"a\"]]", "7", "\"x\"", "null", "{{"].map(|text| Record {
        text: Some(text.into()),
        ..record(Kind::Consumer, text, 1, None)
    });
    register.try_out(told.to_vec());
    let status = register.status();
    assert_eq!((status.consumers, status.refused), (0, told.len()));
    for (name, why) in status.faults {
        assert!(
            why.starts_with("this is not what belongs here"),
            "{name}: {why}"
        );
    }
}

#[test]
fn names_can_be_written_down() {
    let (register, text) = (register(), Arc::<str>::from("{}"));
    for (name, fine) in [
        ("acme", true),
        ("ada@example.com", true),
        ("Zoë / 7", true),
        ("", false),
        ("a\nb", false),
        ("a\0", false),
        ("a\u{85}b", false),
    ] {
        let wrong = register.wrong(Kind::Consumer, name, Some(&text));
        assert_eq!(wrong.is_none(), fine, "{name:?}");
    }
    assert!(register.wrong(Kind::Consumer, "a\nb", None).is_none());
}
