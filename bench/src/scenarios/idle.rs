//! What an idle connection costs in memory.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::driver::Bench;
use crate::load::{self, Length, Plan, Security, Work};
use crate::proxies::{Load, Proxy, Running};
use crate::scenarios::Scenario;
use crate::table::{Table, figure, mib};

pub(super) fn plain(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    measure(bench, scenario, Security::Plain)
}

pub(super) fn tls(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    measure(bench, scenario, Security::Full)
}

struct Memory {
    open: usize,
    before: u64,
    after: u64,
}

fn measure(bench: &mut Bench, scenario: &Scenario, security: Security) -> Result<Table> {
    let count = bench.options.idle;
    let note = format!(
        "{count} connections, each after one request, 16 requests at a time. The figure is the growth of resident memory \
         of the process, kernel memory not counted."
    );
    let columns = [
        "proxy",
        "KiB/connection",
        "RSS before MiB",
        "RSS with MiB",
        "open",
    ];
    let mut table = Table::new(scenario.title, note, &columns);
    let measured = bench.each_proxy(&mut table, &[], |bench, proxy| once(bench, proxy, security));
    for (proxy, memory) in measured {
        let each = (memory.after as f64 - memory.before as f64) / memory.open as f64;
        table.rows.push(vec![
            proxy.name().to_owned(),
            figure(each / 1024.0),
            mib(memory.before as f64),
            mib(memory.after as f64),
            memory.open.to_string(),
        ]);
    }
    Ok(table)
}

fn once(bench: &Bench, proxy: Proxy, security: Security) -> Result<Memory> {
    let running = bench.start(proxy, Load::default())?;
    let plan = |connections: usize, requests: u64| Plan {
        connections,
        security,
        in_flight: 16,
        warmup: Duration::ZERO,
        length: Length::Requests(requests),
        ..Plan::http1(address(&running, security), Work::small())
    };
    // Connections to the upstream and whatever is made once are there before the first look.
    load::run(&plan(16, 2_000), &mut |_| {})?;
    let before = running.tree.settled_resident()?;
    let (report, held) = load::hold(&plan(bench.options.idle, bench.options.idle as u64))?;
    ensure!(
        report.errors == 0,
        "{} errors ({})",
        report.errors,
        report.first_error.unwrap_or_default()
    );
    let after = running.tree.settled_resident()?;
    let memory = Memory {
        open: held.open,
        before,
        after,
    };
    drop(held);
    running.stop();
    Ok(memory)
}

fn address(running: &Running, security: Security) -> std::net::SocketAddr {
    if security == Security::Plain {
        running.http()
    } else {
        running.https()
    }
}
