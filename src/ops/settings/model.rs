//! `[model]`, `[cache]`, `[health]`: the model, how it runs, its cache and its self-test.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use siamese_core::model::Device;
use siamese_core::score::Threshold;

/// The default model.
pub const DEFAULT_MODEL: &str = "models/faces.onnx";

/// The model that comes with the program for changes.
pub const CHANGES_MODEL: &str = "models/changes.onnx";

/// `[model]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// The model's file.
    pub file: Option<PathBuf>,
    /// The device.
    pub device: Device,
    /// Parallel sessions; 0 means the fastest number, found by tuning.
    pub sessions: usize,
    /// Threads of one run; 0 means the fastest number, found by tuning.
    pub threads: usize,
    /// The most images in one run; 0 means the best number, found by tuning.
    pub max_batch: usize,
    /// The most images in progress: in decoding, in the queue or in a run.
    pub queue: NonZeroUsize,
    /// The most images of bulk requests in progress. They enter the queue in portions.
    pub bulk_queue: NonZeroUsize,
    /// A threshold that replaces the model's own.
    pub threshold: Option<Threshold>,
    /// How often the model's files are checked for changes, in milliseconds; 0 means never.
    pub watch_ms: u64,
    /// The time limit for reading the model's files, in milliseconds.
    pub read_timeout_ms: NonZeroU64,
}

/// `[cache]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    /// The size of the cache in bytes; 0 disables it.
    pub max_bytes: u64,
}

/// `[health]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// How often the self-test runs, in milliseconds.
    pub self_test_interval_ms: NonZeroU64,
    /// The largest age of its last success, in milliseconds.
    pub self_test_max_age_ms: NonZeroU64,
}

impl ModelSettings {
    /// The time limit for reading the model's files.
    pub fn read_timeout(&self) -> Duration {
        Duration::from_millis(self.read_timeout_ms.get())
    }

    /// How often the model's files are checked for changes, if at all.
    pub fn watch(&self) -> Option<Duration> {
        Some(self.watch_ms).filter(|interval| 0 < *interval).map(Duration::from_millis)
    }
}

/// The paths where the default model may be, in order of priority.
///
/// They are beside an installed program, and in the root of the checkout above `target/PROFILE/`. The working
/// directory comes last, because anybody may have put a file there.
pub(super) fn places<'a>(
    program: Option<&'a Path>,
    shipped: &'a str,
) -> impl Iterator<Item = PathBuf> + use<'a> {
    let beside = program.into_iter().flat_map(|program| program.ancestors().skip(1).take(3));
    beside.chain(std::iter::once(Path::new(""))).map(move |folder| folder.join(shipped))
}

impl Health {
    /// How often the self-test runs.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.self_test_interval_ms.get())
    }

    /// The largest age of its last success.
    pub fn max_age(&self) -> Duration {
        Duration::from_millis(self.self_test_max_age_ms.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_s_folder_has_priority_over_the_working_directory() {
        let found: Vec<PathBuf> =
            places(Some(Path::new("/opt/siamese/bin/siamese")), DEFAULT_MODEL).collect();
        let expected = ["/opt/siamese/bin", "/opt/siamese", "/opt", ""];
        assert_eq!(found, expected.map(|folder| Path::new(folder).join(DEFAULT_MODEL)));
        assert_eq!(places(None, DEFAULT_MODEL).collect::<Vec<_>>(), [Path::new(DEFAULT_MODEL)]);
    }
}
