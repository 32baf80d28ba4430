//! `cargo bench -p lintel-state --bench limits`
//!
//! Budgets of a whole decision, key included: 0.3 µs at few keys, 0.6 µs at a million; 100 bytes a key.

use std::{hint::black_box, time::Duration};

use divan::Bencher;
use lintel_state::limit::{
    Change, FixedWindow, Key, Recent, Rule, SlidingWindow, Table, TokenBucket,
    stock::{Found, Stock},
};

#[expect(clippy::print_stdout, reason = "a figure beside the times")]
fn main() {
    let keys = 1_000_000;
    println!(
        "{} bytes for each of a million keys",
        Table::new(keys).bytes() / keys
    );
    divan::main();
}

const SECOND: Duration = Duration::from_secs(1);

fn decide(bencher: Bencher<'_, '_>, rule: Result<Rule, lintel_state::limit::Invalid>, keys: u64) {
    let Ok(rule) = rule else { return };
    let table = Table::new(1_000_000);
    let spend = |number: u64| {
        let key = table.key().number(7).number(number).finish();
        table.spend(key, &rule, table.now(), 1).outcome.is_ok()
    };
    for number in 0..keys {
        spend(number);
    }
    bencher
        .with_inputs(|| fastrand::u64(..keys))
        .bench_local_values(|number| black_box(spend(number)));
}

#[divan::bench(args = [10, 1_000_000])]
fn token_bucket(bencher: Bencher<'_, '_>, keys: u64) {
    let rule = TokenBucket::new(1_000_000, SECOND, 1_000_000);
    decide(bencher, rule.map(Rule::TokenBucket), keys);
}

#[divan::bench(args = [10, 1_000_000])]
fn sliding_window(bencher: Bencher<'_, '_>, keys: u64) {
    let rule = SlidingWindow::new(1_000_000, SECOND);
    decide(bencher, rule.map(Rule::SlidingWindow), keys);
}

#[divan::bench(args = [10, 1_000_000])]
fn fixed_window(bencher: Bencher<'_, '_>, keys: u64) {
    let rule = FixedWindow::new(1_000_000, SECOND);
    decide(bencher, rule.map(Rule::FixedWindow), keys);
}

/// Of what is held of a limit ahead of need, as a lease decides.
#[divan::bench(args = [10, 1_000_000])]
fn leased(bencher: Bencher<'_, '_>, keys: u64) {
    let table = Table::new(1_000_000);
    let take = |number: u64| {
        let key = table.key().number(7).number(number).finish().beside();
        let now = table.now();
        let updated = table.update(key, now, |state| {
            let mut stock = Stock::read(state);
            if let Found::Ask = stock.take(now, 1, 1_000) {
                stock.fill(now, 1_000, 1, 1_000);
            }
            Change::To {
                state: stock.state(),
                idle_from: stock.idle_from(),
                result: (),
            }
        });
        updated.result.is_some()
    };
    for number in 0..keys {
        take(number);
    }
    bencher
        .with_inputs(|| fastrand::u64(..keys))
        .bench_local_values(|number| black_box(take(number)));
}

/// What load shedding looks at before a request, and counts after it: four counts, and two.
#[divan::bench(args = [10, 200_000])]
fn load_shed(bencher: Bencher<'_, '_>, keys: u64) {
    let table = Table::new(1_000_000);
    let recent = Recent::new(10 * SECOND);
    let decide = |number: u64| {
        let whom = table.key().number(7).number(number).finish().word();
        let now = table.now();
        let seen: f64 = (0..4)
            .map(|part| recent.count(table.state(Key::numbered(whom, part)), now))
            .sum();
        for part in [1, 3] {
            table.update(Key::numbered(whom, part), now, |state| Change::To {
                state: recent.add(state, now),
                idle_from: recent.idle_from(now),
                result: (),
            });
        }
        seen
    };
    for number in 0..keys {
        decide(number);
    }
    bencher
        .with_inputs(|| fastrand::u64(..keys))
        .bench_local_values(|number| black_box(decide(number)));
}

/// A refusal, which changes nothing.
#[divan::bench]
fn refused(bencher: Bencher<'_, '_>) {
    let rule = TokenBucket::new(1, SECOND * 86_400, 1);
    decide(bencher, rule.map(Rule::TokenBucket), 10);
}
