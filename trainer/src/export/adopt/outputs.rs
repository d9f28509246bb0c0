//! A cache of the outputs of a network.

use std::collections::HashMap;

use indicatif::ProgressBar;
use siamese_core::model::Model;
use siamese_core::preprocessing::Preprocessing;
use siamese_core::score::Embedding;

use super::{Fitted, Usage};
use crate::data::{Gallery, Sample};
use crate::evaluate::{EmbeddedError, embed};

/// A network, and its outputs by preprocessing and image.
pub(super) struct Outputs<'a, T> {
    model: &'a mut T,
    known: Vec<(Preprocessing, HashMap<String, Embedding>)>,
}

impl<'a, T: Model> Outputs<'a, T> {
    /// Makes an empty cache. The model must return the network's output unchanged.
    pub(super) fn of(model: &'a mut T) -> Self {
        Self { model, known: Vec::new() }
    }

    /// Returns the embeddings of all images under a usage. The network runs only on images that have no output yet for
    /// this preprocessing.
    pub(super) fn under(
        &mut self,
        usage: &Usage,
        gallery: &Gallery<Fitted>,
        bar: &ProgressBar,
    ) -> Result<Vec<Embedding>, EmbeddedError> {
        let preprocessing = &usage.preprocessing;
        let index = self.known.iter().position(|(known, _)| known == preprocessing);
        let index = index.unwrap_or_else(|| {
            self.known.push((preprocessing.clone(), HashMap::new()));
            self.known.len() - 1
        });
        let known = &mut self.known[index].1;
        let is_new = |sample: &&Sample<Fitted>| !known.contains_key(&sample.name);
        let new: Vec<_> = gallery.samples().iter().filter(is_new).collect();
        let found = embed(self.model, &new, |fitted| fitted.scaled(preprocessing), bar)?;
        known.extend(new.iter().map(|sample| sample.name.clone()).zip(found));
        let of = |sample: &Sample<Fitted>| {
            usage
                .embedding(known[&sample.name].clone())
                .map_err(|cause| EmbeddedError::NoEmbedding { image: sample.name.clone(), cause })
        };
        gallery.samples().iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{GrayImage, Luma};
    use siamese_core::model::{self, Length, LoadError, ModelError};
    use siamese_core::preprocessing::{Colour, Fit, Pixels};
    use tempfile::TempDir;

    use super::*;
    use crate::data::Collection;

    /// Embeds an image as its first pixel, and counts the images.
    struct Counting(usize);

    impl Model for Counting {
        fn embed(&mut self, images: &[Pixels]) -> Result<Vec<model::Embedded>, ModelError> {
            self.0 += images.len();
            Ok(images.iter().map(|image| Embedding::new(&image.values()[..1])).collect())
        }

        fn renew(&mut self) -> Result<(), LoadError> {
            Ok(())
        }
    }

    #[test]
    fn a_network_runs_once_on_each_image_under_each_preprocessing() {
        let data = TempDir::new().expect("a folder");
        for identity in 0..4 {
            let folder = data.path().join(format!("s{identity}"));
            fs::create_dir(&folder).expect("a folder");
            for number in 0..2 {
                let image = GrayImage::from_pixel(2, 2, Luma([10 * identity + number + 1]));
                image.save(folder.join(format!("{number}.png"))).expect("an image");
            }
        }
        let preprocessing = Preprocessing {
            height: 2,
            width: 2,
            colour: Colour::Grey,
            fit: Fit::Stretch,
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
        };
        let images = Collection::open(data.path()).expect("images");
        let fits = [Fit::Stretch, Fit::Crop];
        let usage = Usage { preprocessing, align: None, length: Length::AsIs };
        let gallery = Fitted::read(&images, &usage, &fits, false).expect("images");
        let halved = Preprocessing { scale: 0.5, ..usage.preprocessing.clone() };
        let cropped = Preprocessing { fit: Fit::Crop, ..usage.preprocessing.clone() };
        let unit = Usage { length: Length::Unit, ..usage.clone() };
        let [halved, cropped] =
            [halved, cropped].map(|preprocessing| Usage { preprocessing, ..usage.clone() });

        let mut model = Counting(0);
        let mut outputs = Outputs::of(&mut model);
        let bar = ProgressBar::hidden();
        let part = gallery.spread(4);
        for (usage, gallery, expected, runs) in [
            (&usage, &part, [1.0, 2.0, 21.0, 22.0], 4),
            (&unit, &part, [1.0; 4], 4),
            (&halved, &part, [0.5, 1.0, 10.5, 11.0], 8),
            (&usage, &gallery, [1.0, 2.0, 11.0, 12.0], 12),
            (&cropped, &part, [1.0, 2.0, 21.0, 22.0], 16),
        ] {
            let found = outputs.under(usage, gallery, &bar).expect("embeddings");
            let found: Vec<f32> =
                found.iter().map(|embedding| embedding.coordinates()[0]).collect();
            assert_eq!((&found[..4], outputs.model.0), (&expected[..], runs), "{usage}");
        }
    }
}
