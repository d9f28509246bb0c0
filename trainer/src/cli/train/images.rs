//! The images of a run, as the network reads them: pixels, or the features of a backbone.

use siamese_core::model::{Align, Preprocessor};
use siamese_core::output::note;
use siamese_core::preprocessing::{Limits, Pixels};

use super::MAX_COMPARED;
use crate::backbone::{Extractor, Features, LoadedBackbone};
use crate::cli::inputs::some_pixels;
use crate::config::Config;
use crate::data::{Collection, DataError, Gallery, inspect};

/// The images of both sides of a split.
pub(super) struct Images {
    /// The inputs of the network for training.
    pub(super) training: Gallery,
    /// The inputs of the network for the held-out identities.
    pub(super) held_out: Option<Gallery>,
    /// What is conspicuous about the images.
    pub(super) warnings: Vec<String>,
}

impl Images {
    /// Returns the images that the network is measured on.
    pub(super) fn measured(&self) -> &Gallery {
        self.held_out.as_ref().unwrap_or(&self.training)
    }
}

/// How images are read.
pub(super) struct Reader<'a> {
    pub(super) config: &'a Config,
    pub(super) align: Option<Align>,
    pub(super) skip_unreadable: bool,
    pub(super) allow_duplicates: bool,
}

impl Reader<'_> {
    /// Reads the images of both sides, and inspects them.
    pub(super) fn read(
        &self,
        backbone: Option<&LoadedBackbone>,
        training: &Collection,
        held_out: Option<&Collection>,
    ) -> anyhow::Result<Images> {
        match backbone {
            Some(backbone) => self.features(backbone, training, held_out),
            None => self.images(training, held_out),
        }
    }

    fn images(
        &self,
        training: &Collection,
        held_out: Option<&Collection>,
    ) -> anyhow::Result<Images> {
        let training = self.pixels(training)?;
        let held_out = held_out.map(|images| self.pixels(images)).transpose()?;
        let shape = self.config.shape();
        let warnings = self.inspect(&training, held_out.as_ref(), shape)?;
        Ok(Images { training, held_out, warnings })
    }

    fn features(
        &self,
        backbone: &LoadedBackbone,
        training: &Collection,
        held_out: Option<&Collection>,
    ) -> anyhow::Result<Images> {
        let n_images = [Some(training), held_out].into_iter().flatten().map(Collection::n_images);
        let preprocessing = self.config.preprocessing();
        let extractor =
            Extractor::new(backbone, &preprocessing, self.align.clone(), n_images.sum())?;
        let read = |images: &Collection| -> anyhow::Result<Gallery<Features>> {
            let read = |upload: &[u8]| extractor.features(upload);
            Ok(told(Gallery::read(images, self.skip_unreadable, read)?))
        };
        let training = read(training)?;
        let held_out = held_out.map(read).transpose()?;
        extractor.finish();
        let thumbnails = |gallery: &Gallery<Features>| {
            gallery.clone().map(|features| features.thumbnail.clone())
        };
        let small = held_out.as_ref().map(thumbnails);
        let warnings = self.inspect(&thumbnails(&training), small.as_ref(), Features::SHAPE)?;
        let pooling = self.config.backbone.as_ref().and_then(|backbone| backbone.pooling);
        let pooled = |features: &Features| backbone.backbone.pooled(&features.row, pooling);
        Ok(Images {
            training: training.map(pooled),
            held_out: held_out.map(|it| it.map(pooled)),
            warnings,
        })
    }

    /// Reads the input of the model for every image.
    pub(super) fn pixels(&self, images: &Collection) -> anyhow::Result<Gallery> {
        let preprocessor = self.preprocessor()?;
        let limits = Limits::default();
        let read = |upload: &[u8]| preprocessor.preprocess(upload, &limits);
        Ok(told(Gallery::read(images, self.skip_unreadable, read)?))
    }

    /// Reads the input of the model for some images, spread evenly, with their names.
    pub(super) fn some_pixels(&self, images: &Collection) -> anyhow::Result<Vec<(String, Pixels)>> {
        some_pixels(images, &self.preprocessor()?, MAX_COMPARED)
    }

    fn preprocessor(&self) -> anyhow::Result<Preprocessor> {
        Ok(Preprocessor::new(self.config.preprocessing(), self.align.clone())?)
    }

    fn inspect(
        &self,
        training: &Gallery,
        held_out: Option<&Gallery>,
        shape: [usize; 3],
    ) -> Result<Vec<String>, DataError> {
        let [_, height, width] = self.config.preprocessing().shape();
        let sides = [Some(training), held_out].into_iter().flatten();
        let mut warnings: Vec<String> = sides.flat_map(Gallery::warnings).collect();
        warnings.extend(inspect(
            training,
            held_out,
            shape,
            [height, width],
            self.allow_duplicates,
        )?);
        Ok(warnings)
    }
}

/// Names the files that were skipped.
fn told<P>(gallery: Gallery<P>) -> Gallery<P> {
    for skipped in gallery.skipped() {
        note(&format!("skipped {skipped}"));
    }
    gallery
}
