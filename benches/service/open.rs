//! Open loops: requests that come whether the last ones were answered or not, up to twice what can be done.

use std::time::Duration;

use crate::images::Kind;
use crate::load::Outcome;
use crate::process::Memory;
use crate::request::Route;
use crate::server::Cache;
use crate::statistics::{count, percentile};
use crate::table::{Table, number, percent};
use crate::{Bench, Failure};

/// Enough that a request hardly ever waits for a connection, and more than the server works on at once.
const CONNECTIONS: usize = 768;

/// Callers at once that keep the server as busy as it can be.
const BUSY: usize = 32;

/// Shares of the capacity that are offered; beyond 1 it is too much.
const SHARES: [f64; 3] = [0.5, 0.8, 2.0];

pub(crate) fn measure(bench: &mut Bench) -> Result<(), Failure> {
    let kinds: Vec<Kind> = bench.small_images("open");
    if kinds.is_empty() {
        return Ok(());
    }
    let about = format!(
        "`/compare`; requests come at random at a steady rate, whatever became of the last ones, over {CONNECTIONS} \
         connections; the cache is off. The capacity is what {BUSY} connections reach in a closed loop right before. \
         A latency begins when its request was due, even where it was sent later; percentiles are of the \
         accepted."
    );
    let mut table = Table::begin(
        "Open loop",
        &about,
        &[
            "images",
            "offered",
            "requests/s",
            "accepted/s",
            "÷ capacity",
            "refused",
            "p50 ms",
            "p99 ms",
            "other answers",
            "broken",
            "sent late p99 ms",
            "server CPU",
            "client CPU",
            "RSS MiB",
            "peak MiB",
        ],
    );
    for kind in kinds {
        let server = bench.serve(Cache::Off)?;
        let target = server.target(Route::Compare.requests(&kind.uploads()?));
        for share in bench.arguments.shares(&SHARES) {
            let closed = target.closed(BUSY, bench.arguments.seconds() * 2);
            let capacity = bench.runtime.block_on(closed)?.accepted_per_second();
            let time = match *share {
                ..1.0 => bench.arguments.seconds() * 5,
                _ => bench.arguments.overload(),
            };
            let rate = share * capacity;
            let outcome = bench.runtime.block_on(target.open(CONNECTIONS, rate, time))?;
            let memory = server.process().memory();
            let mut row = vec![kind.name().to_owned(), format!("{share} ×"), number(rate)];
            row.extend(report(&outcome, capacity, memory));
            table.row(&row);
            if *share < 1.0 {
                bench.expect_answers(outcome.samples.iter());
            }
        }
    }
    bench.told(&table);
    Ok(())
}

fn report(outcome: &Outcome, capacity: f64, memory: Memory) -> Vec<String> {
    let statuses =
        |is: fn(Option<u16>) -> bool| outcome.samples.iter().filter(|it| is(it.status)).count();
    let refused = statuses(|it| matches!(it, Some(429 | 503)));
    let others = statuses(|it| it.is_some_and(|it| !matches!(it, 200 | 429 | 503)));
    let broken = statuses(|it| it.is_none());
    let mut late: Vec<Duration> = outcome.samples.iter().map(|it| it.sent - it.due).collect();
    late.sort_unstable();
    let latencies = outcome.accepted_latencies();
    let goodput = outcome.accepted_per_second();
    let share = |cpu: Duration| percent(cpu.as_secs_f64() / outcome.took.as_secs_f64());
    vec![
        number(goodput),
        number(goodput / capacity),
        percent(count(refused) / count(outcome.samples.len())),
        number(percentile(&latencies, 50)),
        number(percentile(&latencies, 99)),
        others.to_string(),
        broken.to_string(),
        number(percentile(&late, 99)),
        share(outcome.server_cpu),
        share(outcome.client_cpu),
        memory.now.to_string(),
        memory.peak.to_string(),
    ]
}
