//! From the maps of a backbone to features, and from features to embeddings.

use siamese_core::model::{EMBEDDING, NotOnnx};

use super::pooling::{Part, Statistic};
use super::{LoadedBackbone, Map, Output, Pooling};
use crate::onnx::{Builder, graft, integer, integers, map, signed, text, value};

/// What the names of added nodes start with: the first that the file does not contain. A backbone can be a model of this
/// trainer.
const PREFIXES: [&str; 4] = ["siamese_", "head_", "second_head_", "third_head_"];
/// The name of the map of embeddings among the outputs.
pub(super) const MAP: &str = "map";
/// The smallest length of a row. A shorter one, such as that of a uniform image, is not enlarged to unit length.
const LEAST: f32 = 1e-6;

/// A linear layer from features to an embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// `[features, width]`, row by row.
    pub weights: Vec<f32>,
    /// `[width]`.
    pub bias: Vec<f32>,
}

impl LoadedBackbone {
    /// Returns an ONNX file whose embedding is the row of features of an image, with those of all poolings.
    ///
    /// Each statistic of a map is a part of the row, and is scaled to unit length.
    pub fn with_features(&self) -> Result<Vec<u8>, NotOnnx> {
        let mut graph = Builder::with_prefix(self.prefix());
        let Row { tensor, .. } = self.row(&mut graph, &self.backbone.all_parts());
        let features = graph.node("Identity", &[&tensor], vec![]);
        let width = self.backbone.all_features();
        graft(&self.onnx.bytes, &graph, &[value(&features, &[width])])
    }

    /// Returns an ONNX file with a head on the features of a pooling. Its output is the embedding.
    ///
    /// If the features come from maps, the second output is the map of embeddings, `[n, width, rows, columns]`, at the
    /// resolution of the finest map: each place through the same head. The mean over its places is the embedding before that
    /// is scaled to unit length, so a place's part in a distance can be told.
    pub fn with_head(&self, head: &Head, pooling: Option<Pooling>) -> Result<Vec<u8>, NotOnnx> {
        let (features, width) = (self.backbone.features(pooling), head.bias.len());
        let mut graph = Builder::with_prefix(self.prefix());
        let row = self.row(&mut graph, &self.backbone.parts(pooling));
        let bias = graph.floats(head.bias.clone(), &[width]);
        let weights = graph.floats(head.weights.clone(), &[features, width]);
        let embedding = graph.node("Gemm", &[&row.tensor, &weights, &bias], vec![]);
        let bytes = &self.onnx.bytes;
        if row.parts.is_empty() {
            // A single output needs no particular name, and the network may use the name already.
            return graft(bytes, &graph, &[value(&embedding, &[width])]);
        }
        graph.named("Identity", &[&embedding], EMBEDDING);
        places(&mut graph, &row.parts, &weights, &embedding, width);
        graft(bytes, &graph, &[value(EMBEDDING, &[width]), map(MAP, width)])
    }

    fn prefix(&self) -> &'static str {
        let is_free = |prefix: &&&str| {
            !self.onnx.bytes.windows(prefix.len()).any(|bytes| bytes == prefix.as_bytes())
        };
        PREFIXES.iter().find(is_free).unwrap_or(&PREFIXES[0])
    }

    /// Adds the row of features of each image, made of these parts.
    fn row(&self, graph: &mut Builder, parts: &[Part]) -> Row {
        let tensors = &self.onnx.tensors;
        let maps = match &self.backbone.output {
            Output::Maps(maps) => maps,
            Output::Row(_) => return Row { tensor: tensors[0].clone(), parts: Vec::new() },
        };
        let mut rows = Vec::new();
        let mut added = Vec::new();
        for &Part { map, statistic } in parts {
            let (tensor, Map { width, fineness, .. }) = (&tensors[map], maps[map]);
            let (pooled, places) = match statistic {
                Statistic::Mean => {
                    let mean = graph.node("GlobalAveragePool", &[tensor], vec![]);
                    (mean, Some(tensor.clone()))
                }
                Statistic::Deviation => (deviation(graph, tensor), None),
                Statistic::GeneralisedMean => {
                    let (mean, places) = generalised_mean(graph, tensor);
                    (mean, Some(places))
                }
            };
            let (row, length) = unit(graph, &pooled, width);
            rows.push(row);
            added.push(AddedPart { places, length, width, fineness });
        }
        let rows: Vec<_> = rows.iter().map(String::as_str).collect();
        Row { tensor: graph.node("Concat", &rows, vec![integer("axis", 1)]), parts: added }
    }
}

/// The row of features of each image.
struct Row {
    /// `[n, features]`.
    tensor: String,
    /// The statistics of maps that the row consists of, in order.
    parts: Vec<AddedPart>,
}

/// A statistic of a map in a graph.
struct AddedPart {
    /// `[n, width, rows, columns]`: the mean over the places is the statistic. `None` if it belongs to the image as a whole.
    places: Option<String>,
    /// The length that the statistic is divided by, `[n, 1]`.
    length: String,
    width: usize,
    fineness: usize,
}

/// Adds the standard deviation of each channel of a map, `[n, width, 1, 1]`.
fn deviation(graph: &mut Builder, map: &str) -> String {
    let mean = graph.node("GlobalAveragePool", &[map], vec![]);
    let off = graph.node("Sub", &[map, &mean], vec![]);
    let squares = graph.node("Mul", &[&off, &off], vec![]);
    let variance = graph.node("GlobalAveragePool", &[&squares], vec![]);
    graph.node("Sqrt", &[&variance], vec![])
}

/// Adds the generalised mean of each channel of a map, `[n, width, 1, 1]`. Also returns a map whose mean it is.
fn generalised_mean(graph: &mut Builder, map: &str) -> (String, String) {
    let least = graph.floats(vec![LEAST], &[1]);
    let clipped = graph.node("Max", &[map, &least], vec![]);
    let squares = graph.node("Mul", &[&clipped, &clipped], vec![]);
    let cubes = graph.node("Mul", &[&squares, &clipped], vec![]);
    let mean = graph.node("GlobalAveragePool", &[&cubes], vec![]);
    let exponent = graph.floats(vec![1.0 / 3.0], &[1]);
    let root = graph.node("Pow", &[&mean, &exponent], vec![]);
    // The mean of the cubes is the cube of the result.
    let square = graph.node("Mul", &[&root, &root], vec![]);
    let places = graph.node("Div", &[&cubes, &square], vec![]);
    (root, places)
}

/// Scales the pooled channels of a map, `[n, width, 1, 1]`, to rows of unit length. Also returns their lengths.
fn unit(graph: &mut Builder, pooled: &str, width: usize) -> (String, String) {
    let row = graph.node("Flatten", &[pooled], vec![]);
    let squares = graph.node("Mul", &[&row, &row], vec![]);
    // A sum by a product: the operators that sum have changed between versions of ONNX.
    let ones = graph.floats(vec![1.0; width], &[width, 1]);
    let sum = graph.node("MatMul", &[&squares, &ones], vec![]);
    let length = graph.node("Sqrt", &[&sum], vec![]);
    let least = graph.floats(vec![LEAST], &[1]);
    let length = graph.node("Max", &[&length, &least], vec![]);
    (graph.node("Div", &[&row, &length], vec![]), length)
}

/// Adds the map of embeddings from the parts of a row and the layer's `weights`, `[features, width]`. The mean over its places
/// is the `embedding`, `[n, width]`.
fn places(graph: &mut Builder, parts: &[AddedPart], weights: &str, embedding: &str, width: usize) {
    let finest = parts.iter().map(|part| part.fineness).max().unwrap_or(1);
    let each_place = graph.integers(&[-1, 1, 1, 1]);
    let first_axis = graph.integers(&[0]);
    let mut sum: Option<String> = None;
    let mut offset = 0;
    for part in parts {
        let [start, end] = [offset, offset + part.width].map(|at| graph.integers(&[signed(at)]));
        offset += part.width;
        let Some(map) = &part.places else { continue };
        let layer = graph.node("Slice", &[weights, &start, &end, &first_axis], vec![]);
        let layer = graph.node("Transpose", &[&layer], vec![integers("perm", vec![1, 0])]);
        let kernel = graph.integers(&[signed(width), signed(part.width), 1, 1]);
        let layer = graph.node("Reshape", &[&layer, &kernel], vec![]);
        let product = graph.node("Conv", &[map, &layer], vec![]);
        let length = graph.node("Reshape", &[&part.length, &each_place], vec![]);
        let mut places = graph.node("Div", &[&product, &length], vec![]);
        if part.fineness < finest {
            places = enlarged(graph, &places, finest / part.fineness);
        }
        sum = Some(match sum {
            Some(sum) => graph.node("Add", &[&sum, &places], vec![]),
            None => places,
        });
    }
    let sum = sum.expect("each pooling has means");
    // Deviations and the bias belong to the image as a whole, so each place has the same part of them.
    let of_image = graph.integers(&[-1, signed(width), 1, 1]);
    let embedding = graph.node("Reshape", &[embedding, &of_image], vec![]);
    let mean = graph.node("GlobalAveragePool", &[&sum], vec![]);
    let rest = graph.node("Sub", &[&embedding, &mean], vec![]);
    graph.named("Add", &[&sum, &rest], MAP);
}

/// Repeats each place of a map.
fn enlarged(graph: &mut Builder, map: &str, factor: usize) -> String {
    let factor = f32::from(u16::try_from(factor).expect("maps differ by small factors"));
    let factors = graph.floats(vec![1.0, 1.0, factor, factor], &[4]);
    let settings = vec![
        text("mode", "nearest"),
        text("coordinate_transformation_mode", "asymmetric"),
        text("nearest_mode", "floor"),
    ];
    // The second input is a region of interest, which this mode doesn't use.
    graph.node("Resize", &[map, "", &factors], settings)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use prost::Message;
    use siamese_core::model::{Device, Model, OnnxModel, Options, Source, rewrite};
    use siamese_core::preprocessing::Pixels;

    use super::super::Onnx;
    use super::super::tests::described;
    use super::*;
    use crate::onnx::{GraphProto, ModelProto, images, operators};

    const WIDTH: usize = 3;

    /// Makes the network of [`described`].
    fn backbone() -> LoadedBackbone {
        let mut graph = Builder::default();
        let numbers = |count: u8| (0..count).map(|at| f32::from(at * 7 % 11) / 5.0 - 1.0).collect();
        let kernel = graph.floats(numbers(6), &[2, 3, 1, 1]);
        let fine = graph.node("Conv", &["pixels", &kernel], vec![]);
        let kernel = graph.floats(numbers(8), &[4, 2, 1, 1]);
        let strides = vec![integers("strides", vec![2, 2])];
        let coarse = graph.node("Conv", &[&fine, &kernel], strides);
        let graph = GraphProto {
            node: graph.nodes,
            name: Some("maps".to_owned()),
            initializer: graph.weights,
            input: vec![images("pixels", 3)],
            ..GraphProto::default()
        };
        let model = ModelProto {
            ir_version: Some(8),
            graph: Some(graph),
            opset_import: vec![operators("", 13)],
            ..ModelProto::default()
        };
        let onnx = Onnx { bytes: model.encode_to_vec(), tensors: vec![coarse, fine] };
        LoadedBackbone { backbone: described(), onnx, cells: None }
    }

    fn embedding(onnx: &[u8]) -> Vec<f32> {
        let card =
            [("siamese.input", "8"), ("siamese.colour", "rgb"), ("siamese.embedding", "as-is")];
        let card = card.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let onnx = rewrite(onnx, &card).expect("ONNX");
        let source = Source::of(Path::new("made"), onnx).expect("a model");
        let options = Options { device: Device::Cpu, ..Options::default() };
        let mut model = OnnxModel::open(&source, &options).expect("a model");
        let pixels = (0..3 * 64_u8).map(|at| f32::from(at.wrapping_mul(37)) / 255.0).collect();
        let embedded = model.embed(&[Pixels::new(pixels)]).expect("a run").remove(0);
        embedded.expect("an embedding").coordinates().to_vec()
    }

    #[test]
    fn features_are_statistics_of_unit_length() {
        let backbone = backbone();
        let row = embedding(&backbone.with_features().expect("ONNX"));
        assert_eq!((row.len(), backbone.backbone.all_features()), (12, 12));
        for part in [&row[..4], &row[4..8], &row[8..10], &row[10..]] {
            let length: f32 = part.iter().map(|value| value * value).sum();
            assert!((length - 1.0).abs() < 1e-5, "{part:?}");
        }
        assert!(row[4..8].iter().all(|mean| 0.0 <= *mean), "{row:?}");
        assert!(row[10..].iter().all(|deviation| 0.0 < *deviation), "{row:?}");
    }

    #[test]
    fn the_mean_over_the_map_of_embeddings_is_the_embedding() {
        let backbone = backbone();
        let all = Pixels::new(embedding(&backbone.with_features().expect("ONNX")));
        for pooling in [Pooling::Layers, Pooling::Mean, Pooling::Gem] {
            let features = backbone.backbone.pooled(&all, Some(pooling));
            let n_weights = features.values().len() * WIDTH;
            let weight =
                |at: usize| f32::from(u8::try_from(at * 5 % 13).expect("small")) / 6.0 - 1.0;
            let weights = (0..n_weights).map(weight).collect();
            let head = Head { weights, bias: vec![0.25, -0.5, 1.0] };
            let whole = backbone.with_head(&head, Some(pooling)).expect("ONNX");
            let mut mean = Builder::with_prefix("test_");
            let pooled = mean.node("GlobalAveragePool", &[MAP], vec![]);
            let flat = mean.node("Flatten", &[&pooled], vec![]);
            mean.named("Identity", &[&flat], "mean");
            // The session has one output: the embedding, or here the mean of the map.
            let of_map = graft(&whole, &mean, &[value("mean", &[WIDTH])]).expect("ONNX");
            let (whole, of_map) = (embedding(&whole), embedding(&of_map));
            for (one, other) in whole.iter().zip(&of_map) {
                assert!((one - other).abs() < 1e-5, "{pooling}: {whole:?} {of_map:?}");
            }
            for (output, found) in whole.iter().enumerate() {
                let weights = head.weights[output..].iter().step_by(WIDTH);
                let products = features.values().iter().zip(weights);
                let expected = products.map(|(feature, weight)| feature * weight).sum::<f32>();
                assert!(
                    (expected + head.bias[output] - found).abs() < 1e-5,
                    "{pooling}: {whole:?}"
                );
            }
        }
    }
}
