//! A tile of an aligned pair, as the head of the cells reads it.

use burn::tensor::f16;
use siamese_core::changes::Grid;

use crate::data::{CellTruth, Truth};

/// A tile of an aligned pair: the maps of both images, and what is known of its cells.
#[derive(Clone, Debug, PartialEq)]
pub struct CellTile {
    /// The maps of both images: the fine one, and then the coarse one. Half precision is as good for training, and half as
    /// large.
    pub maps: [Vec<f16>; 2],
    /// What is known of each cell, row by row. Cells at the edge that another tile surrounds better are unknown.
    pub truth: Vec<CellTruth>,
}

impl CellTile {
    /// Returns whether a cell has changed.
    pub fn has_changed(&self) -> bool {
        self.truth.contains(&CellTruth::Changed)
    }

    /// Takes what is known of the cells of a tile.
    pub(super) fn truth_of(truth: &Truth, grid: &Grid, tile: usize) -> Vec<CellTruth> {
        let places = grid.places(tile).into_iter();
        places.map(|place| place.map_or(CellTruth::Unknown, |cell| truth.cells()[cell])).collect()
    }

    /// Appends the tile to a file.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.truth.iter().map(|truth| match truth {
            CellTruth::Unknown => 0,
            CellTruth::Unchanged => 1,
            CellTruth::Changed => 2,
        }));
        bytes.extend(self.maps.iter().flatten().flat_map(|value| value.to_le_bytes()));
    }

    /// Reads the tiles of a file. A tile has `n_cells` cells, and a map `n_values` values. `None` if it is no such file.
    pub(super) fn read(bytes: &[u8], n_cells: usize, n_values: usize) -> Option<Vec<Self>> {
        let tiles = bytes.chunks_exact(n_cells + 2 * n_values * size_of::<f16>());
        if !tiles.remainder().is_empty() {
            return None;
        }
        let tile = |bytes: &[u8]| {
            let (truth, maps) = bytes.split_at(n_cells);
            let truth = truth.iter().map(|truth| match truth {
                0 => Some(CellTruth::Unknown),
                1 => Some(CellTruth::Unchanged),
                2 => Some(CellTruth::Changed),
                _ => None,
            });
            let values = maps.chunks_exact(size_of::<f16>());
            let mut before: Vec<_> =
                values.map(|it| f16::from_le_bytes(it.try_into().expect("two bytes"))).collect();
            let after = before.split_off(n_values);
            Some(Self { maps: [before, after], truth: truth.collect::<Option<_>>()? })
        };
        tiles.map(tile).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_read_as_they_were_written() {
        let tile = |first: f32| CellTile {
            maps: [[first, -2.5], [0.0, 3.0]].map(|map| map.map(f16::from_f32).to_vec()),
            truth: vec![CellTruth::Changed, CellTruth::Unknown, CellTruth::Unchanged],
        };
        let tiles = vec![tile(1.0), tile(0.125)];
        let mut bytes = Vec::new();
        for tile in &tiles {
            tile.write(&mut bytes);
        }
        assert_eq!(CellTile::read(&bytes, 3, 2), Some(tiles));
        assert_eq!(CellTile::read(&bytes[1..], 3, 2), None);
        bytes[0] = 3;
        assert_eq!(CellTile::read(&bytes, 3, 2), None);
    }
}
