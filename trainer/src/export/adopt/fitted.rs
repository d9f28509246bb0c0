//! Images that are decoded and fitted, but not yet scaled.

use siamese_core::preprocessing::{Fit, Limits, Pixels, Planes, Preprocessing};

use crate::data::{Collection, DataError, Gallery};

/// An image that was decoded once, and fitted in one or more ways.
#[derive(Clone, Debug)]
pub(super) struct Fitted(Vec<(Fit, Planes)>);

impl Fitted {
    /// Reads and decodes every image once. The result serves all preprocessings that differ from `preprocessing` only in
    /// the fit (one of `fits`), the order of channels, and the scaling.
    pub(super) fn read(
        images: &Collection,
        preprocessing: &Preprocessing,
        fits: &[Fit],
        skip_unreadable: bool,
    ) -> Result<Gallery<Self>, DataError> {
        let limits = Limits::default();
        Gallery::read(images, skip_unreadable, |upload| {
            let planes = preprocessing.planes_by_fit(upload, &limits, fits)?;
            Ok(Self(fits.iter().copied().zip(planes).collect()))
        })
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
