//! A run's folder: what was chosen, and where the run stands.
//!
//! A checkpoint counts once `state.json` names it, and that file is replaced in one move: a run
//! that is cut off while saving goes on from the checkpoint before.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::Trainee;

const RECORD: &str = "run.toml";
const STATE: &str = "state.json";

/// A run's folder.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

/// Where a run stands, beside its weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// How many steps are done.
    pub step: u32,
    /// The lowest EER measured on people held out, where a run keeps its best weights.
    pub best: Option<Best>,
}

/// The best measurement so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// After which step.
    pub step: u32,
    /// The EER, in [0, 1].
    pub eer: f64,
    /// How many measurements since then were no lower.
    pub stale: u32,
}

impl RunFolder {
    /// A folder for a new run, made where it isn't there.
    ///
    /// # Errors
    ///
    /// If it holds a run already.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        if path.join(STATE).exists() {
            bail!(
                "{} holds a run already: pass --resume to go on with it, or --run DIR for another",
                path.display()
            );
        }
        fs::create_dir_all(path).with_context(|| format!("{} can't be made", path.display()))?;
        Ok(Self(path.to_path_buf()))
    }

    /// The folder of a run that was begun.
    ///
    /// # Errors
    ///
    /// If no run was saved there.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        if !path.join(STATE).exists() {
            bail!("{} holds no saved run to resume: leave out --resume", path.display());
        }
        Ok(Self(path.to_path_buf()))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes what the run was asked to do.
    pub fn write_record(&self, record: &impl Serialize) -> anyhow::Result<()> {
        self.replace(RECORD, toml::to_string(record)?.as_bytes())
    }

    /// Reads what the run was asked to do.
    pub fn read_record<T: serde::de::DeserializeOwned>(&self) -> anyhow::Result<T> {
        let path = self.0.join(RECORD);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} can't be read", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a run's", path.display()))
    }

    /// Saves weights, the optimizer's state, and where the run stands.
    pub fn save(
        &self,
        state: State,
        trainee: &Trainee,
        optimizer: &ModuleOptimizer,
    ) -> anyhow::Result<()> {
        let folder = self.checkpoint(state.step);
        fs::create_dir_all(&folder)?;
        record(trainee).save(folder.join("weights.bpk"))?;
        optimizer.save(folder.join("optimizer.bpk"))?;
        self.replace(STATE, &serde_json::to_vec_pretty(&state)?)?;
        self.forget_others(state)
    }

    /// Keeps the weights of the best measurement so far.
    pub fn save_best(&self, step: u32, trainee: &Trainee) -> anyhow::Result<()> {
        Ok(record(trainee).save(self.best(step))?)
    }

    /// Reads the kept weights of the best measurement.
    pub fn load_best(&self, step: u32, trainee: Trainee) -> anyhow::Result<Trainee> {
        Ok(trainee.try_load_file(self.best(step))?)
    }

    /// Reads where the run stands.
    pub fn state(&self) -> anyhow::Result<State> {
        let path = self.0.join(STATE);
        let text = fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is broken", path.display()))
    }

    /// Reads weights and the optimizer's state into those given.
    pub fn load(
        &self,
        state: State,
        trainee: Trainee,
        optimizer: ModuleOptimizer,
    ) -> anyhow::Result<(Trainee, ModuleOptimizer)> {
        let folder = self.checkpoint(state.step);
        let trainee = trainee.try_load_file(folder.join("weights.bpk"))?;
        Ok((trainee, optimizer.load(folder.join("optimizer.bpk"))?))
    }

    fn checkpoint(&self, step: u32) -> PathBuf {
        self.0.join(format!("step-{step}"))
    }

    fn best(&self, step: u32) -> PathBuf {
        self.0.join(format!("best-{step}.bpk"))
    }

    /// Removes the checkpoints that `state` no longer needs.
    fn forget_others(&self, state: State) -> anyhow::Result<()> {
        let best = state.best.map(|it| self.best(it.step));
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("step-") && path != self.checkpoint(state.step) {
                fs::remove_dir_all(path)?;
            } else if name.starts_with("best-") && Some(&path) != best.as_ref() {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Replaces a file in one move.
    fn replace(&self, name: &str, contents: &[u8]) -> anyhow::Result<()> {
        let mut file = NamedTempFile::new_in(&self.0)?;
        file.write_all(contents)?;
        file.as_file().sync_all()?;
        file.persist(self.0.join(name))?;
        Ok(())
    }
}

/// All weights, with the norms' running statistics as they stand.
fn record(trainee: &Trainee) -> ModuleRecord {
    // A record reads running statistics without those of the last step, which wait to be merged;
    // asking for the network in evaluation merges them.
    let _merged = trainee.valid();
    trainee.clone().into_record()
}
