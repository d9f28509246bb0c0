//! Images as Python passes them.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use siamese_core::file::{read, shown};
use siamese_core::model::{Choice, Description, Input};
use siamese_core::preprocessing::{DecodeError, Detail, Limits, Photograph};
use siamese_core::score::{InvalidEmbedding, InvalidMap};
use thiserror::Error;

/// The largest file, in bytes.
const LARGEST_FILE: u64 = 512 << 20;

/// An image: the bytes of a file, or its path.
#[derive(FromPyObject)]
pub(crate) enum Upload {
    #[pyo3(transparent)]
    Bytes(PyBackedBytes),
    #[pyo3(transparent)]
    Path(PathBuf),
}

/// Why an image has no result.
#[derive(Debug, Error)]
pub(crate) enum ImageError {
    /// Its file can't be read.
    #[error("{}", shown(.path))]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It can't be decoded, or has no face.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The model's output for it is not finite.
    #[error("the model's output is not a valid embedding")]
    Output(#[from] InvalidEmbedding),
    /// The model's map of it is not finite.
    #[error("the model's output is not a valid map")]
    Map(#[from] InvalidMap),
}

impl Upload {
    /// Reads and decodes the image to the input of a model.
    pub(crate) fn input(&self, model: &Description, choice: Choice) -> Result<Input, ImageError> {
        let (planes, face) =
            model.preprocessor.planes(&self.read()?, &Limits::default(), choice)?;
        Ok(Input::of(model, &planes, face))
    }

    /// Reads and decodes the image to a photograph with all the detail that it can hold.
    pub(crate) fn photograph(&self) -> Result<Photograph, ImageError> {
        Ok(Photograph::decode(&self.read()?, &Limits::default(), Detail::Full)?)
    }

    fn read(&self) -> Result<Cow<'_, [u8]>, ImageError> {
        match self {
            Self::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::Path(path) => read(path, LARGEST_FILE)
                .map(Cow::Owned)
                .map_err(|source| ImageError::Unreadable { path: path.clone(), source }),
        }
    }
}
