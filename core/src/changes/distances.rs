//! The distances of the cells of an image.

use std::ops::Range;

use serde::Serialize;

use super::grid::Grid;
use crate::score::Map;

/// The distance of each cell between two images: how different the images are there.
#[derive(Clone, Debug, PartialEq)]
pub struct Distances {
    layout: Layout,
    /// Row by row; finite, and 0 where nothing is compared.
    values: Vec<f32>,
    /// Row by row: whether the cell is compared.
    is_compared: Vec<bool>,
}

/// The form of [`Distances`], as responses state it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ChangeMap))]
pub struct Layout {
    /// Cells from top to bottom.
    pub rows: usize,
    /// Cells from left to right.
    pub columns: usize,
    /// The side of a cell, in pixels of the second image. The last cells of a row or column can extend beyond the image.
    pub cell: f64,
}

impl Layout {
    /// The pixels of a row or column of cells, in an image with this many rows or columns of pixels.
    pub fn pixels(&self, place: usize, length: usize) -> Range<usize> {
        let [start, end] = [place, place + 1].map(|cells| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "a place within an image"
            )]
            let pixel = (cells as f64 * self.cell).round() as usize;
            pixel.min(length)
        });
        start..end
    }
}

impl Distances {
    /// Distances of 0 for the cells of an image. `is_compared` tells for each cell, row by row, whether it counts.
    ///
    /// # Panics
    ///
    /// If the number of cells does not match.
    pub fn new(grid: &Grid, is_compared: Vec<bool>) -> Self {
        let layout = grid.layout();
        let count = layout.rows * layout.columns;
        assert_eq!(is_compared.len(), count, "each cell is compared or not");
        Self { layout, values: vec![0.0; count], is_compared }
    }

    /// Adds the distances of a tile, from the maps of both images there.
    ///
    /// # Panics
    ///
    /// If the maps are not those of a tile of the grid.
    pub fn add(&mut self, grid: &Grid, tile: usize, maps: [&Map; 2]) {
        let [before, after] = maps;
        grid.place(tile, &before.distances(after), &mut self.values);
    }

    /// Sets the distance of each cell that is not compared to 0. Call it after the last tile.
    #[must_use]
    pub fn finished(mut self) -> Self {
        for (value, is_compared) in self.values.iter_mut().zip(&self.is_compared) {
            if !is_compared {
                *value = 0.0;
            }
        }
        self
    }

    /// The form.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The distances, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The number of cells that are compared.
    pub fn compared(&self) -> usize {
        self.is_compared.iter().filter(|is_compared| **is_compared).count()
    }

    /// The distance of the most different cell.
    pub fn greatest(&self) -> f64 {
        self.values.iter().copied().fold(0.0, f32::max).into()
    }

    /// Whether a cell is compared, by its index: row by row.
    ///
    /// # Panics
    ///
    /// If there is no such cell.
    pub fn is_compared(&self, index: usize) -> bool {
        self.is_compared[index]
    }
}
