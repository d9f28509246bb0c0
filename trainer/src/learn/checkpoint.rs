//! The run folder: the record of a run, and its checkpoints.
//!
//! A checkpoint is written to a temporary folder, synced to the disk, and renamed. The previous checkpoint is kept. A run
//! that was killed continues from the last checkpoint with valid digests.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};
use siamese_core::output::{create_folder, note};

use super::Trainee;
use crate::data::digest_of_file;
use crate::draft;

const RECORD: &str = "run.toml";
const STATE: &str = "state.json";
const WEIGHTS: &str = "weights.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
/// The number of checkpoints to keep.
const KEPT: usize = 2;

/// The folder of a run.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

/// The state of a run, without its weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The number of completed steps.
    pub step: u32,
    /// The best measurement on the hold-out set, if the run keeps its best weights.
    pub best: Option<Best>,
}

/// The best measurement so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The number of completed steps at the measurement.
    pub step: u32,
    /// The EER, in [0, 1].
    pub eer: f64,
    /// The number of measurements since then without a lower EER.
    pub stale: u32,
}

/// The state of a checkpoint, and the digests of its files.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    state: State,
    weights: String,
    optimizer: String,
}

impl RunFolder {
    /// Creates the folder of a new run.
    ///
    /// # Errors
    ///
    /// If it already contains a run.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        Self::check_empty(path)?;
        create_folder(path)?;
        Ok(Self(path.to_path_buf()))
    }

    /// Checks that a path contains no run, before the work for a new one.
    ///
    /// # Errors
    ///
    /// If it does.
    pub fn check_empty(path: &Path) -> anyhow::Result<()> {
        if !Self(path.to_path_buf()).checkpoints().is_empty() {
            bail!(
                "{} already contains a run: pass --resume to continue it, or --run DIR for another folder",
                path.display()
            );
        }
        Ok(())
    }

    /// Opens the folder of an existing run.
    ///
    /// # Errors
    ///
    /// If it contains no run.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        if !Self::is_at(path) {
            bail!("{} contains no saved run: omit --resume", path.display());
        }
        Ok(Self(path.to_path_buf()))
    }

    /// Returns whether a run was saved at `path`.
    pub fn is_at(path: &Path) -> bool {
        path.join(RECORD).exists()
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a list of images with their names and digests, one per line, in the format of `sha256sum --check`.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub fn write_list<'a>(
        &self,
        name: &str,
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> anyhow::Result<()> {
        let mut text = String::new();
        for (name, digest) in files {
            let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
            writeln!(text, "{hex}  {name}")?;
        }
        self.replace(name, text.as_bytes())
    }

    /// Writes the record of the run.
    pub fn write_record(&self, record: &impl Serialize) -> anyhow::Result<()> {
        self.replace(RECORD, toml::to_string(record)?.as_bytes())
    }

    /// Reads the record of the run.
    pub fn read_record<T: serde::de::DeserializeOwned>(&self) -> anyhow::Result<T> {
        let path = self.0.join(RECORD);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        toml::from_str(&text)
            .with_context(|| format!("{} is not the record of a run", path.display()))
    }

    /// Saves a checkpoint: the weights, the optimizer, and the state of the run.
    pub fn save(
        &self,
        state: State,
        trainee: &Trainee,
        optimizer: &ModuleOptimizer,
    ) -> anyhow::Result<()> {
        self.write_checkpoint(state, trainee, optimizer).with_context(|| self.unwritten())
    }

    /// Saves the weights of the best measurement.
    pub fn save_best(&self, step: u32, trainee: &Trainee) -> anyhow::Result<()> {
        self.write_best(step, trainee).with_context(|| self.unwritten())
    }

    /// Reads the weights of the best measurement.
    pub fn load_best(&self, step: u32, trainee: Trainee) -> anyhow::Result<Trainee> {
        Ok(trainee.try_load_file(self.best(step))?)
    }

    /// Returns the state of the last valid checkpoint, or the initial state if there are no checkpoints.
    ///
    /// # Errors
    ///
    /// If there are checkpoints, but none is valid.
    pub fn state(&self) -> anyhow::Result<State> {
        let steps = self.checkpoints();
        if steps.is_empty() {
            return Ok(State::default());
        }
        for step in steps.into_iter().rev() {
            match self.seal(step) {
                Ok(seal) => return Ok(seal.state),
                Err(error) => note(&format!(
                    "warning: the checkpoint of step {step} is broken ({error:#}), so the run continues \
                     from the previous one"
                )),
            }
        }
        bail!(
            "{} contains no valid checkpoint: start a new run with another --run DIR",
            self.0.display()
        )
    }

    /// Reads the weights and the optimizer of a checkpoint.
    pub fn load(
        &self,
        state: State,
        trainee: Trainee,
        optimizer: ModuleOptimizer,
    ) -> anyhow::Result<(Trainee, ModuleOptimizer)> {
        let folder = self.checkpoint(state.step);
        let trainee = trainee.try_load_file(folder.join(WEIGHTS))?;
        Ok((trainee, optimizer.load(folder.join(OPTIMIZER))?))
    }

    fn unwritten(&self) -> String {
        format!("the run cannot be saved in {}", self.0.display())
    }

    fn write_checkpoint(
        &self,
        state: State,
        trainee: &Trainee,
        optimizer: &ModuleOptimizer,
    ) -> anyhow::Result<()> {
        let draft = tempfile::Builder::new().prefix(".draft-").tempdir_in(&self.0)?;
        let file = |name: &str| draft.path().join(name);
        // In memory first, because the library's own errors of files do not say that a disk is full.
        fs::write(file(WEIGHTS), &*record(trainee).into_bytes()?)?;
        fs::write(file(OPTIMIZER), &*optimizer.into_bytes()?)?;
        let seal = Seal {
            state,
            weights: digest_of_file(&file(WEIGHTS))?,
            optimizer: digest_of_file(&file(OPTIMIZER))?,
        };
        fs::write(file(STATE), serde_json::to_vec_pretty(&seal)?)?;
        for name in [WEIGHTS, OPTIMIZER, STATE] {
            File::open(file(name))?.sync_all()?;
        }
        let path = self.checkpoint(state.step);
        if path.exists() {
            // A run that resumed from an older checkpoint writes this one again.
            fs::remove_dir_all(&path)?;
        }
        fs::rename(draft.keep(), path)?;
        draft::sync_folder(&self.0)?;
        self.remove_old()
    }

    fn write_best(&self, step: u32, trainee: &Trainee) -> anyhow::Result<()> {
        let draft = tempfile::Builder::new().prefix(".draft-").tempdir_in(&self.0)?;
        let file = draft.path().join(WEIGHTS);
        fs::write(&file, &*record(trainee).into_bytes()?)?;
        File::open(&file)?.sync_all()?;
        fs::rename(file, self.best(step))?;
        Ok(())
    }

    /// Reads the seal of a checkpoint, and checks the digests of its files.
    fn seal(&self, step: u32) -> anyhow::Result<Seal> {
        let folder = self.checkpoint(step);
        let seal: Seal = serde_json::from_slice(&fs::read(folder.join(STATE))?)?;
        for (name, digest) in [(WEIGHTS, &seal.weights), (OPTIMIZER, &seal.optimizer)] {
            if digest_of_file(&folder.join(name))? != *digest {
                bail!("the digest of {name} is wrong");
            }
        }
        Ok(seal)
    }

    fn checkpoint(&self, step: u32) -> PathBuf {
        self.0.join(format!("step-{step}"))
    }

    fn best(&self, step: u32) -> PathBuf {
        self.0.join(format!("best-{step}.bpk"))
    }

    /// Returns the steps of all checkpoints, in ascending order.
    fn checkpoints(&self) -> Vec<u32> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut steps: Vec<u32> = entries
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("step-")?.parse().ok())
            .collect();
        steps.sort_unstable();
        steps
    }

    /// Removes old checkpoints and weights, and unfinished drafts of a killed run.
    fn remove_old(&self) -> anyhow::Result<()> {
        let steps = self.checkpoints();
        let (old, kept) = steps.split_at(steps.len().saturating_sub(KEPT));
        for step in old {
            fs::remove_dir_all(self.checkpoint(*step))?;
        }
        let state = |step: &u32| -> Option<State> {
            let text = fs::read(self.checkpoint(*step).join(STATE)).ok()?;
            Some(serde_json::from_slice::<Seal>(&text).ok()?.state)
        };
        let best: Vec<PathBuf> =
            kept.iter().filter_map(|step| Some(self.best(state(step)?.best?.step))).collect();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(".draft-") {
                fs::remove_dir_all(path)?;
            } else if name.starts_with("best-") && !best.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Replaces a file atomically.
    pub(super) fn replace(&self, name: &str, contents: &[u8]) -> anyhow::Result<()> {
        Ok(draft::file(&self.0.join(name), contents)?)
    }
}

/// Returns all weights, with the running statistics of batch norm.
fn record(trainee: &Trainee) -> ModuleRecord {
    // A record lacks the running statistics of the last step until they are merged. Switching to evaluation mode merges
    // them.
    let _merged = trainee.valid();
    trainee.clone().into_record()
}
