//! The part of preprocessing that reads an upload. It may run in another process.

use serde::{Deserialize, Serialize};

use super::{
    DecodeError, Detail, Limits, Photograph, PhotographForm, Planes, Preprocessing, Reduction,
};

/// What an upload is decoded to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Decoding {
    /// The planes of a model's input.
    Planes(Preprocessing, Reduction),
    /// A photograph, in which a face is searched.
    Photograph(Detail),
}

/// A decoded upload.
#[derive(Clone, Debug)]
pub enum Decoded {
    /// The planes of a model's input.
    Planes(Planes),
    /// A photograph, in which a face is searched.
    Photograph(Photograph),
}

/// What the bytes of a [`Decoded`] are.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Form {
    /// Planes.
    Planes,
    /// A photograph.
    Photograph(PhotographForm),
}

impl Decoding {
    /// Decodes an upload. It never panics on an upload.
    pub fn decode(&self, upload: &[u8], limits: &Limits) -> Result<Decoded, DecodeError> {
        match self {
            Self::Planes(preprocessing, reduction) => {
                preprocessing.planes(upload, limits, *reduction).map(Decoded::Planes)
            }
            Self::Photograph(detail) => {
                Photograph::decode(upload, limits, *detail).map(Decoded::Photograph)
            }
        }
    }

    /// The same, with planes from a full decode. A photograph is as it was.
    #[must_use]
    pub fn in_full(self) -> Self {
        match self {
            Self::Planes(preprocessing, _) => Self::Planes(preprocessing, Reduction::Never),
            photograph @ Self::Photograph(_) => photograph,
        }
    }

    /// The most bytes of a result.
    pub fn max_bytes(&self) -> usize {
        match self {
            Self::Planes(preprocessing, _) => preprocessing.shape().iter().product(),
            Self::Photograph(_) => Photograph::max_bytes(),
        }
    }

    /// Takes the result of another process; `None` if its bytes are not a possible result.
    pub fn take(&self, form: Form, bytes: Vec<u8>) -> Option<Decoded> {
        match (self, form) {
            (Self::Planes(preprocessing, _), Form::Planes) => {
                preprocessing.planes_of(bytes).map(Decoded::Planes)
            }
            (Self::Photograph(_), Form::Photograph(form)) => {
                Photograph::of_bytes(bytes, form).map(Decoded::Photograph)
            }
            _ => None,
        }
    }
}

impl Decoded {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Planes(planes) => planes.bytes(),
            Self::Photograph(photograph) => photograph.bytes(),
        }
    }

    /// What the bytes are.
    pub fn form(&self) -> Form {
        match self {
            Self::Planes(_) => Form::Planes,
            Self::Photograph(photograph) => Form::Photograph(photograph.form()),
        }
    }
}
