//! Pictures become pixels off the async threads, as many at once as the machine has cores for.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::error::{Cause, Fault};
use super::metrics::Metrics;
use crate::model::Description;
use crate::picture::{self, Pixels};
use crate::settings::PictureSettings;

/// What decodes uploads for one tower.
pub(super) struct Decoder {
    settings: PictureSettings,
    tower: Arc<Description>,
    metrics: Arc<Metrics>,
    lane: Arc<Semaphore>,
}

/// A picture that waits for its turn; dropped before that, it is counted.
struct Turn<'a>(Option<&'a Metrics>);

impl Decoder {
    pub(super) fn new(
        settings: PictureSettings,
        tower: Arc<Description>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let lane = Arc::new(Semaphore::new(settings.decodes()));
        Self { settings, tower, metrics, lane }
    }

    /// The pixels that the tower reads of an upload.
    pub(super) async fn pixels(&self, upload: Bytes) -> Result<Pixels, Fault> {
        let turn = Turn(Some(&self.metrics));
        let permit = self.lane.clone().acquire_owned().await.expect("never closed");
        turn.came();
        let (tower, limits) = (self.tower.clone(), self.settings.limits());
        let decoding = tokio::task::spawn_blocking(move || {
            // A caller who leaves does not end a decode, so the permit goes with it.
            let _permit = permit;
            let picture = picture::decode(&upload, &limits)?;
            tower.card.preparation.prepare(&picture)
        });
        match decoding.await {
            Ok(pixels) => Ok(pixels?),
            Err(err) => Err(Fault::Internal(Cause::Panicked(err.to_string()))),
        }
    }
}

impl Turn<'_> {
    fn came(mut self) {
        self.0 = None;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(metrics) = self.0 {
            metrics.not_decoded();
        }
    }
}
