//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use siamese_core::model::Device;

use crate::images::Kind;

/// Measures the whole service over real sockets. Settings come from SIAMESE_ variables, as for the server.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// The model to serve. The default is small, so the figures are of the server.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/models/orl.onnx"))]
    pub(crate) model: PathBuf,
    /// The server program; by default the one that was built together with this.
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_siamese"))]
    pub(crate) server: PathBuf,
    /// The device.
    #[arg(long, value_name = "cpu|prefer-gpu|require-gpu", default_value = "cpu")]
    pub(crate) device: Device,
    /// The measured time of one round of a cell.
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    seconds: f64,
    /// The rounds of a cell; the median is reported.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long a load of twice the server's capacity is applied.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = positive)]
    overload_seconds: f64,
    /// Also runs a soak test of this duration with mixed requests, and records the server's memory.
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    soak_seconds: Option<f64>,
    /// A file for the chart of the memory, as SVG.
    #[arg(long, value_name = "FILE")]
    pub(crate) soak_image: Option<PathBuf>,
    /// Runs only the measurements whose names contain this text, such as closed/face/compare/32.
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
    /// A smoke test of a few seconds. It fails unless all responses have status 200.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Passed by cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    pub(crate) fn seconds(&self) -> Duration {
        if self.quick { Duration::from_millis(200) } else { Duration::from_secs_f64(self.seconds) }
    }

    pub(crate) fn rounds(&self) -> u32 {
        if self.quick { 1 } else { self.rounds }
    }

    /// The images for a model, which may find faces in them.
    pub(crate) fn kinds(&self, finds_faces: bool) -> &'static [Kind] {
        let kinds = if finds_faces { &Kind::WITH_FACES } else { &Kind::ALL };
        if self.quick { &kinds[..1] } else { kinds }
    }

    /// The numbers of concurrent connections.
    pub(crate) fn connections(&self) -> &'static [usize] {
        if self.quick { &[1, 8] } else { &[1, 8, 32, 128] }
    }

    /// How long the overload lasts.
    pub(crate) fn overload(&self) -> Duration {
        Duration::from_secs_f64(self.overload_seconds)
    }

    /// The duration of the soak test, if it is requested.
    pub(crate) fn soak(&self) -> Option<Duration> {
        self.soak_seconds.filter(|_| self.wants("soak")).map(Duration::from_secs_f64)
    }

    /// The shares of the capacity that are offered.
    pub(crate) fn shares<'a>(&self, all: &'a [f64]) -> &'a [f64] {
        if self.quick { &all[..1] } else { all }
    }

    /// The arguments of the command line.
    pub(crate) fn given() -> String {
        let given: Vec<String> =
            std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
        if given.is_empty() { "none".to_owned() } else { format!("`{}`", given.join(" ")) }
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && 0.0 < seconds => Ok(seconds),
        _ => Err("it must be a number of seconds above 0".to_owned()),
    }
}
