//! What one failing call of six does to the answer, to those who wait for it and to who composes it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

use super::Scenario;
use super::compose::{HOME, LEGS, LOAD};
use crate::driver::Bench;
use crate::process::Tree;
use crate::proxies::Proxy;
use crate::screen::Connection;
use crate::table::{Table, figure, mib};
use crate::upstream::Fault;

/// Clients at once.
const CLIENTS: usize = 16;
/// The answers can't do without these.
const REQUIRED: usize = 2;

pub(super) fn run(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let mut table = Table::new(
        scenario.title,
        format!(
            "{CLIENTS} clients ask for the answer of *Six calls, one answer*, while one call after the other is *slow* (no answer; a \
             call has 800 ms), *down* (its connection closes), *wrong* (not JSON) or *huge* (8 MiB of JSON). Two of the six calls \
             are required. *Statuses* are those of the answers with how many there were, 0 is no answer; memory is the most that \
             was seen above what was resident before. The Express application sets no bound to what it reads."
        ),
        &[
            "call",
            "by",
            "statuses",
            "p50 ms",
            "p99 ms",
            "CPU µs",
            "memory MiB",
        ],
    );
    let turns = match bench.options.duration >= Duration::from_secs(2) {
        true => 20,
        false => 2,
    };
    for fault in Fault::ALL {
        for (kind, legs) in [
            ("required", LEGS.get(..REQUIRED)),
            ("optional", LEGS.get(REQUIRED..)),
        ] {
            for proxy in [Proxy::Lintel, Proxy::Express] {
                if !bench.options.proxies.contains(&proxy) {
                    continue;
                }
                let mut row = vec![format!("{}, {kind}", fault.name()), proxy.name().to_owned()];
                row.extend(outcome(
                    bench,
                    proxy,
                    fault,
                    legs.unwrap_or_default(),
                    turns,
                )?);
                eprintln!("  {}", row.join("  "));
                table.rows.push(row);
            }
        }
    }
    Ok(table)
}

/// Each of these calls fails in turn.
fn outcome(
    bench: &Bench,
    proxy: Proxy,
    fault: Fault,
    legs: &[&str],
    turns: u32,
) -> Result<[String; 5]> {
    let running = bench.start(proxy, LOAD)?;
    clients(running.http(), turns)?;
    let before = running.tree.resident()?;
    let cpu = running.tree.cpu_time()?;
    let mut answers = Answers::new()?;
    let port = bench.upstream.http;
    let most = watched(&running.tree, || {
        for leg in legs {
            Fault::set(port, Some((fault, leg)))?;
            answers.add(&clients(running.http(), turns)?)?;
        }
        Ok(())
    });
    Fault::set(port, None)?;
    let most = most?;
    let used = running.tree.cpu_time()?.0 - cpu.0;
    running.stop();
    Ok([
        answers.list(),
        figure(answers.waited.value_at_quantile(0.5) as f64 / 1e3),
        figure(answers.waited.value_at_quantile(0.99) as f64 / 1e3),
        figure(used * 1e6 / answers.waited.len() as f64),
        mib(most.saturating_sub(before) as f64),
    ])
}

/// The most memory that a program has while something is done.
fn watched(tree: &Tree, work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !over.load(Ordering::Relaxed) {
                most = most.max(tree.resident()?);
                thread::sleep(Duration::from_millis(20));
            }
            Ok(most)
        });
        let done = work();
        over.store(true, Ordering::Relaxed);
        let most = watch.join().ok().context("the watch panicked")?;
        done.and(most)
    })
}

/// What clients got.
struct Answers {
    statuses: BTreeMap<u16, u64>,
    /// In µs.
    waited: Histogram<u64>,
}

impl Answers {
    fn new() -> Result<Self> {
        Ok(Self {
            statuses: BTreeMap::new(),
            waited: Histogram::new(3)?,
        })
    }

    fn add(&mut self, others: &Self) -> Result<()> {
        for (status, count) in &others.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        Ok(self.waited.add(&others.waited)?)
    }

    fn list(&self) -> String {
        let each = self.statuses.iter();
        let each: Vec<_> = each
            .map(|(status, count)| format!("{status} × {count}"))
            .collect();
        each.join(", ")
    }
}

/// All clients, each with so many requests one after the other.
fn clients(to: SocketAddr, turns: u32) -> Result<Answers> {
    thread::scope(|scope| {
        let all: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| client(to, turns)))
            .collect();
        let mut answers = Answers::new()?;
        for one in all {
            answers.add(&one.join().ok().context("a client panicked")??)?;
        }
        Ok(answers)
    })
}

fn client(to: SocketAddr, turns: u32) -> Result<Answers> {
    let mut answers = Answers::new()?;
    let mut kept = None;
    for _ in 0..turns {
        let mut connection = kept.take().map_or_else(|| Connection::open(to), Ok)?;
        let begun = Instant::now();
        let answer = connection.ask(HOME).and_then(|()| connection.answer());
        answers
            .waited
            .record(u64::try_from(begun.elapsed().as_micros())?)?;
        *answers
            .statuses
            .entry(*answer.as_ref().unwrap_or(&0))
            .or_default() += 1;
        if answer.is_ok() {
            kept = Some(connection);
        }
    }
    Ok(answers)
}
