//! Where a model comes from: saved beside the weights, and carried by the model.

use std::env;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Compute, Config};
use crate::data::Gallery;

/// All that a run was asked to do, as its folder's `run.toml` holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The trainer's version.
    pub trainer: String,
    /// The commit it was built from, or that `SOURCE_COMMIT` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The command line, without the program.
    #[serde(default)]
    pub command: Vec<String>,
    /// What it ran on: another adds up in another order.
    #[serde(default)]
    pub device: Compute,
    /// What it was built with, and for which system.
    #[serde(default)]
    pub built: Built,
    /// The images it was trained on.
    pub data: Data,
    /// Identities kept out of training.
    pub held_out: Vec<String>,
    /// Every choice.
    pub config: Config,
}

/// What a trainer was built with: another may round otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Built {
    /// burn's version.
    pub burn: String,
    /// The compiler's.
    pub rustc: String,
    /// Operating system and processor, such as `linux x86_64`.
    pub system: String,
    /// Whether a CPU's convolutions are the trainer's own kernels, as they were before this was noted.
    #[serde(default = "yes")]
    pub kernels: bool,
}

fn yes() -> bool {
    true
}

impl Built {
    /// This very program.
    fn here() -> Self {
        let known = |it: Option<&str>| it.unwrap_or("unknown").to_owned();
        Self {
            burn: known(option_env!("SIAMESE_BURN")),
            rustc: known(option_env!("SIAMESE_RUSTC")),
            system: format!("{} {}", env::consts::OS, env::consts::ARCH),
            kernels: cfg!(feature = "kernels"),
        }
    }
}

/// Images, told apart from all others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The folder's last name, or the list's.
    pub name: String,
    /// See [`Gallery::digest`].
    pub digest: String,
    /// How many identities.
    pub identities: usize,
    /// How many images.
    pub images: usize,
    /// How many pairs, where a list says what is compared; then the identities are its components.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<usize>,
}

impl Record {
    /// Notes what a run is about to do.
    pub fn new(
        config: Config,
        data_name: String,
        training: &Gallery,
        held_out: Option<&Gallery>,
    ) -> Self {
        Self {
            trainer: env!("CARGO_PKG_VERSION").to_owned(),
            commit: commit(),
            command: env::args().skip(1).collect(),
            built: Built::here(),
            device: Compute::default(),
            data: Data {
                name: data_name,
                digest: training.digest().to_owned(),
                identities: training.identities().len(),
                images: training.samples().len(),
                pairs: training.listing().map(|it| it.pairs().len()),
            },
            held_out: held_out.map_or_else(Vec::new, |it| it.identities().to_vec()),
            config,
        }
    }

    /// The record as a model carries it, with the number of steps that made it.
    ///
    /// The date is there only where `SOURCE_DATE_EPOCH` gives one, in seconds since 1970: the same
    /// command on the same machine makes the same bytes.
    pub fn provenance(&self, steps: u32) -> serde_json::Value {
        let mut provenance = serde_json::json!({
            "trainer": self.trainer,
            "commit": self.commit,
            "seed": self.config.seed,
            "network": self.config.network,
            "loss": self.config.loss,
            "steps": steps,
            "data": self.data,
            "held_out": self.held_out,
        });
        if let Some(whitening) = &self.config.whitening {
            provenance["whitening"] = serde_json::json!(whitening);
        }
        if steps == 0 {
            // Nothing was minimised.
            provenance["loss"] = serde_json::Value::Null;
        }
        if let Some(time) = stated_time() {
            provenance["date"] = time.date().to_string().into();
        }
        provenance
    }
}

/// The commit that the trainer was built from, or that `SOURCE_COMMIT` names.
fn commit() -> Option<String> {
    let stated = env::var("SOURCE_COMMIT").ok();
    stated.or_else(|| option_env!("SIAMESE_COMMIT").map(str::to_owned))
}

/// The trainer's version, and its commit where that is known.
pub fn build() -> String {
    let commit = commit().map(|it| format!(", commit {it}")).unwrap_or_default();
    format!("{}{commit}", env!("CARGO_PKG_VERSION"))
}

/// The time in UTC to the minute, or that of `SOURCE_DATE_EPOCH`.
pub fn now() -> String {
    minute_text(stated_time().unwrap_or_else(OffsetDateTime::now_utc))
}

/// What `SOURCE_DATE_EPOCH` says, in seconds since 1970.
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
    fn a_time_is_told_to_the_minute() {
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
