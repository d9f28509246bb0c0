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

    /// The image with some cells of a grid hidden: each channel has its mean over the image there.
    ///
    /// # Shapes
    ///
    /// `shape` is `[channels, height, width]`, and `grid` is the rows and columns of cells. `is_hidden` tells for each cell,
    /// row by row, whether it is hidden.
    ///
    /// # Panics
    ///
    /// If the shape is not that of the image, or if a cell is missing.
    #[must_use]
    pub fn hidden(
        &self,
        [channels, height, width]: [usize; 3],
        [rows, columns]: [usize; 2],
        is_hidden: &[bool],
    ) -> Self {
        assert_eq!(self.0.len(), channels * height * width, "the shape is that of the image");
        let mut values = self.0.to_vec();
        for plane in values.chunks_exact_mut(height * width) {
            #[expect(clippy::cast_precision_loss, reason = "a plane has at most 2^24 pixels")]
            let mean = plane.iter().sum::<f32>() / plane.len() as f32;
            for (row, line) in plane.chunks_exact_mut(width).enumerate() {
                let cells = &is_hidden[row * rows / height * columns..][..columns];
                for (column, value) in line.iter_mut().enumerate() {
                    if cells[column * columns / width] {
                        *value = mean;
                    }
                }
            }
        }
        Self::new(values)
    }

    /// The values, channels first, then rows, then columns.
    pub fn values(&self) -> &[f32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_cell_has_the_mean_of_its_channel() {
        // Two channels of 2 by 3 pixels, in a grid of 1 by 2 cells: the first cell has two columns.
        let pixels = Pixels::new((0..12_u8).map(f32::from).collect());
        let hidden = pixels.hidden([2, 2, 3], [1, 2], &[true, false]);
        assert_eq!(hidden.values(), [2.5, 2.5, 2.0, 2.5, 2.5, 5.0, 8.5, 8.5, 8.0, 8.5, 8.5, 11.0]);
        assert_eq!(pixels.hidden([2, 2, 3], [2, 3], &[false; 6]), pixels);
    }
}
