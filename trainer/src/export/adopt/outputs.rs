//! What a network makes of pictures, found once.

use std::collections::HashMap;

use indicatif::ProgressBar;
use siamese_core::model::Tower;
use siamese_core::picture::Preparation;
use siamese_core::score::Embedding;

use super::{Fitted, Usage};
use crate::data::{Gallery, Sample};
use crate::evaluate::{EmbeddedError, embed};

/// A network, and its outputs so far: by preparation and picture, each as it is.
pub(super) struct Outputs<'a, T> {
    tower: &'a mut T,
    known: Vec<(Preparation, HashMap<String, Embedding>)>,
}

impl<'a, T: Tower> Outputs<'a, T> {
    /// Those of a network that gives its output as it is.
    pub(super) fn of(tower: &'a mut T) -> Self {
        Self { tower, known: Vec::new() }
    }

    /// The embeddings of all pictures under a usage; the network runs on those alone that it was not yet run on under this
    /// preparation.
    pub(super) fn under(
        &mut self,
        usage: &Usage,
        gallery: &Gallery<Fitted>,
        bar: &ProgressBar,
    ) -> Result<Vec<Embedding>, EmbeddedError> {
        let preparation = &usage.preparation;
        let at = self.known.iter().position(|(known, _)| known == preparation);
        let at = at.unwrap_or_else(|| {
            self.known.push((preparation.clone(), HashMap::new()));
            self.known.len() - 1
        });
        let known = &mut self.known[at].1;
        let is_new = |it: &&Sample<Fitted>| !known.contains_key(&it.name);
        let new: Vec<_> = gallery.samples().iter().filter(is_new).collect();
        let found = embed(self.tower, &new, |it| it.scaled(preparation), bar)?;
        known.extend(new.iter().map(|it| it.name.clone()).zip(found));
        let of = |it: &Sample<Fitted>| {
            usage
                .embedding(known[&it.name].clone())
                .map_err(|cause| EmbeddedError::NoEmbedding { picture: it.name.clone(), cause })
        };
        gallery.samples().iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{GrayImage, Luma};
    use siamese_core::model::{self, Length, LoadError, TowerError};
    use siamese_core::picture::{Colour, Fit, Pixels};
    use tempfile::TempDir;

    use super::*;
    use crate::data::Collection;

    /// Gives a picture's first pixel, and counts its pictures.
    struct Counting(usize);

    impl Tower for Counting {
        fn embed(&mut self, pictures: &[Pixels]) -> Result<Vec<model::Embedded>, TowerError> {
            self.0 += pictures.len();
            Ok(pictures.iter().map(|it| Embedding::new(&it.values()[..1])).collect())
        }

        fn renew(&mut self) -> Result<(), LoadError> {
            Ok(())
        }
    }

    #[test]
    fn a_network_runs_once_on_each_picture_under_each_preparation() {
        let data = TempDir::new().expect("a folder");
        for identity in 0..4 {
            let folder = data.path().join(format!("s{identity}"));
            fs::create_dir(&folder).expect("a folder");
            for number in 0..2 {
                let picture = GrayImage::from_pixel(2, 2, Luma([10 * identity + number + 1]));
                picture.save(folder.join(format!("{number}.png"))).expect("a picture");
            }
        }
        let preparation = Preparation {
            height: 2,
            width: 2,
            colour: Colour::Grey,
            fit: Fit::Stretch,
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
        };
        let pictures = Collection::open(data.path()).expect("pictures");
        let fits = [Fit::Stretch, Fit::Crop];
        let gallery = Fitted::read(&pictures, &preparation, &fits, false).expect("pictures");
        let usage = Usage { preparation, length: Length::AsIs };
        let halved = Preparation { scale: 0.5, ..usage.preparation.clone() };
        let cropped = Preparation { fit: Fit::Crop, ..usage.preparation.clone() };
        let unit = Usage { length: Length::Unit, ..usage.clone() };
        let [halved, cropped] =
            [halved, cropped].map(|it| Usage { preparation: it, ..usage.clone() });

        let mut tower = Counting(0);
        let mut outputs = Outputs::of(&mut tower);
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
            let found: Vec<f32> = found.iter().map(|it| it.coordinates()[0]).collect();
            assert_eq!((&found[..4], outputs.tower.0), (&expected[..], runs), "{usage}");
        }
    }
}
