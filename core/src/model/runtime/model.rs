//! A model on ONNX Runtime.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ort::session::Session;
use ort::value::{TensorElementType, ValueType};

use super::mapper::Mapper;
use super::network::Network;
use super::session::open;
use super::sizes::Sizes;
use super::{Options, Provider, synthetic};
use crate::model::{
    Card, Description, EMBEDDING, Embedded, GoldenCheck, GoldenError, Length, LoadError, Mapped,
    Model, ModelError, Source, one_place,
};
use crate::preprocessing::Pixels;
use crate::score::Familiarity;

/// The time limit for reading the model's files again after a panic.
const READ_AGAIN: Duration = Duration::from_mins(1);

/// A model loaded into an ONNX Runtime session.
pub struct OnnxModel {
    embedder: Embedder,
    mapper: Option<Mapper>,
    description: Arc<Description>,
    path: PathBuf,
    options: Options,
}

impl OnnxModel {
    /// Reads a model's files and loads the model.
    pub fn load(path: &Path, options: &Options) -> Result<Self, LoadError> {
        Self::open(&Source::read(path)?, options)
    }

    /// Loads a model from files already read. Checks its shapes, its golden pairs on the provider that will run it, and
    /// that it does not map everything to one point.
    pub fn open(source: &Source, options: &Options) -> Result<Self, LoadError> {
        let path = source.path();
        let card = Arc::new(source.card()?);
        let digest = source.digest(&card);
        let (session, provider) = open(path, &source.embedding_alone()?, options)?;
        let network = Network::new(session, &card.preprocessing)
            .and_then(|network| check_output(network.session()).map(|()| network))
            .map_err(|why| LoadError::Shape { path: path.to_owned(), why })?;

        let unsuitable = |source| LoadError::Input { path: path.to_owned(), source };
        let synthetic = (0..2)
            .map(|seed| synthetic::waves(&card.preprocessing, seed))
            .collect::<Result<Vec<_>, _>>()
            .map_err(unsuitable)?;
        let mut embedder = Embedder { network, card, width: 0 };
        let failed = |source| LoadError::Run { path: path.to_owned(), source };
        embedder.width = embedder.probe_width(&synthetic[..1]).map_err(failed)?;
        // An export may declare any batch size and still contain a fixed one: a run of two images shows it.
        let one_at_a_time = !(embedder.network.is_dynamic()
            && embedder.probe_width(&synthetic).is_ok_and(|width| width == embedder.width));
        if !one_at_a_time {
            let largest = options.max_batch.get();
            embedder.network.sizes = match provider {
                Provider::Cpu => Sizes::any(largest),
                Provider::Cuda => Sizes::few(largest),
            };
            embedder.warm(&synthetic[0]).map_err(failed)?;
        }
        if embedder.width == 1 && embedder.card.length == Length::Unit {
            let why = "its output is one number for each image, which is always 1 or -1 at unit length: export the \
                       layer before it, or use it as-is (embedding)";
            return Err(LoadError::Shape { path: path.to_owned(), why: why.to_owned() });
        }
        let (golden, found) = check_golden(&mut embedder, synthetic).map_err(|err| match err {
            GoldenError::Embedding(_, source) => {
                LoadError::Output { path: path.to_owned(), source }
            }
            source => LoadError::Golden { path: path.to_owned(), source },
        })?;
        // The varied images run only if the golden ones do not show that the model tells images apart.
        if !synthetic::differ(&found) {
            let varied = synthetic::varied(&embedder.card.preprocessing).map_err(unsuitable)?;
            if !synthetic::differ(&embedder.embed(&varied).map_err(failed)?) {
                return Err(LoadError::Collapsed { path: path.to_owned() });
            }
        }

        let (card, width) = (embedder.card.clone(), embedder.width);
        if let Some(described) = card.familiarity.as_ref().map(Familiarity::width)
            && described != width
        {
            let why = format!(
                "its card describes images by embeddings of {described} numbers, but its output has {width}: calibrate it \
                 again"
            );
            return Err(LoadError::Shape { path: path.to_owned(), why });
        }
        let preprocessor = source
            .preprocessor(&card)
            .map_err(|source| LoadError::Detector { path: path.to_owned(), source })?;
        let mapper = Mapper::open(source, &card, options, embedder.network.sizes)?;
        let map = mapper.as_ref().map(Mapper::places);
        let description =
            Description { card, preprocessor, digest, width, map, provider, one_at_a_time, golden };
        let description = Arc::new(description);
        Ok(Self { embedder, mapper, description, path: path.to_owned(), options: *options })
    }

    /// The model's description; shared, because it never changes.
    pub fn description(&self) -> &Arc<Description> {
        &self.description
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.description.card
    }
}

impl Model for OnnxModel {
    fn embed(&mut self, images: &[Pixels]) -> Result<Vec<Embedded>, ModelError> {
        self.embedder.embed(images)
    }

    fn map(&mut self, images: &[Pixels]) -> Result<Vec<Mapped>, ModelError> {
        match &mut self.mapper {
            Some(mapper) => mapper.map(images),
            None => Ok(self.embed(images)?.into_iter().map(one_place).collect()),
        }
    }

    fn renew(&mut self) -> Result<(), LoadError> {
        let (_, source) = Source::read_within(&self.path, READ_AGAIN);
        let fresh = Self::open(&source?, &self.options)?;
        if fresh.description.digest != self.description.digest {
            return Err(LoadError::Changed { path: fresh.path });
        }
        *self = fresh;
        Ok(())
    }
}

/// A session whose output is the embedding.
struct Embedder {
    network: Network,
    card: Arc<Card>,
    width: usize,
}

impl Embedder {
    fn embed(&mut self, images: &[Pixels]) -> Result<Vec<Embedded>, ModelError> {
        let Self { network, card, width } = self;
        let width = *width;
        let mut embedded = Vec::with_capacity(images.len());
        network.run_all(images, |images, size, shape, values| {
            if *shape != [size, width].map(as_dimension) {
                return Err(shape_error(size, width, shape));
            }
            let rows = values.chunks_exact(width).take(images);
            embedded.extend(rows.map(|row| card.embedding(row)));
            Ok(())
        })?;
        Ok(embedded)
    }

    fn probe_width(&mut self, images: &[Pixels]) -> Result<usize, ModelError> {
        self.network.run(images, images.len(), |shape, values| {
            let width = values.len() / images.len();
            if 0 < width && *shape == [images.len(), width].map(as_dimension) {
                Ok(width)
            } else {
                Err(shape_error(images.len(), width, shape))
            }
        })
    }

    /// Runs each size once, so that no request waits for the provider's plans.
    fn warm(&mut self, image: &Pixels) -> Result<(), ModelError> {
        for size in self.network.sizes.to_warm() {
            self.embed(&vec![image.clone(); size])?;
        }
        Ok(())
    }
}

/// Checks the golden pairs that the model carries. If it carries none, records the distance of the synthetic images. Also
/// returns the embeddings of the images.
fn check_golden(
    embedder: &mut Embedder,
    synthetic: Vec<Pixels>,
) -> Result<(GoldenCheck, Vec<Embedded>), GoldenError> {
    let Some(golden) = &embedder.card.golden else {
        let found = embedder.embed(&synthetic).map_err(GoldenError::Model)?;
        return Ok((GoldenCheck::record(synthetic, &found)?, found));
    };
    let check = GoldenCheck::new(golden, &embedder.card.preprocessing)?;
    let found = embedder.embed(check.pixels()).map_err(GoldenError::Model)?;
    check.check(&found)?;
    Ok((check, found))
}

fn shape_error(images: usize, width: usize, found: &[i64]) -> ModelError {
    ModelError::Shape { images, width, found: found.to_vec() }
}

fn as_dimension(length: usize) -> i64 {
    i64::try_from(length).expect("a length fits a dimension")
}

fn check_output(session: &Session) -> Result<(), String> {
    use TensorElementType::{Bfloat16, Float16, Float64};
    let [output] = session.outputs() else {
        return Err(format!(
            "it has {} outputs: name the one to use `{EMBEDDING}`, or export it alone",
            session.outputs().len()
        ));
    };
    let ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } = output.dtype() else {
        let advice = match output.dtype() {
            ValueType::Tensor { ty: Float16 | Bfloat16 | Float64, .. } => {
                "export it in single precision"
            }
            _ => "if these are classes, export the layer before them",
        };
        return Err(format!("its output is {}, not a tensor of f32: {advice}", output.dtype()));
    };
    match **shape {
        [_, _] => Ok(()),
        [_] => Err("its output is one number for each image, such as a score, and not an embedding: export the layer \
                    before it"
            .to_owned()),
        ref found => Err(format!("its output has shape {found:?}, not [n, width]: flatten it")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Device;
    use super::*;

    #[test]
    fn a_padded_run_gives_the_same_embeddings_as_a_run_without_padding() {
        let shipped = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/orl.onnx"));
        let options = Options { device: Device::Cpu, ..Options::default() };
        let mut embedder = OnnxModel::load(shipped, &options).expect("a model").embedder;
        let card = embedder.card.clone();
        let images: Vec<Pixels> = (0..11)
            .map(|seed| synthetic::waves(&card.preprocessing, seed).expect("pixels"))
            .collect();
        for images in [&images[..], &images[..1], &images[..5]] {
            embedder.network.sizes = Sizes::any(8);
            let exact = embedder.embed(images).expect("a run");
            embedder.network.sizes = Sizes::few(8);
            let padded = embedder.embed(images).expect("a run");
            assert_eq!(exact.len(), padded.len());
            for (exact, padded) in exact.iter().zip(&padded) {
                let [exact, padded] =
                    [exact, padded].map(|result| result.as_ref().expect("finite"));
                assert!(exact.distance(padded).get() < 1e-5);
            }
        }
    }
}
