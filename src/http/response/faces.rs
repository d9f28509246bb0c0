//! What a response says of the faces in its images.

use serde::Serialize;
use siamese_core::model::Face;
use utoipa::ToSchema;

/// The width of a face, in pixels, below which errors are more frequent. On the calibration data of the shipped model,
/// reduced until the faces were 37 pixels wide, the EER was twice as high, and at 24 pixels eight times.
const SMALL: f64 = 40.0;

/// What the model saw of an image.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Seen {
    /// The face, in pixels of the image after its orientation is applied.
    pub(crate) face: Face,
}

/// A reason to trust a result less.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Warning {
    /// A code for programs. It never changes.
    code: &'static str,
    /// The image, such as `a` or `images[2]`.
    field: String,
    /// A description for people.
    detail: String,
}

impl Warning {
    /// The warnings about an image at this path.
    pub(crate) fn about(field: &str, face: Option<&Face>) -> Option<Self> {
        let face = face?;
        // A large photograph is reduced before it is searched.
        let width = face.area[2].min(face.searched_width);
        (width < SMALL).then(|| Self {
            code: "face_small",
            field: field.to_owned(),
            detail: format!(
                "the model reads the face at a width of {width:.0} pixels, and errors are more frequent below {SMALL} pixels"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use siamese_core::preprocessing::Landmarks;

    use super::*;

    #[test]
    fn a_small_face_is_warned_of() {
        let points = Landmarks::new([[0.0; 2]; 4]);
        let face = |width| Face {
            area: [0.0, 0.0, 90.0, 90.0],
            points,
            score: 0.9,
            roll: 0.0,
            searched_width: width,
        };
        assert_eq!(Warning::about("a", None), None);
        assert_eq!(Warning::about("a", Some(&face(41.0))), None);
        let warning = Warning::about("b", Some(&face(24.4))).expect("a warning");
        assert_eq!((warning.code, warning.field.as_str()), ("face_small", "b"));
        assert!(warning.detail.contains("24 pixels"), "{}", warning.detail);
    }
}
