//! The cells of an image, and the tiles in which a model sees them.

use super::distances::Layout;
use super::not_compared::NotCompared;
use crate::model::Description;
use crate::preprocessing::{Photograph, Pixels, Planes, Preprocessing};

/// The cells of an image, and the tiles in which a model sees them.
///
/// A *cell* is a square of the image for which the model computes one place of a map. A *tile* is the part of the image that
/// becomes one input of the model. Tiles overlap, because the places at the edge of an input see only a part of their
/// surroundings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// The side of a cell, in pixels of the image.
    cell: f64,
    /// Rows and columns of the image.
    axes: [Axis; 2],
}

/// The cells and tiles along one side of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    /// Cells of the image.
    cells: usize,
    /// Cells of a tile.
    of_tile: usize,
    /// Cells of a tile's edge whose values come from the tile before or after, if there is one.
    edge: usize,
}

/// A rectangle of cells of a tile, and where they belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    /// The first cell of the tile.
    tile: usize,
    /// The cells that are taken from the tile: first and end, in cells of the image.
    taken: [usize; 2],
}

/// How many pixels of an input's edge are too little surrounded.
const EDGE: usize = 32;

/// The most tiles of an image: more would occupy a model for minutes.
const MAX_TILES: usize = 1_024;

impl Grid {
    /// The cells of an image for a model. `cell` is their side in pixels of the full image; `None` chooses the smallest that
    /// the model sees in one pixel for each pixel of the photograph. A model without a map sees a cell as one input.
    ///
    /// # Errors
    ///
    /// If the cells are smaller than the model can see, need too many tiles, or are larger than the image.
    ///
    /// # Panics
    ///
    /// If the cell is not positive.
    pub fn for_model(
        model: &Description,
        image: &Photograph,
        cell: Option<f64>,
    ) -> Result<Self, NotCompared> {
        let preprocessing = &model.card.preprocessing;
        let [enlarged, _] = image.enlarged([1.0; 2]);
        let places = model.map.unwrap_or([1, 1]);
        let stride = f64::from(preprocessing.height) / float(places[0]);
        // A map shows no more than the pixels of the image do.
        let least = if model.map.is_some() { stride } else { 1.0 };
        let side = cell.map_or(stride, |cell| cell / enlarged);
        if side < least * (1.0 - 1e-6) {
            return Err(NotCompared::CellTooSmall { least: (least * enlarged).ceil() });
        }
        let most = image.full_size().map(f64::from).into_iter().fold(stride * enlarged, f64::max);
        if most < side * enlarged {
            return Err(NotCompared::CellTooLarge { most });
        }
        let grid = Self::new(image.size(), side, places, preprocessing);
        if MAX_TILES < grid.tiles() {
            let factor = (float(grid.tiles()) / float(MAX_TILES)).sqrt();
            return Err(NotCompared::CellTooSmall { least: (side * factor * enlarged).ceil() });
        }
        Ok(grid)
    }

    /// Divides an image of `size` (columns and rows) into cells of `cell` pixels. The model's map has `places` (rows and
    /// columns) for an input of `preprocessing`.
    ///
    /// # Panics
    ///
    /// If the cell is not positive.
    pub fn new(
        size: [u32; 2],
        cell: f64,
        places: [usize; 2],
        preprocessing: &Preprocessing,
    ) -> Self {
        assert!(0.0 < cell, "a cell has a positive side");
        let [_, height, width] = preprocessing.shape();
        let [columns, rows] = size.map(f64::from);
        let axis = |length: f64, of_tile: usize, input: usize| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a number of cells"
            )]
            let cells = ((length / cell).ceil() as usize).max(1);
            let stride = (input / of_tile).max(1);
            // A tile keeps at least half of its cells.
            Axis { cells, of_tile, edge: EDGE.div_ceil(stride).min(of_tile / 4) }
        };
        Self { cell, axes: [axis(rows, places[0], height), axis(columns, places[1], width)] }
    }

    /// The side of a cell, in pixels of the image.
    pub fn cell(&self) -> f64 {
        self.cell
    }

    /// Rows and columns of cells.
    pub fn cells(&self) -> [usize; 2] {
        self.axes.map(|axis| axis.cells)
    }

    /// The form of the map of the image.
    pub fn layout(&self) -> Layout {
        let [rows, columns] = self.cells();
        Layout { rows, columns, cell: self.cell }
    }

    /// The number of tiles.
    pub fn tiles(&self) -> usize {
        self.axes.map(Axis::tiles).iter().product()
    }

    /// The model's input for a tile. It is black beyond the image.
    pub fn pixels(&self, image: &Photograph, tile: usize, preprocessing: &Preprocessing) -> Pixels {
        let [rows, columns] = self.spans(tile);
        let [of_rows, of_columns] = self.axes.map(|axis| axis.of_tile);
        let start = [columns.tile, rows.tile].map(|cells| float(cells) * self.cell);
        let size = [of_columns, of_rows].map(|cells| float(cells) * self.cell);
        let planes = image.rectangle(
            start,
            size,
            [preprocessing.width, preprocessing.height],
            preprocessing.colour,
        );
        preprocessing.pixels(&Planes::new(planes))
    }

    /// Copies the values of a tile's cells, row by row, to those of the image.
    ///
    /// # Panics
    ///
    /// If the number of values is not that of a tile, or of the image.
    pub fn place(&self, tile: usize, values: &[f32], all: &mut [f32]) {
        let [rows, columns] = self.spans(tile);
        let [_, of_columns] = self.axes.map(|axis| axis.of_tile);
        let [_, all_columns] = self.cells();
        for row in rows.taken[0]..rows.taken[1] {
            let source = (row - rows.tile) * of_columns;
            let source = &values[source + columns.taken[0] - columns.tile..];
            let target = row * all_columns;
            let target = &mut all[target + columns.taken[0]..target + columns.taken[1]];
            target.copy_from_slice(&source[..target.len()]);
        }
    }

    /// For each cell of a tile, row by row: the index of the cell of the image that has its value. `None` if another tile
    /// gives that value, or if the cell is beyond the image.
    pub fn places(&self, tile: usize) -> Vec<Option<usize>> {
        let [rows, columns] = self.spans(tile);
        let [of_rows, of_columns] = self.axes.map(|axis| axis.of_tile);
        let [_, all_columns] = self.cells();
        let cells = (0..of_rows).flat_map(|row| (0..of_columns).map(move |column| [row, column]));
        let places = cells.map(|[row, column]| {
            let (row, column) = (rows.tile + row, columns.tile + column);
            let is_taken = |span: Span, at| span.taken[0] <= at && at < span.taken[1];
            (is_taken(rows, row) && is_taken(columns, column)).then_some(row * all_columns + column)
        });
        places.collect()
    }

    fn spans(&self, tile: usize) -> [Span; 2] {
        let [rows, columns] = self.axes;
        let across = columns.tiles();
        [rows.span(tile / across), columns.span(tile % across)]
    }
}

impl Axis {
    /// The cells from the start of a tile to that of the next.
    fn step(self) -> usize {
        self.of_tile - 2 * self.edge
    }

    fn tiles(self) -> usize {
        1 + self.cells.saturating_sub(self.of_tile).div_ceil(self.step())
    }

    /// The first cell of a tile. The last tile ends with the image.
    fn first(self, tile: usize) -> usize {
        (tile * self.step()).min(self.cells.saturating_sub(self.of_tile))
    }

    fn span(self, tile: usize) -> Span {
        let start = if tile == 0 { 0 } else { self.first(tile - 1) + self.of_tile - self.edge };
        let end = if tile + 1 < self.tiles() {
            self.first(tile) + self.of_tile - self.edge
        } else {
            self.cells
        };
        Span { tile: self.first(tile), taken: [start, end] }
    }
}

/// A number of cells or tiles.
fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("an image has at most as many cells as pixels"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessing::{Colour, Detail, Fit, Limits};

    fn preprocessing(side: u32) -> Preprocessing {
        Preprocessing {
            height: side,
            width: side,
            colour: Colour::Grey,
            fit: Fit::Stretch,
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
        }
    }

    #[test]
    fn each_cell_is_taken_from_one_tile_that_surrounds_it() {
        for (cells, of_tile, edge) in [
            (1, 28, 4),
            (28, 28, 4),
            (29, 28, 4),
            (48, 28, 4),
            (49, 28, 4),
            (260, 28, 4),
            (7, 1, 0),
            (9, 4, 1),
        ] {
            let axis = Axis { cells, of_tile, edge };
            let mut next = 0;
            for tile in 0..axis.tiles() {
                let Span { tile: first, taken: [start, end] } = axis.span(tile);
                assert_eq!(start, next, "{axis:?}");
                assert!(start < end && end <= first + of_tile, "{axis:?} tile {tile}");
                let is_surrounded = start == 0 || first + edge <= start;
                assert!(
                    is_surrounded && (end == cells || end + edge <= first + of_tile),
                    "{axis:?}"
                );
                next = end;
            }
            assert_eq!(next, cells, "{axis:?}");
        }
    }

    #[test]
    fn tiles_put_together_are_the_image() {
        // 10 by 6 pixels, in tiles of 4 by 4 cells of one pixel.
        let pixels: Vec<u8> = (0..60).collect();
        let upload = [&b"P5 10 6 255\n"[..], &pixels].concat();
        let image =
            Photograph::decode(&upload, &Limits::default(), Detail::Full).expect("an image");
        let grid = Grid::new(image.size(), 1.0, [4, 4], &preprocessing(4));
        assert_eq!((grid.cells(), grid.tiles()), ([6, 10], 8));
        let mut all = vec![0.0; 60];
        for tile in 0..grid.tiles() {
            grid.place(tile, grid.pixels(&image, tile, &preprocessing(4)).values(), &mut all);
        }
        let expected: Vec<f32> = pixels.into_iter().map(f32::from).collect();
        assert_eq!(all, expected);

        // Each cell has its place in one tile.
        let places = (0..grid.tiles()).flat_map(|tile| grid.places(tile).into_iter().flatten());
        let mut places: Vec<usize> = places.collect();
        places.sort_unstable();
        assert_eq!(places, (0..60).collect::<Vec<_>>());
    }

    #[test]
    fn a_small_image_is_one_tile_and_a_large_cell_reduces_it() {
        let grid = Grid::new([100, 50], 8.0, [28, 28], &preprocessing(224));
        assert_eq!((grid.cells(), grid.tiles()), ([7, 13], 1));
        let grid = Grid::new([2080, 2080], 32.0, [28, 28], &preprocessing(224));
        assert_eq!((grid.cells(), grid.tiles()), ([65, 65], 9));
        // A model without a map sees one cell at a time.
        let grid = Grid::new([100, 50], 10.0, [1, 1], &preprocessing(112));
        assert_eq!((grid.cells(), grid.tiles()), ([5, 10], 50));
    }
}
