//! `cargo bench -p lintel-state --bench limits`
//!
//! Budgets of a whole decision, key included: 0.3 µs at few keys, 0.6 µs at a million; 100 bytes a key.

use std::{hint::black_box, time::Duration};

use divan::Bencher;
use lintel_state::limit::{
    Change, FixedWindow, Key, Recent, Rule, SlidingWindow, Table, TokenBucket,
    stock::{Found, Stock},
};

fn main() {
    memory(1_000_000);
    divan::main();
}

const SECOND: Duration = Duration::from_secs(1);

/// What a table takes that is full of keys of which none is idle.
#[expect(clippy::print_stdout, reason = "figures beside the times")]
fn memory(keys: u64) {
    let Ok(rule) = TokenBucket::new(1, SECOND * 86_400, 1).map(Rule::TokenBucket) else {
        return;
    };
    let before = resident();
    let table = Table::new(usize::try_from(keys).unwrap_or(usize::MAX));
    let (mut held, mut displaced) = (0, 0);
    for number in 0..keys {
        let key = table.key().number(7).number(number).finish();
        let spent = table.spend(key, &rule, table.now(), 1);
        held += i64::from(spent.added);
        displaced += u64::from(spent.displaced);
    }
    let grown = resident().saturating_sub(before);
    println!(
        "{keys} keys, none idle: {held} held, {displaced} displaced, {} bytes of memory for each held",
        grown / u64::try_from(held).unwrap_or(1).max(1)
    );
}

/// Resident bytes of this process, by the kernel's account (`/proc/self/smaps_rollup`).
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

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
