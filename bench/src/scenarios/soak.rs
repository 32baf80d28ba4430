//! Memory over ten million requests.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::driver::Bench;
use crate::load::{self, Length, Plan, Work};
use crate::proxies::Load;
use crate::scenarios::Scenario;
use crate::table::{Table, mib};

const STEP: u64 = 2_500_000;

pub(super) fn run(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let note = "Resident MiB after so many requests over the same 64 connections.".to_owned();
    let columns = [
        "proxy",
        "100,000",
        "2.6 million",
        "5.1 million",
        "7.6 million",
        "10.1 million",
    ];
    let mut table = Table::new(scenario.title, note, &columns);
    let measured = bench.each_proxy(&mut table, &[], |bench, proxy| {
        let running = bench.start(proxy, Load::default())?;
        let mut sizes = Vec::new();
        for requests in [100_000, STEP, STEP, STEP, STEP] {
            let plan = Plan {
                warmup: Duration::ZERO,
                length: Length::Requests(requests),
                ..Plan::http1(running.http(), Work::small())
            };
            let report = load::run(&plan, &mut |_| {})?;
            ensure!(
                report.errors == 0,
                "{} errors ({})",
                report.errors,
                report.first_error.unwrap_or_default()
            );
            sizes.push(running.tree.settled_resident()?);
        }
        running.stop();
        Ok(sizes)
    });
    for (proxy, sizes) in measured {
        let mut row = vec![proxy.name().to_owned()];
        row.extend(sizes.into_iter().map(|size| mib(size as f64)));
        table.rows.push(row);
    }
    Ok(table)
}
