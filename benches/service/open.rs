//! Open loops: requests at a given rate, whatever the responses, up to twice the capacity.

use std::time::Duration;

use crate::images::Kind;
use crate::load::Outcome;
use crate::process::Memory;
use crate::request::Route;
use crate::server::Cache;
use crate::statistics::{count, percentile};
use crate::table::{Table, number, percent};
use crate::{Bench, Failure};

/// So many that a request rarely waits for a connection, and more than the server processes at once.
const CONNECTIONS: usize = 768;

/// The connections of a closed loop that keep the server fully busy.
const BUSY: usize = 32;

/// The offered shares of the capacity; above 1 is overload.
const SHARES: [f64; 3] = [0.5, 0.8, 2.0];

pub(crate) fn measure(bench: &mut Bench) -> Result<(), Failure> {
    let kinds: Vec<Kind> = bench.small_images("open");
    if kinds.is_empty() {
        return Ok(());
    }
    let about = format!(
        "`/compare`. Requests come at random times at a steady rate, whatever the responses, over {CONNECTIONS} \
         connections. The cache is off. The capacity is the rate of {BUSY} connections in a closed loop immediately \
         before. A latency begins when its request is due, even if it is sent later. Percentiles are of the \
         accepted requests."
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
                bench.expect_success(outcome.samples.iter());
            }
        }
    }
    bench.finish(&table);
    Ok(())
}

fn report(outcome: &Outcome, capacity: f64, memory: Memory) -> Vec<String> {
    let statuses = |is: fn(Option<u16>) -> bool| {
        outcome.samples.iter().filter(|sample| is(sample.status)).count()
    };
    let refused = statuses(|status| matches!(status, Some(429 | 503)));
    let others = statuses(|status| status.is_some_and(|code| !matches!(code, 200 | 429 | 503)));
    let broken = statuses(|status| status.is_none());
    let mut late: Vec<Duration> =
        outcome.samples.iter().map(|sample| sample.sent - sample.due).collect();
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
