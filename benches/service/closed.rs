//! Closed loops: the throughput for a number of concurrent connections, compared with the bare loop.

use std::time::Duration;

use crate::floor::{Configuration, Pace};
use crate::images::Kind;
use crate::load::{Outcome, Target};
use crate::process::Memory;
use crate::request::Route;
use crate::server::{Cache, Server};
use crate::statistics::{count, median, percentile};
use crate::table::{Table, number, percent};
use crate::{Bench, Failure};

/// One combination of image kind, route and connections.
#[derive(Clone, Copy)]
struct Cell {
    kind: Kind,
    route: Route,
    connections: usize,
}

/// One round of a cell: the bare loop, and the server immediately after it.
struct Round {
    floor: Pace,
    server: Outcome,
}

pub(crate) fn measure(bench: &mut Bench) -> Result<(), Failure> {
    let cells = cells(bench);
    if cells.is_empty() {
        return Ok(());
    }
    let mut floors = Table::begin(
        "Bare loop",
        "Decode, preprocess and run with the library's functions, without a server. The fastest configuration of each \
         kind is the baseline of the next table.",
        &["images", "callers", "configuration", "images/s", "images/core-s"],
    );
    let mut configurations = Vec::new();
    for cell in &cells {
        let known = cells.iter().zip(&configurations).find(|(other, _)| other.same_floor(cell));
        let configuration = match known {
            Some((_, configuration)) => *configuration,
            None => cell.floor(bench, &mut floors)?,
        };
        configurations.push(configuration);
    }
    let mut table = Table::begin(
        "Closed loop",
        "Each connection sends its next request after the previous response. The cache is off. Ratios are relative to \
         the bare loop on the same cores, measured alternately with the server. The load generator uses the same \
         cores. 100 % CPU is one core.",
        &[
            "images",
            "route",
            "connections",
            "requests/s",
            "images/s",
            "÷ bare",
            "images/core-s",
            "÷ bare",
            "p50 ms",
            "p99 ms",
            "not 200",
            "server CPU",
            "client CPU",
            "RSS MiB",
            "peak MiB",
        ],
    );
    let mut running: Option<(Kind, Server)> = None;
    for (cell, configuration) in cells.iter().zip(configurations) {
        if running.as_ref().is_none_or(|(kind, _)| *kind != cell.kind) {
            running = Some((cell.kind, bench.serve(Cache::Off)?));
        }
        let Some((_, server)) = &running else { continue };
        let uploads = cell.kind.uploads()?;
        let target = server.target(cell.route.requests(&uploads));
        let rounds = (0..bench.arguments.rounds())
            .map(|_| cell.round(bench, configuration, &uploads, &target))
            .collect::<Result<Vec<_>, _>>()?;
        table.row(&cell.report(&rounds, server.process().memory()));
        bench.expect_success(rounds.iter().flat_map(|round| &round.server.samples));
    }
    bench.finish(&table);
    Ok(())
}

fn cells(bench: &Bench) -> Vec<Cell> {
    let mut cells = Vec::new();
    for &kind in bench.kinds() {
        for route in Route::ALL {
            let most = if kind.is_large() { 8 } else { usize::MAX };
            for connections in
                bench.arguments.connections().iter().filter(|connections| **connections <= most)
            {
                let cell = Cell { kind, route, connections: *connections };
                if bench.arguments.wants(&cell.name()) {
                    cells.push(cell);
                }
            }
        }
    }
    cells
}

impl Cell {
    fn name(&self) -> String {
        format!("closed/{}/{}/{}", self.kind.name(), self.route.name(), self.connections)
    }

    /// With many connections the order of images does not matter; a single one waits for the images of one request.
    fn same_floor(&self, other: &Self) -> bool {
        let single = |cell: &Self| (cell.connections == 1).then_some(cell.route);
        self.kind == other.kind && single(self) == single(other)
    }

    fn floor(&self, bench: &mut Bench, table: &mut Table) -> Result<Configuration, Failure> {
        let (callers, configurations) = match self.connections {
            1 => (format!("one, {}", self.route.name()), Configuration::for_one(self.route)),
            _ => ("many".to_owned(), Configuration::for_many(self.kind)),
        };
        let uploads = self.kind.uploads()?;
        let (best, paces) =
            bench.floor.fastest(&configurations, &uploads, bench.arguments.seconds() / 4)?;
        for (configuration, pace) in paces {
            table.row(&[
                self.kind.name().to_owned(),
                callers.clone(),
                configuration.name(),
                number(pace.images_per_second()),
                number(pace.images_per_core_second()),
            ]);
        }
        Ok(best)
    }

    fn round(
        &self,
        bench: &mut Bench,
        configuration: Configuration,
        uploads: &[Vec<u8>],
        target: &Target,
    ) -> Result<Round, Failure> {
        let floor = bench.floor.run(configuration, uploads, self.time(bench) / 2)?;
        let server = bench.runtime.block_on(target.closed(self.connections, self.time(bench)))?;
        Ok(Round { floor, server })
    }

    /// Large images take long, so a short round would contain too few.
    fn time(&self, bench: &Bench) -> Duration {
        let factor = if self.kind.is_large() { 3 } else { 1 };
        bench.arguments.seconds() * factor
    }

    fn report(&self, rounds: &[Round], memory: Memory) -> Vec<String> {
        let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value).collect());
        let images = f64::from(self.route.images());
        let rate = |round: &Round| images * round.server.accepted_per_second();
        // The kernel counts CPU time in coarse ticks, so all rounds are added up.
        let images: f64 = rounds.iter().map(|round| images * count(round.server.accepted())).sum();
        let cpu: Duration = rounds.iter().map(|round| round.server.server_cpu).sum();
        let per_core = images / cpu.as_secs_f64();
        let floor = Pace::total(rounds.iter().map(|round| &round.floor));
        let share =
            |cpu: Duration, round: &Round| cpu.as_secs_f64() / round.server.took.as_secs_f64();
        let latencies = Outcome::pooled_latencies(rounds.iter().map(|round| &round.server));
        let failed = rounds
            .iter()
            .map(|round| round.server.samples.len() - round.server.accepted())
            .sum::<usize>();
        vec![
            self.kind.name().to_owned(),
            self.route.name().to_owned(),
            self.connections.to_string(),
            number(of(&|round| round.server.accepted_per_second())),
            number(of(&rate)),
            number(of(&|round| rate(round) / round.floor.images_per_second())),
            number(per_core),
            number(per_core / floor.images_per_core_second()),
            number(percentile(&latencies, 50)),
            number(percentile(&latencies, 99)),
            failed.to_string(),
            percent(of(&|round| share(round.server.server_cpu, round))),
            percent(of(&|round| share(round.server.client_cpu, round))),
            memory.now.to_string(),
            memory.peak.to_string(),
        ]
    }
}
