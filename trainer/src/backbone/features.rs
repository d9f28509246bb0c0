//! From the maps of a backbone to features, and from features to embeddings.

use siamese_core::model::{EMBEDDING, NotOnnx};

use super::{Backbone, Map, Output};
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

impl Map {
    fn features(&self) -> usize {
        if self.has_deviations { 2 * self.width } else { self.width }
    }
}

impl Backbone {
    /// Returns the number of features of an image.
    pub fn features(&self) -> usize {
        match &self.output {
            Output::Maps(maps) => maps.iter().map(Map::features).sum(),
            Output::Row { width, .. } => *width,
        }
    }

    /// Returns an ONNX file whose embedding is the row of features of an image.
    ///
    /// For each map these are the means of its channels over all places, and their standard deviations if the map has
    /// them. Each of these rows is scaled to unit length.
    pub fn with_features(&self) -> Result<Vec<u8>, NotOnnx> {
        let mut graph = Builder::with_prefix(self.prefix());
        let Row { tensor, .. } = self.row(&mut graph);
        let features = graph.node("Identity", &[&tensor], vec![]);
        graft(&self.onnx, &graph, &[value(&features, &[self.features()])])
    }

    /// Returns an ONNX file with a head. Its output is the embedding.
    ///
    /// If the features come from maps, the second output is the map of embeddings, `[n, width, rows, columns]`, at the
    /// resolution of the finest map: each place through the same head. The mean over its places is the embedding before that
    /// is scaled to unit length, so a place's part in a distance can be told.
    pub fn with_head(&self, head: &Head) -> Result<Vec<u8>, NotOnnx> {
        let (features, width) = (self.features(), head.bias.len());
        let mut graph = Builder::with_prefix(self.prefix());
        let row = self.row(&mut graph);
        let bias = graph.floats(head.bias.clone(), &[width]);
        let weights = graph.floats(head.weights.clone(), &[features, width]);
        let embedding = graph.node("Gemm", &[&row.tensor, &weights, &bias], vec![]);
        let Output::Maps(maps) = &self.output else {
            // A single output needs no particular name, and the network may use the name already.
            return graft(&self.onnx, &graph, &[value(&embedding, &[width])]);
        };
        graph.named("Identity", &[&embedding], EMBEDDING);
        places(&mut graph, maps, &row, &weights, &embedding, width);
        graft(&self.onnx, &graph, &[value(EMBEDDING, &[width]), map(MAP, width)])
    }

    fn prefix(&self) -> &'static str {
        let is_free = |prefix: &&&str| {
            !self.onnx.windows(prefix.len()).any(|bytes| bytes == prefix.as_bytes())
        };
        PREFIXES.iter().find(is_free).unwrap_or(&PREFIXES[0])
    }

    /// Adds the row of features of each image.
    fn row(&self, graph: &mut Builder) -> Row {
        let maps = match &self.output {
            Output::Maps(maps) => maps,
            Output::Row { tensor, .. } => {
                return Row { tensor: tensor.clone(), lengths: Vec::new() };
            }
        };
        let mut rows = Vec::new();
        let mut lengths = Vec::new();
        for map in maps {
            let mean = graph.node("GlobalAveragePool", &[&map.tensor], vec![]);
            let (row, length) = unit(graph, &mean, map.width);
            rows.push(row);
            lengths.push(length);
            if map.has_deviations {
                let off = graph.node("Sub", &[&map.tensor, &mean], vec![]);
                let squares = graph.node("Mul", &[&off, &off], vec![]);
                let variance = graph.node("GlobalAveragePool", &[&squares], vec![]);
                let deviation = graph.node("Sqrt", &[&variance], vec![]);
                rows.push(unit(graph, &deviation, map.width).0);
            }
        }
        let rows: Vec<_> = rows.iter().map(String::as_str).collect();
        Row { tensor: graph.node("Concat", &rows, vec![integer("axis", 1)]), lengths }
    }
}

/// The row of features of each image.
struct Row {
    /// `[n, features]`.
    tensor: String,
    /// By map: the length of the row of its means, `[n, 1]`.
    lengths: Vec<String>,
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

/// Adds the map of embeddings from the maps and the layer's `weights`, `[features, width]`. The mean over its places is the
/// `embedding`, `[n, width]`.
fn places(
    graph: &mut Builder,
    maps: &[Map],
    row: &Row,
    weights: &str,
    embedding: &str,
    width: usize,
) {
    let finest = maps.iter().map(|map| map.fineness).max().unwrap_or(1);
    let each_place = graph.integers(&[-1, 1, 1, 1]);
    let first_axis = graph.integers(&[0]);
    let mut sum: Option<String> = None;
    let mut offset = 0;
    for (map, length) in maps.iter().zip(&row.lengths) {
        let [start, end] = [offset, offset + map.width].map(|at| graph.integers(&[signed(at)]));
        offset += map.features();
        let part = graph.node("Slice", &[weights, &start, &end, &first_axis], vec![]);
        let part = graph.node("Transpose", &[&part], vec![integers("perm", vec![1, 0])]);
        let kernel = graph.integers(&[signed(width), signed(map.width), 1, 1]);
        let part = graph.node("Reshape", &[&part, &kernel], vec![]);
        let product = graph.node("Conv", &[&map.tensor, &part], vec![]);
        let length = graph.node("Reshape", &[length, &each_place], vec![]);
        let mut places = graph.node("Div", &[&product, &length], vec![]);
        if map.fineness < finest {
            places = enlarged(graph, &places, finest / map.fineness);
        }
        sum = Some(match sum {
            Some(sum) => graph.node("Add", &[&sum, &places], vec![]),
            None => places,
        });
    }
    let sum = sum.expect("at least one map");
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
    use siamese_core::preprocessing::{Colour, Fit, Pixels, Preprocessing};

    use super::*;
    use crate::onnx::{GraphProto, ModelProto, images, operators};

    const SIDE: u32 = 8;
    const WIDTH: usize = 3;

    /// Makes a backbone with a map of 8 by 8 places and one of 4 by 4.
    fn backbone() -> Backbone {
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
        let map = |tensor, width, fineness, has_deviations| Map {
            tensor,
            width,
            fineness,
            has_deviations,
        };
        Backbone {
            name: "made".to_owned(),
            onnx: model.encode_to_vec(),
            output: Output::Maps(vec![map(coarse, 4, 1, false), map(fine, 2, 2, true)]),
            cells: None,
            preprocessing: Preprocessing {
                height: SIDE,
                width: SIDE,
                colour: Colour::Rgb,
                fit: Fit::Stretch,
                scale: 1.0,
                mean: vec![0.0],
                std: vec![1.0],
            },
            multiple: 1,
            origin: serde_json::Value::Null,
        }
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
    fn features_are_means_and_deviations_of_unit_length() {
        let backbone = backbone();
        let row = embedding(&backbone.with_features().expect("ONNX"));
        assert_eq!((row.len(), backbone.features()), (8, 8));
        for part in [&row[..4], &row[4..6], &row[6..]] {
            let length: f32 = part.iter().map(|value| value * value).sum();
            assert!((length - 1.0).abs() < 1e-5, "{part:?}");
        }
        assert!(row[6..].iter().all(|deviation| 0.0 < *deviation), "{row:?}");
    }

    #[test]
    fn the_mean_over_the_map_of_embeddings_is_the_embedding() {
        let backbone = backbone();
        let weights = (0..8 * 3_u8).map(|at| f32::from(at * 5 % 13) / 6.0 - 1.0).collect();
        let head = Head { weights, bias: vec![0.25, -0.5, 1.0] };
        let whole = backbone.with_head(&head).expect("ONNX");
        let mut mean = Builder::with_prefix("test_");
        let pooled = mean.node("GlobalAveragePool", &[MAP], vec![]);
        let flat = mean.node("Flatten", &[&pooled], vec![]);
        mean.named("Identity", &[&flat], "mean");
        // The session has one output: the embedding, or here the mean of the map.
        let of_map = graft(&whole, &mean, &[value("mean", &[WIDTH])]).expect("ONNX");
        let (whole, of_map) = (embedding(&whole), embedding(&of_map));
        for (one, other) in whole.iter().zip(&of_map) {
            assert!((one - other).abs() < 1e-5, "{whole:?} {of_map:?}");
        }
        let features = embedding(&backbone.with_features().expect("ONNX"));
        for (output, found) in whole.iter().enumerate() {
            let products = features.iter().zip(head.weights[output..].iter().step_by(WIDTH));
            let expected = products.map(|(feature, weight)| feature * weight).sum::<f32>();
            assert!((expected + head.bias[output] - found).abs() < 1e-5, "{whole:?}");
        }
    }
}
