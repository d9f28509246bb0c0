//! What a tower reads.

/// A picture prepared for a tower: `f32`, channels first, then rows, then columns.
///
/// # Shapes
///
/// [`Preparation::shape`](super::Preparation::shape) says which: `[channels, height, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels(Box<[f32]>);

impl Pixels {
    /// Takes values that are already prepared.
    pub fn new(values: Vec<f32>) -> Self {
        Self(values.into_boxed_slice())
    }

    /// The values, channels first, then rows, then columns.
    pub fn values(&self) -> &[f32] {
        &self.0
    }
}
