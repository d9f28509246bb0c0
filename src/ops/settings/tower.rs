//! `[tower]`, `[cache]`, `[health]`: which tower runs and how, what is kept of it, and how it is held to be right.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use siamese_core::model::Device;
use siamese_core::score::Threshold;

use super::SettingsError;

/// The tower that is served where none is named.
pub(super) const SHIPPED: &str = "models/faces.onnx";

/// `[tower]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TowerSettings {
    /// The tower's file.
    pub path: Option<PathBuf>,
    /// Where it runs.
    pub device: Device,
    /// Sessions side by side; 0 means as many as are found to be fastest.
    pub sessions: usize,
    /// Threads of one run; 0 means as many as are found to be fastest.
    pub threads: usize,
    /// The most pictures in one run; 0 means as many as are found to pay.
    pub largest_batch: usize,
    /// Pictures that may be prepared for it, wait for it and run in it.
    pub queue: NonZeroUsize,
    /// Pictures of requests with more than a pair that are in hand; they come to the queue in portions.
    pub bulk_queue: NonZeroUsize,
    /// The threshold in place of the tower's own.
    pub threshold: Option<Threshold>,
    /// How often to look whether the tower's files are others, in milliseconds; 0 is never.
    pub watch_ms: u64,
    /// How long its files may take to be read, in milliseconds.
    pub read_timeout_ms: NonZeroU64,
}

/// `[cache]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    /// Memory for it; 0 is off.
    pub max_bytes: u64,
}

/// `[health]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// How often the self-test runs, in milliseconds.
    pub self_test_interval_ms: NonZeroU64,
    /// How old its last success may be, in milliseconds.
    pub self_test_max_age_ms: NonZeroU64,
}

impl TowerSettings {
    /// The tower's file: the one named, else the one shipped.
    pub fn file(&self) -> Result<PathBuf, SettingsError> {
        if let Some(named) = &self.path {
            return Ok(named.clone());
        }
        let program = std::env::current_exe().ok();
        places(program.as_deref()).find(|path| path.is_file()).ok_or(SettingsError::NoTower)
    }

    /// How long the tower's files may take to be read.
    pub fn read_timeout(&self) -> Duration {
        Duration::from_millis(self.read_timeout_ms.get())
    }

    /// How often to look whether the file is another, if at all.
    pub fn watch(&self) -> Option<Duration> {
        Some(self.watch_ms).filter(|it| 0 < *it).map(Duration::from_millis)
    }
}

/// Where the tower that is shipped may stand, in the order that they are looked at.
///
/// Beside an installed program, or at the root of the checkout that `target/PROFILE/` stands in; the working directory
/// comes last, as anybody may have put a file there.
fn places(program: Option<&Path>) -> impl Iterator<Item = PathBuf> {
    let beside = program.into_iter().flat_map(|program| program.ancestors().skip(1).take(3));
    beside.chain(std::iter::once(Path::new(""))).map(|folder| folder.join(SHIPPED))
}

impl Health {
    /// How often the self-test runs.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.self_test_interval_ms.get())
    }

    /// How old its last success may be.
    pub fn max_age(&self) -> Duration {
        Duration::from_millis(self.self_test_max_age_ms.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_s_place_goes_before_the_working_directory() {
        let found: Vec<PathBuf> = places(Some(Path::new("/opt/siamese/bin/siamese"))).collect();
        let expected = ["/opt/siamese/bin", "/opt/siamese", "/opt", ""];
        assert_eq!(found, expected.map(|folder| Path::new(folder).join(SHIPPED)));
        assert_eq!(places(None).collect::<Vec<_>>(), [Path::new(SHIPPED)]);
    }
}
