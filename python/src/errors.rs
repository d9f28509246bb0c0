//! From errors of the core to exceptions of the package.

use std::error::Error;

use pyo3::exceptions::PyValueError;
use pyo3::{PyErr, import_exception};
use siamese_core::causes;
use siamese_core::changes::NotCompared;
use siamese_core::model::ModelError;

use crate::image::ImageError;

/// The exceptions that the Python code defines.
pub(crate) mod exceptions {
    use super::import_exception;

    import_exception!(siamese._errors, ChangesError);
    import_exception!(siamese._errors, ImageError);
    import_exception!(siamese._errors, LoadError);
    import_exception!(siamese._errors, RunError);
}

/// Why a call has no result.
pub(crate) enum Failure {
    /// The image at this index has none.
    Image(usize, ImageError),
    /// The model failed.
    Run(ModelError),
    /// Two images can't be compared place by place.
    NotCompared(NotCompared),
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::Run(error)
    }
}

impl From<NotCompared> for Failure {
    fn from(error: NotCompared) -> Self {
        Self::NotCompared(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Image(index, error) => {
                exceptions::ImageError::new_err((index, causes(&error)))
            }
            Failure::Run(error) => exceptions::RunError::new_err(causes(&error)),
            Failure::NotCompared(error) => exceptions::ChangesError::new_err(causes(&error)),
        }
    }
}

/// An invalid argument.
pub(crate) fn invalid(error: impl Error) -> PyErr {
    PyValueError::new_err(causes(&error))
}
