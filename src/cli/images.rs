//! Files become embeddings, on the engine that serves.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use siamese_core::model::Description;
use siamese_core::score::Embedding;
use tokio::runtime::Runtime;

use super::Failure;
use crate::engine::Engine;
use crate::engine::deployment::{Deployment, Tuning};
use crate::engine::pipeline::Source;
use crate::ops::blocking::compute;
use crate::ops::settings::Settings;

/// The most files of a portion, and about the most bytes of them: all of a portion are in memory at once.
const PORTION: (usize, u64) = (64, 32 << 20);

/// Portions in hand at once: one is read while another is decoded and a third is in the model.
const IN_HAND: usize = 3;

/// What became of a file; a reason in words where it has no embedding.
pub(super) type Made = Result<Embedding, String>;

/// An engine for the files of one command.
pub(super) struct Images {
    runtime: Runtime,
    engine: Engine,
    on: Arc<Deployment>,
}

impl Images {
    /// Loads the model that the settings name.
    pub(super) fn load(mut settings: Settings, tuning: Tuning) -> Result<Self, Failure> {
        // Nobody else has use for the half of the decoders that is kept for pairs, nor is anybody kept out.
        let decodes = NonZeroUsize::new(settings.picture.decodes)
            .or(std::thread::available_parallelism().ok())
            .map_or(1, NonZeroUsize::get);
        settings.picture.decodes = decodes.saturating_mul(2);
        settings.tower.bulk_queue = NonZeroUsize::MAX;
        let runtime = Runtime::new().map_err(|err| Failure::machine(&err))?;
        let context = runtime.enter();
        let engine = Engine::load(settings, tuning, Arc::new(|_| ()))?;
        drop(context);
        let on = engine.deployment();
        Ok(Self { runtime, engine, on })
    }

    /// The model.
    pub(super) fn tower(&self) -> &Description {
        &self.on.tower
    }

    /// Embeds files, and gives what became of each, in order, until `put` fails.
    pub(super) fn embed(
        &self,
        files: &[PathBuf],
        mut put: impl FnMut(&Path, Made) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.runtime.block_on(async {
            let portions = stream::iter(portions(files));
            let made = portions.map(async |files| (files, self.portion(files).await));
            let mut made = pin!(made.buffered(IN_HAND));
            while let Some((files, made)) = made.next().await {
                for (path, made) in files.iter().zip(made?) {
                    put(path, made)?;
                }
            }
            Ok(())
        })
    }

    async fn portion(&self, files: &[PathBuf]) -> Result<Vec<Made>, Failure> {
        let paths = files.to_vec();
        let read = compute(move || paths.iter().map(fs::read).collect::<Vec<_>>()).await;
        let mut sources = Vec::with_capacity(read.len());
        let read: Vec<Result<(), String>> = read
            .into_iter()
            .map(|bytes| {
                let bytes = bytes.map_err(|err| err.to_string())?;
                sources.push(Source::Upload(bytes.into()));
                Ok(())
            })
            .collect();
        let embedded = self.engine.embed_many(&self.on, sources).await;
        let mut outcomes = embedded.map_err(|err| Failure::machine(&err))?.outcomes.into_iter();
        let made = read.into_iter().map(|read| {
            read?;
            outcomes.next().expect("one for each source").map_err(|err| err.to_string())
        });
        Ok(made.collect())
    }
}

/// Files in their order, in portions.
fn portions(files: &[PathBuf]) -> Vec<&[PathBuf]> {
    let mut portions = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (at, file) in files.iter().enumerate() {
        let size = fs::metadata(file).map_or(0, |metadata| metadata.len());
        if begin < at && (at - begin == PORTION.0 || PORTION.1 < bytes + size) {
            portions.push(&files[begin..at]);
            (begin, bytes) = (at, 0);
        }
        bytes += size;
    }
    if begin < files.len() {
        portions.push(&files[begin..]);
    }
    portions
}
