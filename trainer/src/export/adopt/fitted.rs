//! Images before their scale, of which any preprocessing of one size is made.

use siamese_core::preprocessing::{Fit, Limits, Pixels, Planes, Preprocessing};

use crate::data::{Collection, DataError, Gallery};

/// An image that was decoded once, and fitted in one or several ways.
#[derive(Clone, Debug)]
pub(super) struct Fitted(Vec<(Fit, Planes)>);

impl Fitted {
    /// Reads and decodes every image once, for preprocessings that differ from `preprocessing` in the fit, among `fits`, in
    /// the order of colours, and in the scale.
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

    /// What a model reads of it.
    ///
    /// # Panics
    ///
    /// If it was not fitted as `preprocessing` wants it.
    pub(super) fn scaled(&self, preprocessing: &Preprocessing) -> Pixels {
        let planes = self.0.iter().find(|(fit, _)| *fit == preprocessing.fit);
        preprocessing.pixels(&planes.expect("it was fitted in each way that is tried").1)
    }
}
