//! One reference against a stream: the same image each time, compared with a new one.

use crate::load::Outcome;
use crate::request::Request;
use crate::server::Cache;
use crate::statistics::{median, percentile};
use crate::table::{Table, number};
use crate::{Bench, Failure};

const CONNECTIONS: [usize; 2] = [1, 32];

pub(crate) fn measure(bench: &mut Bench) -> Result<(), Failure> {
    let kinds = bench.small_images("stream");
    if kinds.is_empty() {
        return Ok(());
    }
    let mut table = Table::begin(
        "One reference against a stream",
        "`/compare` of a fixed image with one that is new each time, in a closed loop. The cache is off and on, \
         alternately.",
        &[
            "images",
            "connections",
            "requests/s, off",
            "on",
            "on ÷ off",
            "p50 ms, off",
            "on",
            "p99 ms, off",
            "on",
        ],
    );
    let (without, with) = (bench.serve(Cache::Off)?, bench.serve(Cache::On)?);
    for kind in kinds {
        let uploads = kind.uploads()?;
        let targets = [&without, &with].map(|server| {
            let stream = uploads[1..].iter().map(|b| Request::of_a_stream(&uploads[0], b));
            server.target(stream.collect())
        });
        for connections in CONNECTIONS {
            let mut outcomes = [Vec::new(), Vec::new()];
            for _ in 0..bench.arguments.rounds() {
                for (target, outcomes) in targets.iter().zip(&mut outcomes) {
                    let closed = target.closed(connections, bench.arguments.seconds());
                    outcomes.push(bench.runtime.block_on(closed)?);
                }
            }
            let [off, on] = outcomes.each_ref().map(|cell| rates(cell));
            let ratios = off.iter().zip(&on).map(|(off, on)| on / off).collect();
            let mut row = vec![kind.name().to_owned(), connections.to_string()];
            row.extend([median(off), median(on), median(ratios)].map(number));
            for percent in [50, 99] {
                row.extend(
                    outcomes
                        .each_ref()
                        .map(|cell| number(percentile(&Outcome::pooled_latencies(cell), percent))),
                );
            }
            table.row(&row);
            bench.expect_success(outcomes.iter().flatten().flat_map(|outcome| &outcome.samples));
        }
    }
    bench.finish(&table);
    Ok(())
}

fn rates(outcomes: &[Outcome]) -> Vec<f64> {
    outcomes.iter().map(Outcome::accepted_per_second).collect()
}
