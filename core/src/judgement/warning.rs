//! Reasons to trust a result less.

use crate::changes::{Compared, Placement};
use crate::model::Face;
use crate::score::UNFAMILIAR;
use serde::Serialize;

/// The width of a face, in pixels, below which errors are more frequent. On the calibration data of the shipped model,
/// reduced until the faces were 37 pixels wide, the EER was twice as high, and at 24 pixels eight times.
const SMALL: f64 = 40.0;

/// The sharpness of a face below which errors are more frequent. On that data, blurred by known amounts, 0.8 % of the
/// pairs with a face of 0.6 to 0.65 were missed, 5 % of those with 0.5 to 0.55, and 11 % of those with 0.45 to 0.5.
const BLURRED: f64 = 0.5;

/// The turn of a head, in degrees, from which errors are more frequent. On that data, heads that are turned by less have
/// no more errors than others. Where its portraits were turned on a model of a head, 18 % of the pairs were missed at 35
/// degrees.
const TURNED: f64 = 35.0;

/// The share of an image that must be compared.
const COVERED: f64 = 0.95;

/// The least confidence of an alignment that is certain. 240 pairs of unrelated photographs had at most 0.06, and those of one
/// scene at least 0.76.
const CERTAIN: f64 = 0.4;

/// A reason to trust a result less.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ResultWarning))]
pub struct Warning {
    /// A code for programs. It never changes.
    pub code: &'static str,
    /// The image, such as `a` or `images[2]`.
    pub field: String,
    /// A description for people.
    pub detail: String,
}

impl Warning {
    /// The warnings about an image at this path.
    pub fn about(field: &str, face: Option<&Face>, familiarity: Option<f64>) -> Vec<Self> {
        let mut warnings = face.map_or_else(Vec::new, |face| Self::of_face(field, face));
        warnings.extend(familiarity.filter(|familiarity| *familiarity < UNFAMILIAR).map(|_| Self {
            code: "unfamiliar",
            field: field.to_owned(),
            detail: "the image is unlike those that this model was calibrated on, so its error rates and probabilities do \
                     not apply"
                .to_owned(),
        }));
        warnings
    }

    /// The warnings about two images that were compared place by place.
    pub fn about_scene(compared: &Compared) -> Vec<Self> {
        let warning = |code, detail| Self { code, field: "after".to_owned(), detail };
        let [[width, height], [other_width, other_height]] = compared.sizes;
        let sizes = (compared.sizes[0] != compared.sizes[1]).then(|| {
            warning(
                "sizes_differ",
                format!(
                    "the first image has {width}x{height} pixels and the second {other_width}x{other_height}, and only what both \
                     show is compared"
                ),
            )
        });
        let Placement { confidence, overlap, .. } = compared.alignment;
        let partly = (overlap < COVERED).then(|| {
            let percent = 100.0 * overlap;
            warning(
                "partly_compared",
                format!("the first image covers {percent:.0} % of the second, and the rest is not compared"),
            )
        });
        let uncertain = (confidence < CERTAIN).then(|| {
            warning(
                "alignment_uncertain",
                format!(
                    "no alignment is certain (confidence {confidence:.2}): if the camera has moved, or if the scenes differ, the \
                     changes are none"
                ),
            )
        });
        [sizes, partly, uncertain].into_iter().flatten().collect()
    }

    fn of_face(field: &str, face: &Face) -> Vec<Self> {
        let warning = |code, detail| Self { code, field: field.to_owned(), detail };
        // A large photograph is reduced before it is searched.
        let width = face.area[2].min(face.searched_width);
        let (sharpness, turn) = (face.sharpness, face.yaw.abs());
        let small = (width < SMALL).then(|| {
            warning(
                "face_small",
                format!(
                    "the model reads the face at a width of {width:.0} pixels, and errors are more frequent below {SMALL} pixels"
                ),
            )
        });
        // A small face has little detail too, and its size says why.
        let blurred = (small.is_none() && sharpness < BLURRED).then(|| {
            warning(
                "face_blurred",
                format!(
                    "the face is blurred: its sharpness is {sharpness:.2}, and errors are more frequent below {BLURRED}"
                ),
            )
        });
        let turned = (TURNED <= turn).then(|| {
            warning(
                "face_turned",
                format!(
                    "the head is turned by some {turn:.0} degrees, and errors are more frequent from {TURNED} degrees"
                ),
            )
        });
        [small, blurred, turned].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::preprocessing::Landmarks;

    use super::*;

    fn face(searched_width: f64, sharpness: f64, yaw: f64) -> Face {
        Face {
            area: [0.0, 0.0, 90.0, 90.0],
            points: Landmarks::new([[0.0; 2]; 4]),
            score: 0.9,
            roll: 0.0,
            yaw,
            sharpness,
            searched_width,
        }
    }

    #[track_caller]
    fn check(face: &Face, expected: &[(&str, &str)]) {
        let warnings = Warning::about("b", Some(face), None);
        let codes: Vec<&str> = warnings.iter().map(|warning| warning.code).collect();
        assert_eq!(codes, expected.iter().map(|(code, _)| *code).collect::<Vec<_>>());
        for (warning, (_, with)) in warnings.iter().zip(expected) {
            assert_eq!(warning.field, "b");
            assert!(warning.detail.contains(with), "{}", warning.detail);
        }
    }

    #[test]
    fn what_makes_errors_more_frequent_is_warned_of() {
        assert_eq!(Warning::about("a", None, None), []);
        check(&face(40.0, 0.5, 34.0), &[]);
        check(&face(24.4, 0.6, 0.0), &[("face_small", "24 pixels")]);
        check(&face(90.0, 0.42, 0.0), &[("face_blurred", "0.42")]);
        check(&face(90.0, 0.6, -35.0), &[("face_turned", "35 degrees")]);
        let both = [("face_blurred", "blurred"), ("face_turned", "40 degrees")];
        check(&face(90.0, 0.3, 40.0), &both);
    }

    #[test]
    fn an_unfamiliar_image_is_warned_of() {
        assert_eq!(Warning::about("a", None, Some(0.02)), []);
        let warnings = Warning::about("a", Some(&face(90.0, 0.3, 0.0)), Some(0.019));
        let codes: Vec<_> = warnings.iter().map(|warning| warning.code).collect();
        assert_eq!(codes, ["face_blurred", "unfamiliar"]);
        assert_eq!(warnings[1].field, "a");
    }

    #[test]
    fn a_small_face_is_not_called_blurred_too() {
        check(&face(24.4, 0.3, 0.0), &[("face_small", "24 pixels")]);
    }
}
