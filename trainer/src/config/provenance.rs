//! The record of a run: saved beside the weights, and stored in the model as its provenance.

use std::env;

use serde::{Deserialize, Serialize};
use siamese_core::file::shown;
use siamese_core::model::HeldOut;
use time::OffsetDateTime;

use super::{Compute, Config, MeasuredInput};
use crate::data::Gallery;

/// The complete description of a run, as stored in `run.toml` in the run folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The trainer's version.
    pub trainer: String,
    /// The commit that the trainer was built from, or the value of `SOURCE_COMMIT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The command line, without the program name.
    #[serde(default)]
    pub command: Vec<String>,
    /// The device; another device adds numbers in another order.
    #[serde(default)]
    pub device: Compute,
    /// The versions of the build, and the system.
    #[serde(default)]
    pub built: Built,
    /// The training images.
    pub data: Data,
    /// The held-out identities.
    pub held_out: Vec<String>,
    /// Where the points of aligned faces lie in the input; absent if whole images are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aligned: Option<String>,
    /// The inputs that the configured one was chosen from, the usual one first; empty if nothing was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measured_inputs: Vec<MeasuredInput>,
    /// The configuration.
    pub config: Config,
}

/// The versions that a trainer was built with; other versions may round differently.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Built {
    /// burn's version.
    pub burn: String,
    /// The compiler's version.
    pub rustc: String,
    /// Operating system and processor, such as `linux x86_64`.
    pub system: String,
    /// Whether convolutions on the CPU use the trainer's own kernels. Old records lack this key and used them.
    #[serde(default = "yes")]
    pub kernels: bool,
}

fn yes() -> bool {
    true
}

impl Built {
    /// Describes the running program.
    fn current() -> Self {
        let known = |version: Option<&str>| version.unwrap_or("unknown").to_owned();
        Self {
            burn: known(option_env!("SIAMESE_BURN")),
            rustc: known(option_env!("SIAMESE_RUSTC")),
            system: format!("{} {}", env::consts::OS, env::consts::ARCH),
            kernels: cfg!(feature = "kernels"),
        }
    }
}

/// The identification of a set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The last component of the folder's path, or the list's file name.
    pub name: String,
    /// Over the images and their names, and what a list tells of them.
    pub digest: String,
    /// The number of identities, or of components of a list.
    pub identities: usize,
    /// The number of images.
    pub images: usize,
    /// The number of pairs; only for a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<usize>,
}

impl Data {
    /// Describes the images of a training. `name` is that of the folder or the list.
    pub fn of(name: &str, training: &Gallery) -> Self {
        Self {
            name: name.to_owned(),
            digest: training.digest().to_owned(),
            identities: training.identities().len(),
            images: training.samples().len(),
            pairs: training.listing().map(|listing| listing.pairs().len()),
        }
    }
}

impl Record {
    /// Describes a run before it starts. `held_out` names the identities or components that are held out.
    pub fn new(config: Config, data: Data, held_out: Vec<String>) -> Self {
        Self {
            trainer: env!("CARGO_PKG_VERSION").to_owned(),
            commit: commit(),
            command: arguments().skip(1).collect(),
            built: Built::current(),
            device: Compute::default(),
            data,
            held_out,
            aligned: None,
            measured_inputs: Vec::new(),
            config,
        }
    }

    /// Returns the record as the model stores it, with the number of steps of its weights.
    ///
    /// It contains digests of the held-out identities instead of their names. It contains a date only if
    /// `SOURCE_DATE_EPOCH` is set, in seconds since 1970. The same command on the same machine therefore makes the same
    /// bytes.
    pub fn provenance(&self, steps: u32) -> serde_json::Value {
        let names = self.held_out.iter().map(String::as_str);
        let mut provenance = serde_json::json!({
            "trainer": self.trainer,
            "commit": self.commit,
            "seed": self.config.seed,
            "network": self.config.network,
            "loss": self.config.loss,
            "steps": steps,
            "data": self.data,
            "held_out": HeldOut::new(names, &self.data.digest).stored(),
        });
        if let Some(whitening) = &self.config.whitening {
            provenance["whitening"] = serde_json::json!(whitening);
        }
        if steps == 0 {
            // Without steps no loss was minimised.
            provenance["loss"] = serde_json::Value::Null;
        }
        if let Some(time) = stated_time() {
            provenance["date"] = time.date().to_string().into();
        }
        provenance
    }
}

/// Returns the commit that the trainer was built from, or that `SOURCE_COMMIT` names.
fn commit() -> Option<String> {
    let stated = env::var("SOURCE_COMMIT").ok();
    stated.or_else(|| option_env!("SIAMESE_COMMIT").map(str::to_owned))
}

/// Returns the command line. What is not UTF-8 is [shown].
pub fn arguments() -> impl Iterator<Item = String> {
    env::args_os()
        .map(|argument| argument.into_string().unwrap_or_else(|argument| shown(argument.as_ref())))
}

/// Returns the trainer's version, and its commit if known.
pub fn build() -> String {
    let commit = commit().map(|it| format!(", commit {it}")).unwrap_or_default();
    format!("{}{commit}", env!("CARGO_PKG_VERSION"))
}

/// Returns the current time in UTC, or the time of `SOURCE_DATE_EPOCH`, with a resolution of one minute.
pub fn now() -> String {
    minute_text(stated_time().unwrap_or_else(OffsetDateTime::now_utc))
}

/// Returns the time of `SOURCE_DATE_EPOCH`, in seconds since 1970.
fn stated_time() -> Option<OffsetDateTime> {
    let seconds = env::var("SOURCE_DATE_EPOCH").ok()?.parse().ok()?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// `YYYY-MM-DD HH:MM UTC`.
fn minute_text(time: OffsetDateTime) -> String {
    format!("{} {:02}:{:02} UTC", time.date(), time.hour(), time.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_with_minutes() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_798_761_599, "2026-12-31 23:59 UTC"),
        ] {
            let time = OffsetDateTime::from_unix_timestamp(seconds).expect("a time");
            assert_eq!(minute_text(time), expected);
        }
    }
}
