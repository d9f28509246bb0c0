//! The input of a model.

/// An image preprocessed for a model: `f32`, channels first, then rows, then columns.
///
/// # Shapes
///
/// [`Preprocessing::shape`](super::Preprocessing::shape): `[channels, height, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels(Box<[f32]>);

impl Pixels {
    /// Takes values that are already preprocessed.
    pub fn new(values: Vec<f32>) -> Self {
        Self(values.into_boxed_slice())
    }

    /// The values, channels first, then rows, then columns.
    pub fn values(&self) -> &[f32] {
        &self.0
    }
}
