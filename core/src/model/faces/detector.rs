//! The networks of a face detector.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{TensorElementType, TensorRef, ValueType};
use thiserror::Error;

use super::suppression::{Candidate, Shape};
use crate::model::LibraryError;
use crate::model::runtime::environment;
use crate::preprocessing::{Colour, Photograph, Square};

/// The numbers of a detector's candidate: the centre and the size of its box, and six points.
const NUMBERS: usize = 16;

/// Two networks that find faces in square images: one for near faces, and one for faces that are far away.
///
/// Each reads `[1, 3, side, side]`: red, green and blue of -1 to 1. It returns `points`, `[1, n, 16]` in parts of the
/// side, and `scores`, `[1, n]` of 0 to 1. The points of a candidate are the centre and the size of the box, then the
/// eyes from left to right, the nose, the mouth, and the ears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detector {
    near: Arc<[u8]>,
    far: Arc<[u8]>,
}

/// Why a detector can't be used.
#[derive(Debug, Error)]
pub enum InvalidDetector {
    /// No ONNX Runtime library is available.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The text is not two ONNX files in base64.
    #[error("it is not two ONNX files in base64, separated by a space")]
    Text,
    /// ONNX Runtime rejects a network.
    #[error("ONNX Runtime can't load its network")]
    Load(#[source] ort::Error),
    /// A network has other inputs or outputs.
    #[error(
        "its network does not read [1, 3, side, side], or does not return finite points [1, n, 16] and scores [1, n] of 0 to 1"
    )]
    Shape,
}

/// One network of a detector in a session.
pub(super) struct Network {
    session: Session,
    side: u32,
    input: Vec<f32>,
}

impl Detector {
    /// Opens the network for near faces, and the one for far ones.
    pub(super) fn open(&self) -> Result<[Network; 2], InvalidDetector> {
        Ok([Network::open(&self.near)?, Network::open(&self.far)?])
    }
}

impl Network {
    fn open(onnx: &[u8]) -> Result<Self, InvalidDetector> {
        let environment = environment()?;
        let open = || {
            Session::builder(&environment)?
                .with_optimization_level(GraphOptimizationLevel::Level3)?
                // Many images are searched at once, each on one core.
                .with_intra_threads(1)?
                .commit_from_memory(onnx)
        };
        let session = open().map_err(InvalidDetector::Load)?;
        let [input] = session.inputs() else { return Err(InvalidDetector::Shape) };
        let ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } = input.dtype() else {
            return Err(InvalidDetector::Shape);
        };
        let side = match **shape {
            [1, 3, height, width] if height == width => u32::try_from(height).ok(),
            _ => None,
        };
        let side = side.filter(|side| (32..=1024).contains(side)).ok_or(InvalidDetector::Shape)?;
        let has = |name| session.outputs().iter().any(|output| output.name() == name);
        if !(has("points") && has("scores")) {
            return Err(InvalidDetector::Shape);
        }
        let mut network = Self { session, side, input: Vec::new() };
        if network.gives_candidates().map_err(InvalidDetector::Load)? {
            Ok(network)
        } else {
            Err(InvalidDetector::Shape)
        }
    }

    /// Whether a run gives points and scores of the right shapes and ranges.
    fn gives_candidates(&mut self) -> ort::Result<bool> {
        let side = self.side as usize;
        self.input.resize(3 * side * side, 0.0);
        let tensor = TensorRef::from_array_view(([1, 3, side, side], &self.input[..]))?;
        let outputs = self.session.run(ort::inputs![tensor])?;
        let (Ok((points_shape, points)), Ok((scores_shape, scores))) = (
            outputs["points"].try_extract_tensor::<f32>(),
            outputs["scores"].try_extract_tensor::<f32>(),
        ) else {
            return Ok(false);
        };
        let has_shapes = matches!(
            (&**points_shape, &**scores_shape),
            ([1, n, 16], [1, count]) if n == count && 0 < *n
        );
        let has_ranges = points.iter().all(|number| number.is_finite())
            && scores.iter().all(|score| (0.0..=1.0).contains(score));
        Ok(has_shapes && has_ranges)
    }

    /// The side of the input, in pixels.
    pub(super) fn side(&self) -> u32 {
        self.side
    }

    /// The candidates in a square of the photograph with at least a score, in pixels of the photograph.
    pub(super) fn run(
        &mut self,
        photograph: &Photograph,
        square: Square,
        min_score: f32,
    ) -> ort::Result<Vec<Candidate>> {
        let side = self.side as usize;
        let planes = photograph.square(square, self.side, Colour::Rgb);
        self.input.clear();
        // The single plane of a grey photograph stands for all three.
        for plane in planes.chunks_exact(side * side).cycle().take(3) {
            self.input.extend(plane.iter().map(|byte| f32::from(*byte) / 127.5 - 1.0));
        }
        let tensor = TensorRef::from_array_view(([1, 3, side, side], &self.input[..]))?;
        let outputs = self.session.run(ort::inputs![tensor])?;
        let (_, points) = outputs["points"].try_extract_tensor::<f32>()?;
        let (_, scores) = outputs["scores"].try_extract_tensor::<f32>()?;
        let candidates = points.chunks_exact(NUMBERS).zip(scores);
        let candidates = candidates.filter(|(_, score)| min_score <= **score);
        Ok(candidates.filter_map(|(points, score)| candidate(points, *score, square)).collect())
    }
}

/// Places a candidate in the photograph. `None` if its numbers describe no box.
fn candidate(points: &[f32], score: f32, square: Square) -> Option<Candidate> {
    let length = 2.0 * square.half;
    let (sine, cosine) = square.angle.sin_cos();
    let (pairs, _) = points.as_chunks::<2>();
    let pairs: Vec<[f64; 2]> =
        pairs.iter().map(|pair| pair.map(|part| f64::from(part) * length)).collect();
    let place = |[x, y]: [f64; 2]| {
        let [x, y] = [x - square.half, y - square.half];
        let turned = [cosine * x - sine * y, sine * x + cosine * y];
        [0, 1].map(|axis| square.centre[axis] + turned[axis])
    };
    let shape = Shape {
        centre: place(pairs[0]),
        size: pairs[1],
        points: [2, 3, 4, 5].map(|index| place(pairs[index])),
    };
    let is_sound =
        shape.numbers().all(f64::is_finite) && shape.size.iter().all(|length| 0.0 < *length);
    is_sound.then_some(Candidate { score, shape })
}

impl FromStr for Detector {
    type Err = InvalidDetector;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let networks: Option<Vec<Vec<u8>>> =
            text.split_whitespace().map(|part| BASE64_STANDARD.decode(part).ok()).collect();
        let networks: Option<[Vec<u8>; 2]> = networks.and_then(|networks| networks.try_into().ok());
        let [near, far] = networks.ok_or(InvalidDetector::Text)?;
        Ok(Self { near: near.into(), far: far.into() })
    }
}

impl Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [near, far] = [&self.near, &self.far].map(|network| BASE64_STANDARD.encode(network));
        write!(f, "{near} {far}")
    }
}
