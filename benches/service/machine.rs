//! The machine of the measurements, and the CPU time that other processes used.

use std::fs;
use std::process::Command;
use std::time::Instant;

use crate::Bench;
use crate::arguments::Arguments;
use crate::floor::cores;
use crate::process::{Process, busy};
use crate::table::percent;

/// The state of the machine at the start.
pub(crate) struct Machine {
    begun: Instant,
    /// CPU seconds of all processes, and of ours.
    busy: f64,
    ours: f64,
    /// The commit at the start; it may change during the run.
    commit: String,
}

/// The share of the cores above which other processes disturb measurements of time.
const QUIET: f64 = 0.03;

impl Machine {
    pub(crate) fn look() -> Self {
        let git = ["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"];
        let commit = output_of(Command::new("git").args(git));
        Self { begun: Instant::now(), busy: busy().as_secs_f64(), ours: ours(), commit }
    }

    /// Prints the facts that are needed to compare results. All servers have ended by now.
    pub(crate) fn describe(&self, bench: &Bench) {
        let model = bench.floor.description();
        let others = self.others();
        let facts = [
            ("date", output_of(Command::new("date").args(["-u", "+%F %H:%M UTC"]))),
            ("arguments", Arguments::given()),
            ("CPU", format!("{}, {} cores", processor(), cores())),
            ("used by other processes", format!("{} of all cores", percent(others))),
            ("kernel", read("/proc/sys/kernel/osrelease")),
            ("rustc", output_of(Command::new("rustc").arg("--version"))),
            ("siamese", format!("{} ({})", env!("CARGO_PKG_VERSION"), self.commit)),
            ("ONNX Runtime", bench.library.clone()),
            ("model", format!("{}, {}", model.card.name, model.digest)),
            ("the server's sessions", plans(bench)),
            ("settings", settings()),
        ];
        println!("\n### Machine and versions\n\n| | |\n|---|---|");
        for (name, value) in facts {
            println!("| {name} | {value} |");
        }
        if QUIET < others {
            println!(
                "\nOther processes used the machine: a server of many threads then gets a larger share of it than the bare \
                 loop, and only *images/core-s* and its ratio are valid."
            );
        }
        if cfg!(debug_assertions) {
            println!("\nThis build is not optimised: the results are meaningless.");
        }
    }

    /// The share of the cores that other processes used.
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

/// The sessions of the servers' models: several descriptions if the servers' tuning differed.
fn plans(bench: &Bench) -> String {
    let plans: Vec<&str> = bench.plans.iter().map(String::as_str).collect();
    if plans.is_empty() { "not started".to_owned() } else { plans.join("; ") }
}

fn processor() -> String {
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.and_then(|line| line.split_once(':')).map_or("unknown", |(_, name)| name.trim());
    model.to_owned()
}

/// The server's settings that come from the environment.
fn settings() -> String {
    let ours = std::env::vars().filter(|(name, _)| name.starts_with("SIAMESE_"));
    let mut ours: Vec<String> = ours.map(|(name, value)| format!("`{name}={value}`")).collect();
    ours.sort();
    if ours.is_empty() { "the defaults".to_owned() } else { ours.join(", ") }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn output_of(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    output.map_or_else(
        || "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
