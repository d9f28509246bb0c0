//! A tower on ONNX Runtime.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ort::session::Session;
use ort::value::{TensorElementType, TensorRef, ValueType};

use super::session::open;
use super::sizes::Sizes;
use super::{Options, Provider};
use crate::model::{
    Card, Description, Embedded, GoldenCheck, GoldenError, LoadError, Source, Tower, TowerError,
};
use crate::picture::{Limits, PictureError, Pixels, Preparation};

/// How long the files of a tower may take to be read again after a panic.
const READ_AGAIN: Duration = Duration::from_mins(1);

/// A tower loaded into an ONNX Runtime session.
pub struct OnnxTower {
    network: Network,
    description: Arc<Description>,
    path: PathBuf,
    options: Options,
}

impl OnnxTower {
    /// Reads a tower's files, and loads it.
    pub fn load(path: &Path, options: &Options) -> Result<Self, LoadError> {
        Self::open(&Source::read(path)?, options)
    }

    /// Loads a tower from its files as they were read, checks its shapes, and holds it to its golden pairs on the
    /// provider that will run it.
    pub fn open(source: &Source, options: &Options) -> Result<Self, LoadError> {
        let path = source.path();
        let card = Arc::new(source.card()?);
        let digest = source.digest(&card);
        let (session, provider) = open(source, options)?;
        let dynamic = check_input(&session, &card)
            .and_then(|dynamic| check_output(&session).map(|()| dynamic))
            .map_err(|why| LoadError::Shape { path: path.to_owned(), why })?;

        let made = [0, 1]
            .into_iter()
            .map(|seed| made_pixels(&card, seed))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| LoadError::Input { path: path.to_owned(), source })?;
        let sizes = Sizes::any(1);
        let mut network = Network { session, card, input: Vec::new(), width: 0, sizes };
        let failed = |source| LoadError::Run { path: path.to_owned(), source };
        network.width = network.probe_width(&made[..1]).map_err(failed)?;
        // An export may promise any batch and yet have baked one in: two pictures tell.
        let one_at_a_time =
            !(dynamic && network.probe_width(&made).is_ok_and(|width| width == network.width));
        if !one_at_a_time {
            let largest = options.largest_batch.get();
            network.sizes = match provider {
                Provider::Cpu => Sizes::any(largest),
                Provider::Cuda => Sizes::few(largest),
            };
            network.warm(&made[0]).map_err(failed)?;
        }
        let golden = prove(&mut network, made)
            .map_err(|source| LoadError::Golden { path: path.to_owned(), source })?;

        let (card, width) = (network.card.clone(), network.width);
        let description = Description { card, digest, width, provider, one_at_a_time, golden };
        let description = Arc::new(description);
        Ok(Self { network, description, path: path.to_owned(), options: *options })
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

/// The session, and what one run of it needs.
struct Network {
    session: Session,
    card: Arc<Card>,
    /// The input of a run of several, kept so that a run allocates nothing for it.
    input: Vec<f32>,
    width: usize,
    sizes: Sizes,
}

impl Network {
    fn embed(&mut self, pictures: &[Pixels]) -> Result<Vec<Embedded>, TowerError> {
        let (card, width) = (self.card.clone(), self.width);
        let mut embedded = Vec::with_capacity(pictures.len());
        for batch in pictures.chunks(self.sizes.largest()) {
            let size = self.sizes.of(batch.len());
            self.run(batch, size, |shape, values| {
                if *shape != [size, width].map(as_dimension) {
                    return Err(shape_error(size, width, shape));
                }
                let rows = values.chunks_exact(width).take(batch.len());
                embedded.extend(rows.map(|it| card.embedding(it)));
                Ok(())
            })?;
        }
        Ok(embedded)
    }

    fn probe_width(&mut self, pictures: &[Pixels]) -> Result<usize, TowerError> {
        self.run(pictures, pictures.len(), |shape, values| {
            let width = values.len() / pictures.len();
            if 0 < width && *shape == [pictures.len(), width].map(as_dimension) {
                Ok(width)
            } else {
                Err(shape_error(pictures.len(), width, shape))
            }
        })
    }

    /// Runs each size once, so that no request waits for its plans.
    fn warm(&mut self, picture: &Pixels) -> Result<(), TowerError> {
        for size in self.sizes.to_warm() {
            self.embed(&vec![picture.clone(); size])?;
        }
        Ok(())
    }

    /// Runs pictures and, up to `size`, nothing beside them.
    fn run<T>(
        &mut self,
        pictures: &[Pixels],
        size: usize,
        read: impl FnOnce(&[i64], &[f32]) -> Result<T, TowerError>,
    ) -> Result<T, TowerError> {
        let [channels, height, width] = self.card.preparation.shape();
        let shape = [size, channels, height, width];
        let input = match pictures {
            [alone] if size == 1 => alone.values(),
            _ => {
                self.input.clear();
                for pixels in pictures {
                    self.input.extend_from_slice(pixels.values());
                }
                self.input.resize(shape.iter().product(), 0.0);
                &self.input
            }
        };
        let tensor = TensorRef::from_array_view((shape, input));
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
            check.run(|pictures| network.embed(pictures))?;
            Ok(check)
        }
        None => GoldenCheck::record(made, |pictures| network.embed(pictures)),
    }
}

fn shape_error(pictures: usize, width: usize, found: &[i64]) -> TowerError {
    TowerError::Shape { pictures, width, found: found.to_vec() }
}

fn as_dimension(length: usize) -> i64 {
    i64::try_from(length).expect("a length fits a dimension")
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
    card.preparation.prepare(&upload, &Limits::default())
}

#[cfg(test)]
mod tests {
    use super::super::Device;
    use super::*;

    #[test]
    fn a_run_that_is_filled_up_gives_what_one_of_its_own_size_gives() {
        let shipped = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/faces.onnx"));
        let options = Options { device: Device::Cpu, ..Options::default() };
        let mut network = OnnxTower::load(shipped, &options).expect("a tower").network;
        let card = network.card.clone();
        let pictures: Vec<Pixels> =
            (0..11).map(|seed| made_pixels(&card, seed).expect("pixels")).collect();
        for pictures in [&pictures[..], &pictures[..1], &pictures[..5]] {
            network.sizes = Sizes::any(8);
            let own = network.embed(pictures).expect("a run");
            network.sizes = Sizes::few(8);
            let filled = network.embed(pictures).expect("a run");
            assert_eq!(own.len(), filled.len());
            for (own, filled) in own.iter().zip(&filled) {
                let [own, filled] = [own, filled].map(|it| it.as_ref().expect("finite"));
                assert!(own.distance(filled).get() < 1e-5);
            }
        }
    }
}
