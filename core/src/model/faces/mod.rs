//! Faces in photographs: found by a detector, and aligned for a model.
//!
//! The detector is a part of the model's card, so the model's digest covers it.

mod detector;
mod search;
mod suppression;

use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::preprocessing::{
    Alignment, Area, DecodeError, Detail, Diagnosis, Landmarks, Photograph, Planes, Preprocessing,
};

pub use detector::{Detector, InvalidDetector};

/// How much a face may be enlarged to the model's input before the upload is decoded again with more detail. The portraits
/// from which the errors of the default model are known are enlarged by 1.6.
const ENLARGED: f64 = 1.5;

/// The surroundings of a face that are decoded with more detail, from its centre, as a multiple of its longer side. The
/// detector looks at a square that is turned like the face, and the chip is smaller.
const SURROUNDINGS: f64 = 1.7;

/// A face in an upright image. Lengths are in pixels of the image before it is reduced, to a tenth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Face {
    /// Left, top, width and height.
    #[serde(rename = "box")]
    pub area: [f64; 4],
    /// The eyes, the nose and the mouth.
    pub points: Landmarks,
    /// How sure the detector is: 0 to 1.
    pub score: f32,
    /// The angle of the line from eye to eye, clockwise, in degrees.
    pub roll: f64,
    /// An estimate of how far the head is turned, in degrees: positive if the nose points to the right of the face as
    /// the image shows it.
    pub yaw: f64,
    /// How much detail the face has: 0 to 1, whatever its size and contrast. A sharp face has some 0.6.
    pub sharpness: f64,
    /// The width of the box in the image that was searched, in pixels. The model reads no more detail than this.
    #[serde(skip)]
    pub searched_width: f64,
}

/// Which face of an image a request means.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = FaceChoice))]
#[serde(rename_all = "kebab-case", try_from = "String")]
pub enum Choice {
    /// The largest.
    #[default]
    Largest,
    /// The only one: an image with several is refused.
    Only,
}

/// The text is no [`Choice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the choice among faces is `largest` or `only`")]
pub struct UnknownChoice;

impl FromStr for Choice {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "largest" => Ok(Self::Largest),
            "only" => Ok(Self::Only),
            _ => Err(UnknownChoice),
        }
    }
}

impl TryFrom<String> for Choice {
    type Error = UnknownChoice;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// What a coarse photograph has shown, so that the search in a finer one is short.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hint {
    /// No face.
    Nothing,
    /// The chosen face, with fewer pixels than the model reads.
    At(Face),
}

impl Hint {
    /// The detail that the finer photograph needs.
    pub(super) fn detail(&self) -> Detail {
        match self {
            Self::Nothing => Detail::Fine,
            Self::At(Face { area: [left, top, width, height], .. }) => {
                let centre = [left + width / 2.0, top + height / 2.0];
                Detail::Of(Area::around(centre, SURROUNDINGS * width.max(*height)))
            }
        }
    }
}

/// The result of an alignment.
pub(super) enum Aligned {
    /// Planes of the model's input, and the face on them.
    Face(Planes, Face),
    /// A finer photograph would show more.
    Finer(Hint),
}

/// Finds and aligns faces for one model. Many threads may share it: each search takes a session of its own.
pub(super) struct Aligner {
    alignment: Alignment,
    detector: Detector,
    /// Sessions that no search uses.
    idle: Mutex<Vec<search::Search>>,
}

impl Face {
    /// The box in whole pixels, within the image.
    fn pixels(&self) -> [u32; 4] {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        self.area.map(|length| length.round() as u32)
    }
}

impl Aligner {
    /// Starts one session, which shows that the detector can be run.
    pub(super) fn new(alignment: Alignment, detector: Detector) -> Result<Self, InvalidDetector> {
        let first = search::Search::new(&detector)?;
        Ok(Self { alignment, detector, idle: Mutex::new(vec![first]) })
    }

    /// All faces of a photograph: the one that an alignment has chosen, then the others, the largest first. Two faces of
    /// about one size may have another order in a photograph with other detail, so the size alone does not tell.
    pub(super) fn detect(
        &self,
        photograph: &Photograph,
        first: Option<Face>,
    ) -> Result<Vec<Face>, DecodeError> {
        let mut faces = self.search(|search| search.all(photograph, usize::MAX))?;
        if let Some(first) = first {
            faces.retain(|face| !search::is_same(face, &first));
            faces.insert(0, first);
        }
        Ok(faces)
    }

    /// The chosen face of a photograph, and its chip as planes of the model's input. `hint` is what a coarse photograph of
    /// the same image has shown.
    pub(super) fn align(
        &self,
        photograph: &Photograph,
        choice: Choice,
        hint: Option<Hint>,
        preprocessing: &Preprocessing,
    ) -> Result<Aligned, DecodeError> {
        let found = self.search(|search| match hint {
            None => search.largest(photograph),
            Some(Hint::Nothing) => search.in_tiles(photograph),
            Some(Hint::At(face)) => search.again(photograph, &face),
        })?;
        let face = match found.first() {
            // Tiles are searched in a step of their own, even if a finer photograph has no more detail.
            None if hint.is_none() => return Ok(Aligned::Finer(Hint::Nothing)),
            None => return Err(DecodeError::FaceNotFound),
            Some(face) => *face,
        };
        // The other faces only count: both choices align a face alike.
        if choice == Choice::Only {
            let several = self.search(|search| search.all(photograph, 2))?;
            if 1 < several.len() {
                return Err(DecodeError::FaceAmbiguous(several.iter().map(Face::pixels).collect()));
            }
        }
        let points = Landmarks::new(face.points.points().map(|point| photograph.reduced(point)));
        let chip = self.alignment.chip(photograph, &points, preprocessing);
        let (planes, scale) = chip.ok_or(DecodeError::FaceNotFound)?;
        let is_enlarged = scale * ENLARGED < 1.0;
        let can_be_finer = !matches!(hint, Some(Hint::At(_))) && photograph.is_coarse();
        if is_enlarged && can_be_finer {
            return Ok(Aligned::Finer(Hint::At(face)));
        }
        Ok(Aligned::Face(planes, face))
    }

    fn search<T>(
        &self,
        search: impl FnOnce(&mut search::Search) -> ort::Result<T>,
    ) -> Result<T, DecodeError> {
        let failed = |err: &dyn std::fmt::Display| {
            DecodeError::DecoderFailed(Diagnosis::new(format_args!(
                "the face detector failed: {err}"
            )))
        };
        let idle = self.idle().pop();
        let mut taken = match idle {
            Some(taken) => taken,
            None => search::Search::new(&self.detector).map_err(|err| failed(&err))?,
        };
        let found = search(&mut taken).map_err(|err| failed(&err))?;
        self.idle().push(taken);
        Ok(found)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<search::Search>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Aligner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aligner").field("alignment", &self.alignment).finish_non_exhaustive()
    }
}
