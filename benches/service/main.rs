//! The whole service over real sockets, beside the bare loop it can at best be: `cargo bench --bench service`.
//!
//! Prints Markdown on standard output, and nothing else there. Needs Linux, for what `/proc` tells. The server is the
//! program that cargo builds beside this, with the release profile; `--server` names another.

mod arguments;
mod closed;
mod connection;
mod floor;
mod generator;
mod load;
mod machine;
mod open;
mod pictures;
mod process;
mod request;
mod server;
mod soak;
mod start;
mod statistics;
mod stream;
mod table;

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Parser;
use siamese_core::causes;
use tokio::runtime::Runtime;

use arguments::Arguments;
use floor::Floor;
use load::Sample;
use machine::Machine;
use pictures::Kind;
use process::Process;
use server::{Cache, Server};
use table::Table;

/// Why a measurement could not be made, in one line.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// What every measurement shares.
pub(crate) struct Bench {
    pub(crate) arguments: Arguments,
    pub(crate) floor: Floor,
    /// The load's: of one thread.
    pub(crate) runtime: Runtime,
    /// How the servers ran the tower.
    pub(crate) plans: BTreeSet<String>,
    /// The library of ONNX Runtime that the last server loaded; before the first, the floor's.
    pub(crate) library: String,
    /// Requests that should have been answered by 200.
    answers: usize,
    /// Those that were not.
    failures: usize,
    /// Rows of all tables.
    rows: usize,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("{}", causes(err.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let floor = Floor::new(arguments.tower.clone(), arguments.device)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut bench = Bench {
        arguments,
        floor,
        runtime,
        plans: BTreeSet::new(),
        library: Process::this().onnx_runtime(),
        answers: 0,
        failures: 0,
        rows: 0,
    };
    let machine = Machine::look();
    closed::measure(&mut bench)?;
    open::measure(&mut bench)?;
    stream::measure(&mut bench)?;
    start::measure(&mut bench)?;
    generator::measure(&mut bench)?;
    soak::measure(&mut bench)?;
    let Bench { answers, failures, rows, .. } = bench;
    if rows == 0 {
        return Err("--only names nothing; there is closed/KIND/ROUTE/CONNECTIONS, open/KIND, stream/KIND, start, generator and, with --soak-seconds, soak, \
             where KIND is face, vga or 12mp and ROUTE is compare or embed".into());
    }
    machine.describe(&bench);
    if bench.arguments.quick && (answers == 0 || 0 < failures) {
        return Err(format!("{failures} of {answers} requests were not answered by 200").into());
    }
    Ok(())
}

impl Bench {
    pub(crate) fn serve(&mut self, cache: Cache) -> Result<Server, Failure> {
        let Arguments { server, tower, device, .. } = &self.arguments;
        let server = Server::start(server, tower, *device, cache)?;
        self.plans.insert(server.plan()?);
        self.library = server.process().onnx_runtime();
        Ok(server)
    }

    /// The kinds of picture that come thousandfold, so far as a measurement of them is asked for.
    pub(crate) fn small_pictures(&self, measurement: &str) -> Vec<Kind> {
        let kinds = self.arguments.kinds().iter().copied();
        kinds
            .filter(|it| *it != Kind::TwelveMegapixels)
            .filter(|it| self.arguments.wants(&format!("{measurement}/{}", it.name())))
            .collect()
    }

    /// Takes note of requests that should have been answered by 200.
    pub(crate) fn expect_answers<'a>(&mut self, samples: impl Iterator<Item = &'a Sample>) {
        for sample in samples {
            self.answers += 1;
            self.failures += usize::from(!sample.accepted());
        }
    }

    /// Takes note of a finished table.
    pub(crate) fn told(&mut self, table: &Table) {
        self.rows += table.rows();
    }
}
