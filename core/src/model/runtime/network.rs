//! A session and the data for its runs.

use ort::session::Session;

use super::input::{Buffers, Input};
use super::sizes::Sizes;
use crate::model::ModelError;
use crate::preprocessing::{Pixels, Preprocessing};

/// A session and the data for its runs.
pub(super) struct Network {
    session: Session,
    input: Input,
    /// `[channels, height, width]`.
    image_shape: [usize; 3],
    buffers: Buffers,
    /// The batch sizes: at first one image.
    pub(super) sizes: Sizes,
}

impl Network {
    /// Checks that the session reads the images of a preprocessing. The error is the reason.
    pub(super) fn new(session: Session, preprocessing: &Preprocessing) -> Result<Self, String> {
        let input = Input::of(&session, preprocessing)?;
        let (image_shape, buffers) = (preprocessing.shape(), Buffers::default());
        Ok(Self { session, input, image_shape, buffers, sizes: Sizes::any(1) })
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the number of images may vary.
    pub(super) fn is_dynamic(&self) -> bool {
        self.input.is_dynamic
    }

    /// Runs the images, in batches of its sizes. `read` receives the images of a batch, its size, and the shape and values
    /// of its output.
    pub(super) fn run_all(
        &mut self,
        images: &[Pixels],
        mut read: impl FnMut(usize, usize, &[i64], &[f32]) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        for batch in images.chunks(self.sizes.largest()) {
            let size = self.sizes.of(batch.len());
            self.run(batch, size, |shape, values| read(batch.len(), size, shape, values))?;
        }
        Ok(())
    }

    /// Runs the images once; fills the batch with zeros up to `size`.
    pub(super) fn run<T>(
        &mut self,
        images: &[Pixels],
        size: usize,
        read: impl FnOnce(&[i64], &[f32]) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        let tensor = self.input.tensor(images, size, self.image_shape, &mut self.buffers);
        let outputs =
            self.session.run([tensor.map_err(ModelError::Run)?]).map_err(ModelError::Run)?;
        let (shape, values) = outputs[0].try_extract_tensor::<f32>().map_err(ModelError::Run)?;
        read(shape, values)
    }
}
