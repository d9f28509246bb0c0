//! Two images of a scene, compared place by place.

use pyo3::PyErr;
use pyo3::exceptions::PyValueError;
use siamese_core::changes::{Align, Compared, Grid, Ignored, Rectangle, Views};
use siamese_core::model::{Description, Model as _};
use siamese_core::preprocessing::Photograph;
use siamese_core::score::Map;

use crate::errors::{Failure, invalid};
use crate::image::Upload;
use crate::parallel::in_parallel;
use crate::sessions::Sessions;

/// The pairs of tiles that one thread takes at a time.
const TILES: usize = 4;

/// How two images are compared.
pub(crate) struct Comparing {
    align: Align,
    /// The side of a cell, in pixels of the second image; positive.
    cell: Option<f64>,
    /// What is not compared, in pixels of the second image.
    ignored: Vec<Rectangle>,
}

impl Comparing {
    /// Checks the arguments of a caller.
    pub(crate) fn new(
        align: &str,
        cell: Option<f64>,
        ignored: Vec<Rectangle>,
    ) -> Result<Self, PyErr> {
        let align = align.parse().map_err(invalid)?;
        if cell.is_some_and(|cell| !(0.0 < cell && cell < f64::INFINITY)) {
            return Err(PyValueError::new_err("a cell has a positive number of pixels"));
        }
        let is_valid = |rectangle: &Rectangle| {
            let [_, _, width, height] = rectangle;
            rectangle.iter().all(|number| number.is_finite()) && 0.0 <= *width && 0.0 <= *height
        };
        if !ignored.iter().all(is_valid) {
            let why =
                "a rectangle is left, top, width and height: finite, and the sides not negative";
            return Err(PyValueError::new_err(why));
        }
        Ok(Self { align, cell, ignored })
    }

    /// Compares two images.
    pub(crate) fn compare(
        self,
        model: &Description,
        sessions: &Sessions,
        pair: &[Upload; 2],
    ) -> Result<Compared, Failure> {
        let Self { align, cell, ignored } = self;
        let [before, after] = photographs(sessions, pair)?;
        let grid = Grid::for_model(model, &after, cell)?;
        let ignored = Ignored { rectangles: ignored, image: None };
        let views = Views::of([before, after], align, &ignored)?;
        let mut distances = views.distances(&grid)?;
        let tiles: Vec<usize> = (0..grid.tiles()).collect();
        let portions: Vec<&[usize]> = tiles.chunks(TILES).collect();
        let maps = in_parallel(sessions.threads(), &portions, |tiles| {
            maps(model, sessions, &grid, views.images(), tiles)
        });
        for (tiles, maps) in portions.iter().zip(maps) {
            let maps = maps?;
            let (before, after) = maps.split_at(tiles.len());
            for ((tile, before), after) in tiles.iter().zip(before).zip(after) {
                distances.add(&grid, *tile, [before, after]);
            }
        }
        Ok(views.compared(distances))
    }
}

fn photographs(sessions: &Sessions, pair: &[Upload; 2]) -> Result<[Photograph; 2], Failure> {
    let photographs =
        in_parallel(sessions.threads(), pair, Upload::photograph).into_iter().enumerate();
    let mut photographs =
        photographs.map(|(index, image)| image.map_err(|error| Failure::Image(index, error)));
    let mut next = || photographs.next().expect("one photograph for each image");
    Ok([next()?, next()?])
}

/// The maps of some tiles: those of the first image, then those of the second.
fn maps(
    model: &Description,
    sessions: &Sessions,
    grid: &Grid,
    images: &[Photograph; 2],
    tiles: &[usize],
) -> Result<Vec<Map>, Failure> {
    let pixels = images.iter().flat_map(|image| {
        tiles.iter().map(|tile| grid.pixels(image, *tile, &model.card.preprocessing))
    });
    let pixels: Vec<_> = pixels.collect();
    let maps = sessions.lease().map(&pixels)?;
    let maps = maps
        .into_iter()
        .enumerate()
        .map(|(index, map)| map.map_err(|error| Failure::Image(index / tiles.len(), error.into())));
    maps.collect()
}
