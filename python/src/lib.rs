//! The extension of the Python package `siamese`: models of the core, for many images at once.
//!
//! Its functions take and return what is cheap to pass: bytes, paths, numbers, and JSON texts. The Python code of the
//! package turns these into arrays and objects.

mod changes;
mod errors;
mod image;
mod model;
mod parallel;
mod sessions;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::model::Model;
}
