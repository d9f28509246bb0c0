//! The first stages of a backbone: maps that describe each cell of an image, from edges to small shapes.

mod extractor;
mod tile;

use siamese_core::model::NotOnnx;

use crate::onnx::{Builder, graft, integer, value};

pub use extractor::CellExtractor;
pub use tile::CellTile;

/// The first stages of a backbone, as an ONNX file whose input is one batch of images.
#[derive(Clone, Debug)]
pub struct CellBackbone {
    pub(super) onnx: Vec<u8>,
    /// Two rows and two columns for each cell.
    pub(super) fine: CellMap,
    /// One place for each cell.
    pub(super) coarse: CellMap,
}

/// A map in a network: `[n, width, rows, columns]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CellMap {
    pub(super) tensor: String,
    pub(super) width: usize,
}

impl CellBackbone {
    /// The side of a cell, in pixels of the input.
    pub const CELL: u32 = 8;

    /// Returns the ONNX file. It has no output.
    pub(crate) fn onnx(&self) -> &[u8] {
        &self.onnx
    }

    /// Returns the names of the fine map and of the coarse one in the file.
    pub(crate) fn tensors(&self) -> [&str; 2] {
        [&self.fine, &self.coarse].map(|map| map.tensor.as_str())
    }

    /// Returns the numbers of channels of the fine map and of the coarse one.
    pub fn widths(&self) -> [usize; 2] {
        [&self.fine, &self.coarse].map(|map| map.width)
    }

    /// Returns an ONNX file whose embedding is the fine map and then the coarse one, of an input with this number of cells.
    fn with_row(&self, n_cells: usize) -> Result<Vec<u8>, NotOnnx> {
        let mut graph = Builder::with_prefix("cells_");
        let rows = self.tensors().map(|map| graph.node("Flatten", &[map], vec![]));
        let axis = vec![integer("axis", 1)];
        let row = graph.node("Concat", &rows.each_ref().map(String::as_str), axis);
        let [fine, coarse] = self.widths();
        graft(&self.onnx, &graph, &[value(&row, &[(4 * fine + coarse) * n_cells])])
    }
}
