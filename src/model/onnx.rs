//! A tower on ONNX Runtime.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use ort::environment::Environment;
use ort::ep;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{TensorElementType, TensorRef, ValueType};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::card::PREFIX;
use super::{
    Card, CardError, Description, Embedded, GoldenCheck, GoldenError, LibraryError, Tower,
    TowerError, library,
};
use crate::picture::{self, Limits, PictureError, Pixels, Preparation};

/// How a tower is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where.
    pub device: Device,
    /// Threads of one run; `None` means one a core.
    pub threads: Option<NonZeroUsize>,
    /// The most pictures in one run.
    pub largest_batch: NonZeroUsize,
}

/// What the operator asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// The CPU, even beside a GPU.
    Cpu,
    /// A GPU where there is one, else the CPU.
    #[default]
    PreferGpu,
    /// A GPU, or no start.
    RequireGpu,
}

/// What really runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Provider {
    /// ONNX Runtime's CPU execution provider.
    #[serde(rename = "CPUExecutionProvider")]
    Cpu,
    /// Its CUDA execution provider.
    #[serde(rename = "CUDAExecutionProvider")]
    Cuda,
}

/// Why a file can't serve as a tower. Each message is a sentence with the file in it.
#[derive(Debug, Error)]
pub enum LoadError {
    /// There is no ONNX Runtime to run it.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The file, or the sidecar beside it, can't be read.
    #[error("{} can't be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// ONNX Runtime does not take it.
    #[error("{} is no ONNX model that ONNX Runtime takes", .path.display())]
    NoModel {
        /// The tower's file.
        path: PathBuf,
        /// What ONNX Runtime says.
        #[source]
        source: ort::Error,
    },
    /// A GPU is required, and can't be had.
    #[error(
        "{} can't run on a GPU, which is required: an NVIDIA driver, CUDA 12 or 13, cuDNN 9 and the library of the \
         Python package onnxruntime-gpu (named by ORT_DYLIB_PATH) are needed; or set the device to prefer-gpu or cpu",
        .path.display()
    )]
    NoGpu {
        /// The tower's file.
        path: PathBuf,
        /// What ONNX Runtime says.
        #[source]
        source: ort::Error,
    },
    /// Nothing says how to use it.
    #[error(
        "{} carries no siamese metadata; write {} beside it, with at least `input = \"112x112\"` (height and width of \
         its pictures) and `colour = \"grey\"` or `\"rgb\"`, then scale, mean, std, fit, embedding, margin and \
         threshold as it was trained with",
        .path.display(), .sidecar.display()
    )]
    NoCard {
        /// The tower's file.
        path: PathBuf,
        /// The file that could say it.
        sidecar: PathBuf,
    },
    /// Two places say how to use it.
    #[error("{} carries siamese metadata, so {} beside it must go", .path.display(), .sidecar.display())]
    TwoCards {
        /// The tower's file.
        path: PathBuf,
        /// The file beside it.
        sidecar: PathBuf,
    },
    /// The sidecar is no TOML.
    #[error("{} is no TOML", .sidecar.display())]
    Sidecar {
        /// The sidecar.
        sidecar: PathBuf,
        /// Where it breaks.
        #[source]
        source: toml::de::Error,
    },
    /// What it says of itself can't be.
    #[error("{} does not describe a tower", .path.display())]
    Card {
        /// The tower's file, or its sidecar.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: CardError,
    },
    /// Its input or output is not what a tower has.
    #[error("{} is no tower: {why}", .path.display())]
    Shape {
        /// The tower's file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// No picture can be made to fit its input.
    #[error("{} has an input that no picture fits", .path.display())]
    Input {
        /// The tower's file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: PictureError,
    },
    /// It does not run.
    #[error("{} does not run", .path.display())]
    Run {
        /// The tower's file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: TowerError,
    },
    /// It does not give here what it gave where it was made.
    #[error("{} fails its golden pairs", .path.display())]
    Golden {
        /// The tower's file.
        path: PathBuf,
        /// Which, and by how much.
        #[source]
        source: GoldenError,
    },
}

/// A device that is none of those in [`Device`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a device is `cpu`, `prefer-gpu` or `require-gpu`")]
pub struct UnknownDevice;

/// A tower loaded into an ONNX Runtime session.
pub struct OnnxTower {
    network: Network,
    description: Arc<Description>,
}

impl Default for Options {
    fn default() -> Self {
        let largest_batch = NonZeroUsize::new(32).expect("32 is not 0");
        Self { device: Device::default(), threads: None, largest_batch }
    }
}

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "prefer-gpu" => Ok(Self::PreferGpu),
            "require-gpu" => Ok(Self::RequireGpu),
            _ => Err(UnknownDevice),
        }
    }
}

impl Provider {
    /// `cpu` or `gpu`: the kind of device it runs on.
    pub fn device(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "gpu",
        }
    }
}

impl OnnxTower {
    /// Loads a tower, checks its shapes, and holds it to its golden pairs on the provider that will run it.
    pub fn load(path: &Path, options: &Options) -> Result<Self, LoadError> {
        let digest = digest(path)?;
        let (session, provider) = open(path, options)?;
        let card = Arc::new(read_card(&session, path)?);
        let dynamic = check_input(&session, &card)
            .and_then(|dynamic| check_output(&session).map(|()| dynamic))
            .map_err(|why| LoadError::Shape { path: path.to_owned(), why })?;

        let made = [0, 1]
            .into_iter()
            .map(|seed| made_pixels(&card, seed))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| LoadError::Input { path: path.to_owned(), source })?;
        let mut network = Network { session, card, input: Vec::new(), width: 0, largest_batch: 1 };
        let failed = |source| LoadError::Run { path: path.to_owned(), source };
        network.width = network.probe_width(&made[..1]).map_err(failed)?;
        // An export may promise any batch and yet have baked one in: two pictures tell.
        let one_at_a_time =
            !(dynamic && network.probe_width(&made).is_ok_and(|width| width == network.width));
        if one_at_a_time {
            tracing::warn!(
                tower = network.card.name,
                "the tower takes a batch of 1 only: pictures run one by one, and slower; export it with a dynamic \
                 batch axis"
            );
        } else {
            network.largest_batch = options.largest_batch.get();
        }
        let golden = prove(&mut network, made)
            .map_err(|source| LoadError::Golden { path: path.to_owned(), source })?;

        let (card, width) = (network.card.clone(), network.width);
        let description = Description { card, digest, width, provider, one_at_a_time, golden };
        Ok(Self { network, description: Arc::new(description) })
    }

    /// What is known of it; shared, as it never changes.
    pub fn description(&self) -> &Arc<Description> {
        &self.description
    }

    /// What it says of itself.
    pub fn card(&self) -> &Card {
        &self.description.card
    }
}

impl Tower for OnnxTower {
    fn embed(&mut self, pictures: &[Pixels]) -> Result<Vec<Embedded>, TowerError> {
        self.network.embed(pictures)
    }
}

/// The session, and what one run of it needs.
struct Network {
    session: Session,
    card: Arc<Card>,
    /// The input of a run, kept so that a run allocates nothing for it.
    input: Vec<f32>,
    width: usize,
    largest_batch: usize,
}

impl Tower for Network {
    fn embed(&mut self, pictures: &[Pixels]) -> Result<Vec<Embedded>, TowerError> {
        let (card, width) = (self.card.clone(), self.width);
        let mut embedded = Vec::with_capacity(pictures.len());
        for batch in pictures.chunks(self.largest_batch) {
            self.run(batch, |shape, values| {
                if *shape != [as_dimension(batch.len()), as_dimension(width)] {
                    return Err(shape_error(batch.len(), width, shape));
                }
                embedded.extend(values.chunks_exact(width).map(|it| card.embedding(it)));
                Ok(())
            })?;
        }
        Ok(embedded)
    }
}

impl Network {
    fn probe_width(&mut self, pictures: &[Pixels]) -> Result<usize, TowerError> {
        self.run(pictures, |shape, values| {
            let width = values.len() / pictures.len();
            if 0 < width && *shape == [pictures.len(), width].map(as_dimension) {
                Ok(width)
            } else {
                Err(shape_error(pictures.len(), width, shape))
            }
        })
    }

    fn run<T>(
        &mut self,
        pictures: &[Pixels],
        read: impl FnOnce(&[i64], &[f32]) -> Result<T, TowerError>,
    ) -> Result<T, TowerError> {
        self.input.clear();
        for pixels in pictures {
            self.input.extend_from_slice(pixels.values());
        }
        let [channels, height, width] = self.card.preparation.shape();
        let shape = [pictures.len(), channels, height, width];
        let tensor = TensorRef::from_array_view((shape, self.input.as_slice()));
        let outputs = self
            .session
            .run(ort::inputs![tensor.map_err(TowerError::Run)?])
            .map_err(TowerError::Run)?;
        let (shape, values) = outputs[0].try_extract_tensor::<f32>().map_err(TowerError::Run)?;
        read(shape, values)
    }
}

/// Runs the golden pairs the tower carries, or takes the made pictures as it sees them now.
fn prove(network: &mut Network, made: Vec<Pixels>) -> Result<GoldenCheck, GoldenError> {
    match network.card.golden.clone() {
        Some(golden) => {
            let check = GoldenCheck::new(&golden, &network.card.preparation)?;
            check.run(network)?;
            Ok(check)
        }
        None => GoldenCheck::record(made, network),
    }
}

fn shape_error(pictures: usize, width: usize, found: &[i64]) -> TowerError {
    TowerError::Shape { pictures, width, found: found.to_vec() }
}

fn as_dimension(length: usize) -> i64 {
    i64::try_from(length).expect("a length fits a dimension")
}

fn digest(path: &Path) -> Result<String, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block).map_err(unreadable)? {
            0 => break,
            length => hasher.update(&block[..length]),
        }
    }
    let text = "sha256:".to_owned();
    Ok(hasher.finalize().iter().fold(text, |text, byte| text + &format!("{byte:02x}")))
}

fn open(path: &Path, options: &Options) -> Result<(Session, Provider), LoadError> {
    let environment = library::environment()?;
    let cpu = || {
        session(&environment, path, options, Provider::Cpu)
            .map(|it| (it, Provider::Cpu))
            .map_err(|source| LoadError::NoModel { path: path.to_owned(), source })
    };
    if options.device == Device::Cpu {
        return cpu();
    }
    match session(&environment, path, options, Provider::Cuda) {
        Ok(session) => Ok((session, Provider::Cuda)),
        Err(source) if options.device == Device::RequireGpu => {
            Err(LoadError::NoGpu { path: path.to_owned(), source })
        }
        Err(reason) => {
            let opened = cpu()?;
            tracing::warn!(
                reason = reason.message().lines().next(),
                "no GPU can be used, so the CPU runs the tower; device = \"cpu\" asks for that quietly"
            );
            Ok(opened)
        }
    }
}

fn session(
    environment: &Environment,
    path: &Path,
    options: &Options,
    provider: Provider,
) -> ort::Result<Session> {
    let threads = options.threads.or_else(|| std::thread::available_parallelism().ok());
    let mut builder = Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(threads.map_or(1, NonZeroUsize::get))?
        // A waiting tower leaves its cores to the decoders.
        .with_intra_op_spinning(false)?;
    if provider == Provider::Cuda {
        // Without these, a failure is silent, and every new shape stalls on an exhaustive search.
        let cuda = ep::CUDA::default()
            .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
            .build()
            .error_on_failure();
        builder = builder.with_execution_providers([cuda])?;
    }
    builder.commit_from_file(path)
}

/// The card in the file, or else in the sidecar beside it.
fn read_card(session: &Session, path: &Path) -> Result<Card, LoadError> {
    let stem = path.file_stem().map_or_else(String::new, |it| it.to_string_lossy().into_owned());
    let no_model = |source| LoadError::NoModel { path: path.to_owned(), source };
    let sidecar = path.with_extension("toml");

    let metadata = session.metadata().map_err(no_model)?;
    let keys = metadata.custom_keys().map_err(no_model)?;
    let ours: BTreeMap<String, String> = keys
        .iter()
        .filter_map(|key| Some((key.strip_prefix(PREFIX)?.to_owned(), metadata.custom(key)?)))
        .collect();

    match (ours.is_empty(), sidecar.is_file()) {
        (true, false) => Err(LoadError::NoCard { path: path.to_owned(), sidecar }),
        (false, true) => Err(LoadError::TwoCards { path: path.to_owned(), sidecar }),
        (false, false) => Card::parse(&ours, &stem)
            .map_err(|source| LoadError::Card { path: path.to_owned(), source }),
        (true, true) => {
            let text = std::fs::read_to_string(&sidecar)
                .map_err(|source| LoadError::Unreadable { path: sidecar.clone(), source })?;
            let table: toml::Table = toml::from_str(&text)
                .map_err(|source| LoadError::Sidecar { sidecar: sidecar.clone(), source })?;
            let values = table.into_iter().map(|(key, value)| (key, as_text(value))).collect();
            Card::parse(&values, &stem).map_err(|source| LoadError::Card { path: sidecar, source })
        }
    }
}

/// A sidecar's value as the text that metadata would hold.
fn as_text(value: toml::Value) -> String {
    match value {
        toml::Value::String(text) => text,
        toml::Value::Array(items) if items.iter().all(|it| it.is_float() || it.is_integer()) => {
            items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        }
        toml::Value::Table(_) | toml::Value::Array(_) => {
            serde_json::to_string(&value).expect("a TOML table has text keys")
        }
        other => other.to_string(),
    }
}

/// Tells whether the batch axis is dynamic.
fn check_input(session: &Session, card: &Card) -> Result<bool, String> {
    let [input] = session.inputs() else {
        return Err(format!("it has {} inputs, not 1", session.inputs().len()));
    };
    let ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } = input.dtype() else {
        return Err(format!("its input is {}, no tensor of f32", input.dtype()));
    };
    let [channels, height, width] = card.preparation.shape().map(as_dimension);
    let fits = |found: i64, expected: i64| found < 0 || found == expected;
    match **shape {
        [batch, c, h, w] if fits(c, channels) && fits(h, height) && fits(w, width) => match batch {
            ..=-1 => Ok(true),
            1 => Ok(false),
            _ => Err(format!("its batch is fixed at {batch}; export it with a dynamic batch axis")),
        },
        ref found => Err(format!(
            "its input has shape {found:?}, which its description makes [n, {channels}, {height}, {width}]"
        )),
    }
}

fn check_output(session: &Session) -> Result<(), String> {
    let [output] = session.outputs() else {
        return Err(format!("it has {} outputs, not 1", session.outputs().len()));
    };
    let ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } = output.dtype() else {
        return Err(format!("its output is {}, no tensor of f32", output.dtype()));
    };
    match shape.len() {
        2 => Ok(()),
        _ => Err(format!("its output has shape {:?}, not [n, width]", &**shape)),
    }
}

/// A made picture, different for each seed, as the tower reads it: a plain PNM through the usual path.
fn made_pixels(card: &Card, seed: u32) -> Result<Pixels, PictureError> {
    let Preparation { height, width, .. } = card.preparation;
    let mut upload = format!("P5 {width} {height} 255\n").into_bytes();
    let byte =
        |row: u32, column: u32| (row * (7 + 4 * seed) + column * (5 + 6 * seed)).to_le_bytes()[0];
    upload.extend((0..height).flat_map(|row| (0..width).map(move |column| byte(row, column))));
    card.preparation.prepare(&picture::decode(&upload, &Limits::default())?)
}
