//! Export of a head of cells with its backbone.

use burn::tensor::{Device, Tensor, TensorData};
use siamese_core::model::{Card, Model, OnnxModel};
use siamese_core::preprocessing::Pixels;
use siamese_core::score::Map;

use super::{ExportError, Exported, graph, load, with_card};
use crate::backbone::CellBackbone;
use crate::network::{Dropout, Network};
use crate::onnx::graft;

/// Exports the first stages of a backbone with a head of cells as a model with `card` and golden pairs. Its outputs are the
/// embedding and the map. Compares the map on tiles: each is the model's input with the maps of the backbone, of `shape`.
///
/// # Errors
///
/// See [`ExportError`].
///
/// # Panics
///
/// If the network is not a head of cells.
pub fn on_cells(
    backbone: &CellBackbone,
    network: &Network,
    card: Card,
    shape: [usize; 3],
    tiles: &[(Pixels, Vec<f32>)],
) -> Result<Exported, ExportError> {
    let Network::Cells(head) = network else { unreachable!("the network embeds cells") };
    let (nodes, outputs) = graph::cells(head, backbone.tensors());
    let onnx = with_card(&graft(backbone.onnx(), &nodes, &outputs)?, card)?;
    let mut model = load(onnx.clone())?;
    let mut largest = 0.0_f64;
    for (pixels, maps) in tiles {
        largest = largest.max(difference(network, &mut model, shape, pixels, maps)?);
    }
    Exported::checked(onnx, largest, tiles.len())
}

/// Returns the largest difference of a coordinate of a cell, relative to the cell's length if that is above 1.
fn difference(
    network: &Network,
    model: &mut OnnxModel,
    [channels, rows, columns]: [usize; 3],
    pixels: &Pixels,
    maps: &[f32],
) -> Result<f64, ExportError> {
    let maps = TensorData::new(maps.to_vec(), [1, channels, rows, columns]);
    let cells = network.forward(Tensor::from_data(maps, &Device::flex()), &mut Dropout::off());
    let [n_cells, width] = cells.dims();
    let trained = graph::values(&cells);
    let exported = model.map(std::slice::from_ref(pixels)).map_err(ExportError::Run)?;
    let exported: Map = exported.into_iter().next().expect("a map").map_err(ExportError::Map)?;
    let mut largest = 0.0_f64;
    for (cell, trained) in trained.chunks_exact(width).enumerate() {
        let exported = exported.values().iter().skip(cell).step_by(n_cells);
        let square: f64 = trained.iter().map(|value| f64::from(*value).powi(2)).sum();
        for (one, other) in trained.iter().zip(exported) {
            let difference = (f64::from(*one) - f64::from(*other)).abs() / square.sqrt().max(1.0);
            // The maximum of a number and NaN would be the number.
            largest = if difference.is_nan() { f64::INFINITY } else { largest.max(difference) };
        }
    }
    Ok(largest)
}
