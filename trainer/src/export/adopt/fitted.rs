//! Pictures before their scale, of which any preparation of one size is made.

use siamese_core::picture::{Fit, Limits, Pixels, Planes, Preparation};

use crate::data::{Collection, DataError, Gallery};

/// A picture that was decoded once, and fitted in one or several ways.
#[derive(Clone, Debug)]
pub(super) struct Fitted(Vec<(Fit, Planes)>);

impl Fitted {
    /// Reads and decodes every picture once, for preparations that differ from `preparation` in the fit, among `fits`, in
    /// the order of colours, and in the scale.
    pub(super) fn read(
        pictures: &Collection,
        preparation: &Preparation,
        fits: &[Fit],
        skip_unreadable: bool,
    ) -> Result<Gallery<Self>, DataError> {
        let limits = Limits::default();
        Gallery::read(pictures, skip_unreadable, |upload| {
            let planes = preparation.planes_by_fit(upload, &limits, fits)?;
            Ok(Self(fits.iter().copied().zip(planes).collect()))
        })
    }

    /// What a tower reads of it.
    ///
    /// # Panics
    ///
    /// If it was not fitted as `preparation` wants it.
    pub(super) fn scaled(&self, preparation: &Preparation) -> Pixels {
        let planes = self.0.iter().find(|(fit, _)| *fit == preparation.fit);
        preparation.pixels(&planes.expect("it was fitted in each way that is tried").1)
    }
}
