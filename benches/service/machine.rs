//! On what it was measured, and how much of it others had meanwhile.

use std::fs;
use std::process::Command;
use std::time::Instant;

use crate::Bench;
use crate::arguments::Arguments;
use crate::floor::cores;
use crate::process::{Process, busy};
use crate::table::percent;

/// The machine at the start of the measurements.
pub(crate) struct Machine {
    begun: Instant,
    /// CPU seconds of all processes, and of ours.
    busy: f64,
    ours: f64,
    /// What the tree was at, which may move while this runs.
    commit: String,
}

/// A share of the cores beyond which others disturb what is measured by the clock.
const QUIET: f64 = 0.03;

impl Machine {
    pub(crate) fn look() -> Self {
        let git = ["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"];
        let commit = said_by(Command::new("git").args(git));
        Self { begun: Instant::now(), busy: busy().as_secs_f64(), ours: ours(), commit }
    }

    /// Prints what somebody must know to compare figures with these. All servers have been ended by now.
    pub(crate) fn describe(&self, bench: &Bench) {
        let model = bench.floor.description();
        let others = self.others();
        let facts = [
            ("date", said_by(Command::new("date").args(["-u", "+%F %H:%M UTC"]))),
            ("arguments", Arguments::given()),
            ("CPU", format!("{}, {} cores", processor(), cores())),
            ("taken by others meanwhile", format!("{} of all cores", percent(others))),
            ("kernel", read("/proc/sys/kernel/osrelease")),
            ("rustc", said_by(Command::new("rustc").arg("--version"))),
            ("siamese", format!("{} ({})", env!("CARGO_PKG_VERSION"), self.commit)),
            ("ONNX Runtime", bench.library.clone()),
            ("model", format!("{}, {}", model.card.name, model.digest)),
            ("the server ran it as", plans(bench)),
            ("settings", settings()),
        ];
        println!("\n### Machine and versions\n\n| | |\n|---|---|");
        for (name, value) in facts {
            println!("| {name} | {value} |");
        }
        if QUIET < others {
            println!(
                "\nThe machine was not quiet: a server of many threads then gets more of it than the bare loop, and \
                 of all the figures only *images/core-s* and its ratio hold."
            );
        }
        if cfg!(debug_assertions) {
            println!("\nThis build is not optimised: the figures say nothing.");
        }
    }

    /// The share of the cores that went to other processes.
    fn others(&self) -> f64 {
        let theirs = (busy().as_secs_f64() - self.busy) - (ours() - self.ours);
        let cores = f64::from(u32::try_from(cores()).unwrap_or(u32::MAX));
        (theirs / self.begun.elapsed().as_secs_f64() / cores).max(0.0)
    }
}

/// CPU seconds of this process and of the servers that it has ended.
fn ours() -> f64 {
    Process::this().cpu_with_children().as_secs_f64()
}

/// How the servers ran the model: more than one way where their starts did not agree.
fn plans(bench: &Bench) -> String {
    let plans: Vec<&str> = bench.plans.iter().map(String::as_str).collect();
    if plans.is_empty() { "not started".to_owned() } else { plans.join("; ") }
}

fn processor() -> String {
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|it| it.split_once(':')).map_or("unknown", |(_, name)| name.trim());
    model.to_owned()
}

/// The server's settings that were changed by the environment.
fn settings() -> String {
    let ours = std::env::vars().filter(|(name, _)| name.starts_with("SIAMESE_"));
    let mut ours: Vec<String> = ours.map(|(name, value)| format!("`{name}={value}`")).collect();
    ours.sort();
    if ours.is_empty() { "the defaults".to_owned() } else { ours.join(", ") }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn said_by(command: &mut Command) -> String {
    let output = command.output().ok().filter(|it| it.status.success());
    output.map_or_else(
        || "unknown".to_owned(),
        |it| String::from_utf8_lossy(&it.stdout).trim().to_owned(),
    )
}
