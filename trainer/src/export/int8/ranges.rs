//! The ranges of a network's tensors on real images.

use siamese_core::model::{Card, Length, LoadError, ModelError, rewrite};
use siamese_core::preprocessing::Pixels;

use super::Int8Error;
use crate::export::{ExportError, in_memory, on_cpu, run};
use crate::onnx::{Builder, graft, integer, value};

/// What the names of added nodes start with.
const PREFIX: &str = "range_";

/// The smallest and the largest value of each tensor on the images.
///
/// A copy of the network returns them as its embedding: for each tensor the largest value, and the largest one with the
/// opposite sign.
pub(super) fn measure(
    onnx: &[u8],
    card: &Card,
    tensors: &[String],
    images: &[Pixels],
) -> Result<Vec<[f32; 2]>, Int8Error> {
    let mut graph = Builder::with_prefix(PREFIX);
    let mut columns = Vec::new();
    for tensor in tensors {
        let negative = graph.node("Neg", &[tensor], vec![]);
        for signed in [tensor, &negative] {
            columns.push(largest(&mut graph, signed));
        }
    }
    let names: Vec<_> = columns.iter().map(String::as_str).collect();
    let all = graph.node("Concat", &names, vec![integer("axis", 1)]);
    let onnx = graft(onnx, &graph, &[value(&all, &[columns.len()])])?;
    let card = Card {
        length: Length::AsIs,
        golden: None,
        threshold: None,
        familiarity: None,
        ..card.clone()
    };
    let onnx = rewrite(&onnx, &card.to_metadata())?;
    let mut model = in_memory("the network's ranges".as_ref(), onnx, &on_cpu()).map_err(
        |error| match error {
            LoadError::Run { source: ModelError::Shape { .. }, .. } => Int8Error::Views,
            error => Int8Error::Load(error),
        },
    )?;
    let mut ranges = vec![[0.0_f32; 2]; tensors.len()];
    for image in images.chunks(8) {
        let embeddings = run(&mut model, image).map_err(|error| match error {
            ExportError::Run(ModelError::Shape { .. }) => Int8Error::Views,
            error => error.into(),
        })?;
        for embedding in embeddings {
            for (range, found) in ranges.iter_mut().zip(embedding.coordinates().chunks_exact(2)) {
                range[0] = range[0].min(-found[1]);
                range[1] = range[1].max(found[0]);
            }
        }
    }
    Ok(ranges)
}

/// Adds the largest value of a tensor in each image, `[n, 1]`.
///
/// `GlobalMaxPool` has been the same in all versions of ONNX. `ReduceMax` has not.
fn largest(graph: &mut Builder, tensor: &str) -> String {
    let row = graph.node("Flatten", &[tensor], vec![]);
    let one_channel = graph.integers(&[0, 1, -1]);
    let channel = graph.node("Reshape", &[&row, &one_channel], vec![]);
    let largest = graph.node("GlobalMaxPool", &[&channel], vec![]);
    graph.node("Flatten", &[&largest], vec![])
}
