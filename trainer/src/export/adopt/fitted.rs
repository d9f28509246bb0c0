//! Images that are decoded and fitted, but not yet scaled.

use siamese_core::model::{Choice, Preprocessor};
use siamese_core::preprocessing::{DecodeError, Fit, Limits, Pixels, Planes, Preprocessing};

use super::{AdoptError, Usage};
use crate::data::{Collection, Gallery};

/// An image that was decoded once, and fitted in one or more ways.
#[derive(Clone, Debug)]
pub(super) struct Fitted(Vec<(Fit, Planes)>);

impl Fitted {
    /// Reads and decodes every image once. The result serves all usages that differ from `usage` only in the fit (one of
    /// `fits`), the order of channels, and the scaling. An aligned face is the same for every fit.
    pub(super) fn read(
        images: &Collection,
        usage: &Usage,
        fits: &[Fit],
        skip_unreadable: bool,
    ) -> Result<Gallery<Self>, AdoptError> {
        let limits = Limits::default();
        let Usage { preprocessing, align, .. } = usage;
        let preprocessor = Preprocessor::new(preprocessing.clone(), align.clone())
            .map_err(AdoptError::Detector)?;
        let gallery = Gallery::read(images, skip_unreadable, |upload| -> Result<_, DecodeError> {
            let planes = if align.is_some() {
                let (planes, _) = preprocessor.planes(upload, &limits, Choice::default())?;
                vec![planes; fits.len()]
            } else {
                preprocessing.planes_by_fit(upload, &limits, fits)?
            };
            Ok(Self(fits.iter().copied().zip(planes).collect()))
        })?;
        Ok(gallery)
    }

    /// Returns the input tensor for a preprocessing.
    ///
    /// # Panics
    ///
    /// If the image was not fitted in the way of `preprocessing`.
    pub(super) fn scaled(&self, preprocessing: &Preprocessing) -> Pixels {
        let planes = self.0.iter().find(|(fit, _)| *fit == preprocessing.fit);
        preprocessing.pixels(&planes.expect("it was fitted in each way that is tried").1)
    }
}
