//! A run's folder: what was chosen, and where the run stands.
//!
//! A checkpoint is written beside its place, brought to the disk, and moved there whole; the one
//! before it stays. A run that is cut off at any moment goes on from the last one whose digests hold.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};

use super::Trainee;
use crate::data::{Gallery, Sample, digest_of_file};
use crate::draft;

const RECORD: &str = "run.toml";
const STATE: &str = "state.json";
const WEIGHTS: &str = "weights.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
/// How many checkpoints are kept.
const KEPT: usize = 2;

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

/// What a checkpoint says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    state: State,
    weights: String,
    optimizer: String,
}

impl RunFolder {
    /// A folder for a new run, made where it isn't there.
    ///
    /// # Errors
    ///
    /// If it holds a run already.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let folder = Self(path.to_path_buf());
        if !folder.checkpoints().is_empty() {
            bail!(
                "{} holds a run already: pass --resume to go on with it, or --run DIR for another",
                path.display()
            );
        }
        fs::create_dir_all(path).with_context(|| format!("{} can't be made", path.display()))?;
        Ok(folder)
    }

    /// The folder of a run that was begun.
    ///
    /// # Errors
    ///
    /// If no run was begun there.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        if !path.join(RECORD).exists() {
            bail!("{} holds no saved run to resume: leave out --resume", path.display());
        }
        Ok(Self(path.to_path_buf()))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a list of images, one a line, as `sha256sum --check` reads it.
    ///
    /// # Errors
    ///
    /// If the folder can't be written.
    pub fn write_list(&self, name: &str, gallery: &Gallery) -> anyhow::Result<()> {
        let mut text = String::new();
        for Sample { name, digest, .. } in gallery.samples() {
            let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
            writeln!(text, "{hex}  {name}")?;
        }
        self.replace(name, text.as_bytes())
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
        let draft = tempfile::Builder::new().prefix(".draft-").tempdir_in(&self.0)?;
        let file = |name: &str| draft.path().join(name);
        record(trainee).save(file(WEIGHTS))?;
        optimizer.save(file(OPTIMIZER))?;
        let seal = Seal {
            state,
            weights: digest_of_file(&file(WEIGHTS))?,
            optimizer: digest_of_file(&file(OPTIMIZER))?,
        };
        fs::write(file(STATE), serde_json::to_vec_pretty(&seal)?)?;
        for name in [WEIGHTS, OPTIMIZER, STATE] {
            File::open(file(name))?.sync_all()?;
        }
        let place = self.checkpoint(state.step);
        if place.exists() {
            // A run that was resumed from an older one comes by here again.
            fs::remove_dir_all(&place)?;
        }
        fs::rename(draft.keep(), place)?;
        draft::sync_names(&self.0)?;
        self.forget_others()
    }

    /// Keeps the weights of the best measurement so far.
    pub fn save_best(&self, step: u32, trainee: &Trainee) -> anyhow::Result<()> {
        let draft = tempfile::Builder::new().prefix(".draft-").tempdir_in(&self.0)?;
        let file = draft.path().join(WEIGHTS);
        record(trainee).save(&file)?;
        File::open(&file)?.sync_all()?;
        fs::rename(file, self.best(step))?;
        Ok(())
    }

    /// Reads the kept weights of the best measurement.
    pub fn load_best(&self, step: u32, trainee: Trainee) -> anyhow::Result<Trainee> {
        Ok(trainee.try_load_file(self.best(step))?)
    }

    /// Where the run stands, by the last checkpoint that is whole; at the beginning, where it was
    /// stopped before the first.
    ///
    /// # Errors
    ///
    /// If there are checkpoints and none is whole.
    pub fn state(&self) -> anyhow::Result<State> {
        let steps = self.checkpoints();
        if steps.is_empty() {
            return Ok(State::default());
        }
        for step in steps.into_iter().rev() {
            match self.seal(step) {
                Ok(seal) => return Ok(seal.state),
                Err(error) => eprintln!(
                    "warning: the checkpoint of step {step} is broken ({error:#}), so the run goes on \
                     from the one before"
                ),
            }
        }
        bail!("{} holds no whole checkpoint: begin anew in another --run DIR", self.0.display())
    }

    /// Reads weights and the optimizer's state into those given.
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

    /// A checkpoint's seal, held against its files.
    fn seal(&self, step: u32) -> anyhow::Result<Seal> {
        let folder = self.checkpoint(step);
        let seal: Seal = serde_json::from_slice(&fs::read(folder.join(STATE))?)?;
        for (name, digest) in [(WEIGHTS, &seal.weights), (OPTIMIZER, &seal.optimizer)] {
            if digest_of_file(&folder.join(name))? != *digest {
                bail!("{name} is not as it was written");
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

    /// The steps of the checkpoints there are, ascending.
    fn checkpoints(&self) -> Vec<u32> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut steps: Vec<u32> = entries
            .filter_map(|it| it.file_name().to_str()?.strip_prefix("step-")?.parse().ok())
            .collect();
        steps.sort_unstable();
        steps
    }

    /// Removes what the last checkpoints don't need, and what a run that was killed left unfinished.
    fn forget_others(&self) -> anyhow::Result<()> {
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
            kept.iter().filter_map(|it| Some(self.best(state(it)?.best?.step))).collect();
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

    /// Replaces a file in one move.
    pub(super) fn replace(&self, name: &str, contents: &[u8]) -> anyhow::Result<()> {
        Ok(draft::file(&self.0.join(name), contents)?)
    }
}

/// All weights, with the norms' running statistics as they stand.
fn record(trainee: &Trainee) -> ModuleRecord {
    // A record reads running statistics without those of the last step, which wait to be merged;
    // asking for the network in evaluation merges them.
    let _merged = trainee.valid();
    trainee.clone().into_record()
}
