//! From files to embeddings, with the same engine that serves requests.

pub(super) mod files;
pub(super) mod page;

use std::fs;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use siamese_core::model::{Choice, Description};
use tokio::runtime::Runtime;

use super::Failure;
use crate::engine::Engine;
use crate::engine::cache::EmbeddedImage;
use crate::engine::deployment::{Deployment, Tuning};
use crate::engine::judgement::{Criterion, Judge};
use crate::engine::pipeline::{Compared, Refusal, Scene, Source};
use crate::ops::blocking::compute;
use crate::ops::settings::Settings;

/// The most files of one portion, and about the most bytes. All files of a portion are in memory at once.
const PORTION_LIMITS: (usize, u64) = (64, 32 << 20);

/// The largest file, in bytes.
const LARGEST_FILE: u64 = 512 << 20;

/// Portions in progress at once: one is read while another is decoded and a third runs through the model.
const CONCURRENT_PORTIONS: usize = 3;

/// The result for one file. The error is a text for people.
pub(super) type Embedded = Result<EmbeddedImage, String>;

/// An engine that embeds the files of one command.
pub(super) struct Images {
    runtime: Runtime,
    engine: Engine,
    deployment: Arc<Deployment>,
    /// Which face of an image counts.
    choice: Choice,
}

impl Images {
    /// Loads the model that the settings name.
    pub(super) fn load(mut settings: Settings, tuning: Tuning) -> Result<Self, Failure> {
        // No other requests compete here: the half of the decoders that is kept for pairs is free, and no limit on
        // requests or on their images is needed.
        let decodes = NonZeroUsize::new(settings.image.decodes)
            .or(std::thread::available_parallelism().ok())
            .map_or(1, NonZeroUsize::get);
        settings.image.decodes = decodes.saturating_mul(2);
        settings.model.bulk_queue = NonZeroUsize::MAX;
        settings.server.max_in_flight = NonZeroUsize::MAX;
        // Each file is embedded once, so a cache would only cost a digest of each.
        settings.cache.max_bytes = 0;
        let choice = settings.image.faces;
        let runtime = Runtime::new().map_err(|err| Failure::machine(&err))?;
        let context = runtime.enter();
        let engine = Engine::load(settings, tuning, Arc::new(|_| ()))?;
        drop(context);
        let deployment = engine.deployment();
        Ok(Self { runtime, engine, deployment, choice })
    }

    /// The description of the model.
    pub(super) fn model(&self) -> &Description {
        &self.deployment.model
    }

    /// A judge of the model's distances.
    pub(super) fn judge(&self, criterion: Criterion) -> Result<Judge<'_>, Failure> {
        self.deployment.judge(criterion).map_err(|err| Failure::caller(&err))
    }

    /// Embeds files, and passes each result to `put`, in order, until `put` breaks or fails.
    pub(super) fn embed(
        &self,
        files: &[PathBuf],
        mut put: impl FnMut(&Path, Embedded) -> Result<ControlFlow<()>, Failure>,
    ) -> Result<(), Failure> {
        self.runtime.block_on(async {
            let portions = stream::iter(portions(files));
            let results = portions.map(async |files| (files, self.embed_portion(files).await));
            let mut results = pin!(results.buffered(CONCURRENT_PORTIONS));
            while let Some((files, embedded)) = results.next().await {
                for (path, embedded) in files.iter().zip(embedded?) {
                    if put(path, embedded)?.is_break() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }

    /// What the model sees of each file, as a PNG; `None` if it cannot be read.
    pub(super) fn show(&self, files: &[PathBuf]) -> Vec<Option<Vec<u8>>> {
        let show = async |path: &PathBuf| {
            let path = path.clone();
            let upload = compute(move || read(&path)).await.ok()?;
            let shown = self.engine.show(&self.deployment, upload.into(), self.choice).await;
            shown.ok().map(|(png, _)| png)
        };
        let shown = stream::iter(files).map(show).buffered(CONCURRENT_PORTIONS);
        self.runtime.block_on(shown.collect())
    }

    /// Compares two images place by place. The inner error is a text for people.
    pub(super) fn changes(&self, scene: Scene) -> Result<Result<Compared, String>, Failure> {
        match self.runtime.block_on(self.engine.changes(&self.deployment, scene)) {
            Ok((compared, _)) => Ok(Ok(compared)),
            Err(Refusal::Item { error, .. }) => Ok(Err(error.to_string())),
            Err(Refusal::NotCompared(why)) => Ok(Err(why.to_string())),
            Err(refusal) => Err(Failure::machine(&refusal)),
        }
    }

    async fn embed_portion(&self, files: &[PathBuf]) -> Result<Vec<Embedded>, Failure> {
        let paths = files.to_vec();
        let read = compute(move || paths.iter().map(|path| read(path)).collect::<Vec<_>>()).await;
        let mut sources = Vec::with_capacity(read.len());
        let read: Vec<Result<(), String>> = read
            .into_iter()
            .map(|bytes| {
                let bytes = bytes.map_err(|err| err.to_string())?;
                sources.push(Source::Upload(bytes.into()));
                Ok(())
            })
            .collect();
        let embedded = self.engine.embed_many(&self.deployment, sources).await;
        let mut outcomes = embedded.map_err(|err| Failure::machine(&err))?.outcomes.into_iter();
        let results = read.into_iter().map(|read| {
            read?;
            let outcome = outcomes.next().expect("one outcome for each source");
            outcome.map_err(|err| err.to_string())
        });
        Ok(results.collect())
    }
}

/// Reads a file within [`LARGEST_FILE`]: a device may have no end.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    if LARGEST_FILE < bytes.len() as u64 {
        let why = format!("it has more than {} MiB, which no image needs", LARGEST_FILE >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// Splits files into portions. The order stays.
fn portions(files: &[PathBuf]) -> Vec<&[PathBuf]> {
    let mut portions = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (index, file) in files.iter().enumerate() {
        let size = fs::metadata(file).map_or(0, |metadata| metadata.len());
        if begin < index && (index - begin == PORTION_LIMITS.0 || PORTION_LIMITS.1 < bytes + size) {
            portions.push(&files[begin..index]);
            (begin, bytes) = (index, 0);
        }
        bytes += size;
    }
    if begin < files.len() {
        portions.push(&files[begin..]);
    }
    portions
}

/// A progress bar on the terminal.
pub(super) fn progress(files: usize, is_shown: bool) -> ProgressBar {
    let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style =
        ProgressStyle::with_template("{bar:40} {pos} of {len} images, {per_sec}, {eta} left")
            .expect("a template of indicatif's own fields");
    ProgressBar::with_draw_target(u64::try_from(files).ok(), target).with_style(style)
}
