//! Measurement of cells during training.

use burn::tensor::{Device, Tensor, TensorData};
use siamese_core::score::{Distance, Scores};

use super::tiles::{DrawnTiles, Tiles};
use crate::data::CellTruth;
use crate::network::{Dropout, Network};

/// About the largest number of tiles that are measured.
const MOST: usize = 600;
/// About the number of tiles that the maps are standardised on.
const STANDARD: usize = 100;
/// The number of tiles per batch.
const CHUNK: usize = 8;

/// Measures the distances of the cells of about 600 tiles: unchanged ones are same pairs, and changed ones different pairs.
/// `shape` is that of the maps of an image.
///
/// # Errors
///
/// If an output is not finite, as after a training that diverged.
pub(in crate::learn) fn scores(
    network: &Network,
    tiles: &Tiles,
    [channels, rows, columns]: [usize; 3],
    device: &Device,
) -> anyhow::Result<Scores> {
    let (mut unchanged, mut changed) = (Vec::new(), Vec::new());
    for chunk in tiles.spread(MOST).chunks(CHUNK) {
        let DrawnTiles { truth, maps, count } = DrawnTiles::of(chunk);
        let maps = TensorData::new(maps, [2 * count, channels, rows, columns]);
        let cells = network.forward(Tensor::from_data(maps, device), &mut Dropout::off());
        let [_, width] = cells.dims();
        let values =
            cells.into_data().try_to_vec::<f32>().expect("networks are in single precision");
        let (before, after) = values.split_at(values.len() / 2);
        let cells = before.chunks_exact(width).zip(after.chunks_exact(width));
        for ((before, after), truth) in cells.zip(truth) {
            let squares = before.iter().zip(after).map(|(one, other)| (one - other).powi(2));
            let distance = Distance::try_from(f64::from(squares.sum::<f32>().sqrt()))?;
            match truth {
                CellTruth::Changed => changed.push(distance),
                CellTruth::Unchanged => unchanged.push(distance),
                CellTruth::Unknown => {}
            }
        }
    }
    Ok(Scores::new(&unchanged, &changed)?)
}

/// Returns the maps of some first images, to standardise them.
pub(in crate::learn) fn first_maps(
    tiles: &Tiles,
    [channels, rows, columns]: [usize; 3],
) -> TensorData {
    let tiles = tiles.spread(STANDARD);
    let values = tiles.iter().flat_map(|tile| tile.maps[0].iter().map(|value| value.to_f32()));
    TensorData::new(values.collect::<Vec<f32>>(), [tiles.len(), channels, rows, columns])
}
