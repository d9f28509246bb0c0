//! Where a tower comes from: saved beside the weights, and carried by the tower.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

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
    /// The pictures it was trained on.
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
}

impl Built {
    /// This very program.
    fn here() -> Self {
        let known = |it: Option<&str>| it.unwrap_or("unknown").to_owned();
        Self {
            burn: known(option_env!("SIAMESE_BURN")),
            rustc: known(option_env!("SIAMESE_RUSTC")),
            system: format!("{} {}", env::consts::OS, env::consts::ARCH),
        }
    }
}

/// Pictures, told apart from all others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The folder's last name, or the list's.
    pub name: String,
    /// See [`Gallery::digest`].
    pub digest: String,
    /// How many identities.
    pub identities: usize,
    /// How many pictures.
    pub pictures: usize,
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
                pictures: training.samples().len(),
                pairs: training.listing().map(|it| it.pairs().len()),
            },
            held_out: held_out.map_or_else(Vec::new, |it| it.identities().to_vec()),
            config,
        }
    }

    /// The record as a tower carries it, with the number of steps that made it.
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
        if let Some(date) = env::var("SOURCE_DATE_EPOCH").ok().and_then(|it| it.parse().ok()) {
            provenance["date"] = date_text(date).into();
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
    let stated = env::var("SOURCE_DATE_EPOCH").ok().and_then(|it| it.parse().ok());
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
    let seconds: u64 = stated.unwrap_or_else(clock);
    let minutes = seconds / 60;
    format!("{} {:02}:{:02} UTC", date_text(seconds), minutes / 60 % 24, minutes % 60)
}

/// Seconds since 1970 as `YYYY-MM-DD`, by Howard Hinnant's `civil_from_days`.
fn date_text(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(date_text(0), "1970-01-01");
        assert_eq!(date_text(951_782_400), "2000-02-29");
        assert_eq!(date_text(1_798_761_599), "2026-12-31");
    }
}
