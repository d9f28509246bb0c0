//! Benchmark of the whole service over real sockets, compared with the bare loop: `cargo bench --bench service`.
//!
//! Prints only Markdown on standard output. It needs Linux, because it reads `/proc`. The server is the program that
//! cargo builds with this benchmark, in the release profile; `--server` selects another.

mod arguments;
mod closed;
mod connection;
mod floor;
mod generator;
mod images;
mod load;
mod machine;
mod open;
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
use images::Kind;
use load::Sample;
use machine::Machine;
use process::Process;
use server::{Cache, Server};
use table::Table;

/// Why a measurement failed, in one line.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// The state that all measurements share.
pub(crate) struct Bench {
    pub(crate) arguments: Arguments,
    pub(crate) floor: Floor,
    /// The runtime of the load, with one thread.
    pub(crate) runtime: Runtime,
    /// The sessions of the servers' models.
    pub(crate) plans: BTreeSet<String>,
    /// The ONNX Runtime library of the last server; before the first, that of the bare loop.
    pub(crate) library: String,
    /// Requests that should have had status 200.
    responses: usize,
    /// The number of those that did not.
    failures: usize,
    /// The rows of all tables.
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
    let floor = Floor::new(arguments.model.clone(), arguments.device)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut bench = Bench {
        arguments,
        floor,
        runtime,
        plans: BTreeSet::new(),
        library: Process::this().onnx_runtime(),
        responses: 0,
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
    let Bench { responses, failures, rows, .. } = bench;
    if rows == 0 {
        return Err("no measurement matches --only; there are closed/KIND/ROUTE/CONNECTIONS, open/KIND, stream/KIND, start, generator and, with --soak-seconds, soak, \
             where KIND is face, vga or 12mp and ROUTE is compare or embed".into());
    }
    machine.describe(&bench);
    if bench.arguments.quick && (responses == 0 || 0 < failures) {
        return Err(format!("{failures} of {responses} requests did not have status 200").into());
    }
    Ok(())
}

impl Bench {
    pub(crate) fn serve(&mut self, cache: Cache) -> Result<Server, Failure> {
        let Arguments { server, model, device, .. } = &self.arguments;
        let server = Server::start(server, model, *device, cache)?;
        self.plans.insert(server.plan()?);
        self.library = server.process().onnx_runtime();
        Ok(server)
    }

    /// The kinds of image for the model.
    pub(crate) fn kinds(&self) -> &'static [Kind] {
        self.arguments.kinds(self.floor.description().preprocessor.aligns())
    }

    /// The small kinds of image, as far as this measurement is selected for them.
    pub(crate) fn small_images(&self, measurement: &str) -> Vec<Kind> {
        let kinds = self.kinds().iter().copied();
        kinds
            .filter(|kind| !kind.is_large())
            .filter(|kind| self.arguments.wants(&format!("{measurement}/{}", kind.name())))
            .collect()
    }

    /// Counts requests that should have status 200.
    pub(crate) fn expect_success<'a>(&mut self, samples: impl Iterator<Item = &'a Sample>) {
        for sample in samples {
            self.responses += 1;
            self.failures += usize::from(!sample.accepted());
        }
    }

    /// Counts the rows of a finished table.
    pub(crate) fn finish(&mut self, table: &Table) {
        self.rows += table.rows();
    }
}
