//! Chooses the size of the input, the pooling and the head of a backbone, by folds within the training identities.

use siamese_core::output::note;
use siamese_core::preprocessing::Preprocessing;

use super::images::Reader;
use crate::backbone::{Extractor, LoadedBackbone, Pooling};
use crate::config::{Config, MeasuredInput};
use crate::data::{Collection, Gallery, Unreadable};
use crate::learn::{Choice, InputChoice, MAX_IMAGES};

/// What no option decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) size: bool,
    pub(super) pooling: bool,
}

/// Chooses the sizes of the head and its training if they are open and there are enough images, and prints the choice.
///
/// # Errors
///
/// If the configuration is then not valid.
pub(super) fn choose_head(
    config: &mut Config,
    training: &Gallery,
    is_open: bool,
) -> anyhow::Result<()> {
    match is_open.then(|| Choice::on(config, training)).flatten() {
        Some(choice) => {
            note(&choice.to_string());
            choice.apply_to(config);
        }
        None => config.shrink_head(training.samples().len(), is_open),
    }
    config.check()
}

impl Reader<'_> {
    /// Measures poolings at the usual size, and then sizes with the best of them, on some training images. Prints the choice.
    /// `None` if there is none, or if there are too few images.
    ///
    /// An image that can't be read is left out here. It is reported when all images are read.
    pub(super) fn choose_input(
        &self,
        backbone: &LoadedBackbone,
        training: &Collection,
        open: Open,
    ) -> Option<InputChoice> {
        let Preprocessing { height, width, .. } = self.config.preprocessing();
        let sides = if open.size { backbone.backbone.sides() } else { Vec::new() };
        let mut poolings = vec![self.config.backbone.as_ref()?.pooling];
        if open.pooling && !backbone.backbone.poolings().is_empty() {
            poolings = backbone.backbone.poolings().iter().copied().map(Some).collect();
        }
        if sides.is_empty() && poolings.len() < 2 {
            return None;
        }
        let sample = training.spread(MAX_IMAGES);
        let usual = self.rows(backbone, &sample, [height, width]).ok()?;
        let measure = |rows: &Gallery, [height, width]: [u32; 2], pooling: Option<Pooling>| {
            let pooled = rows.clone().map(|row| backbone.backbone.pooled(row, pooling));
            let eer = InputChoice::eer(&pooled)?;
            Some(MeasuredInput { height, width, pooling, eer })
        };
        let at_usual = poolings.iter().map(|pooling| measure(&usual, [height, width], *pooling));
        let mut choice = InputChoice::of(at_usual.collect::<Option<_>>()?)?;
        let longest = median_length(&usual);
        for side in sides.into_iter().filter(|side| *side != height && *side <= longest) {
            // A file may leave its sides open and yet fail on some.
            let Ok(rows) = self.rows(backbone, &sample, [side, side]) else { continue };
            if let Some(measured) = measure(&rows, [side, side], choice.pooling()) {
                choice.add(measured);
            }
        }
        note(&choice.to_string());
        Some(choice)
    }

    /// Computes the features of all poolings.
    fn rows(
        &self,
        backbone: &LoadedBackbone,
        images: &Collection,
        [height, width]: [u32; 2],
    ) -> anyhow::Result<Gallery> {
        let preprocessing = Preprocessing { height, width, ..self.config.preprocessing() };
        let extractor =
            Extractor::new(backbone, &preprocessing, self.align.clone(), images.n_images())?;
        let read = |upload: &[u8]| Ok::<_, Unreadable>(extractor.features(upload)?.row);
        let rows = Gallery::read(images, true, read);
        extractor.finish();
        Ok(rows?)
    }
}

/// Returns the median of the longer sides of images, in pixels. Images whose size is unknown count as large.
fn median_length(images: &Gallery) -> u32 {
    let length =
        |size: Option<[u32; 2]>| size.map_or(u32::MAX, |[columns, rows]| columns.max(rows));
    let mut lengths: Vec<u32> = images.samples().iter().map(|it| length(it.size)).collect();
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied().unwrap_or(u32::MAX)
}
