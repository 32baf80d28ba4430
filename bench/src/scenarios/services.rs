//! Memory after start, and what services cost that get no traffic.

use anyhow::Result;

use crate::driver::Bench;
use crate::proxies::{Job, Load, Proxy};
use crate::scenarios::Scenario;
use crate::table::{Table, figure, mib};

pub(super) fn run(bench: &mut Bench, scenario: &Scenario) -> Result<Table> {
    let services = bench.options.services;
    let note = format!(
        "{services} services with one endpoint and one route each, no traffic; against none of them."
    );
    let columns = [
        "proxy",
        "RSS after start MiB",
        "RSS with services MiB",
        "more MiB",
        "KiB/service",
    ];
    let mut table = Table::new(scenario.title, note, &columns);
    let measured = bench.each_proxy(&mut table, &[], |bench, proxy| {
        let without = resident(bench, proxy, Load::default())?;
        let with = resident(
            bench,
            proxy,
            Load {
                routes: services,
                services,
                count_routes: false,
                job: Job::None,
            },
        )?;
        Ok((without, with))
    });
    for (proxy, (without, with)) in measured {
        table.rows.push(vec![
            proxy.name().to_owned(),
            mib(without),
            mib(with),
            mib(with - without),
            figure((with - without) / 1024.0 / services as f64),
        ]);
    }
    Ok(table)
}

fn resident(bench: &Bench, proxy: Proxy, load: Load) -> Result<f64> {
    let running = bench.start(proxy, load)?;
    let resident = running.tree.settled_resident()?;
    running.stop();
    Ok(resident as f64)
}
