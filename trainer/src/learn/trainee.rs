//! What is trained, and one step of it.

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use burn::module::{Module, Param};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::batch::{Supplied, Supply};
use super::checkpoint::{RunFolder, State};
use super::loss::{Classifier, contrastive, multi_similarity, triplet};
use super::{Batch, measure};
use crate::config::{Config, LossKind, Whitening};
use crate::data::Gallery;
use crate::network::{Dropout, Network, Wavelet, unit_rows};

/// All weights that training adjusts.
#[derive(Module, Debug)]
pub struct Trainee {
    /// What becomes the model.
    pub network: Network,
    /// What is cut off in the end.
    pub classifier: Option<Classifier>,
}

/// A run at some step.
pub struct Learning<'a> {
    config: &'a Config,
    supply: Supply<'a>,
    /// What the next step sees, if it is ready.
    ahead: Option<Supplied>,
    waited: Duration,
    device: Device,
    trainee: Trainee,
    optimizer: ModuleOptimizer,
    step: u32,
    steps: u32,
}

impl<'a> Learning<'a> {
    /// A run before its first step, on the CPU.
    pub fn new(config: &'a Config, gallery: &'a Gallery) -> Self {
        Self::on(&Device::flex(), config, gallery)
    }

    /// A run before its first step, on a device.
    pub fn on(device: &Device, config: &'a Config, gallery: &'a Gallery) -> Self {
        let device = device.clone().autodiff();
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        let shape = config.preprocessing().shape();
        let supply = Supply::new(config, gallery);
        let mut network = config.network.init(shape, &mut random, &device);
        if let (Network::Wavelet(network), Some(whitening)) = (&mut network, config.whitening) {
            whiten(network, whitening, &supply, shape, &mut random, &device);
        }
        let classifier = config.loss.needs_classifier().then(|| {
            let (width, unit) = (config.network.width(), config.network.unit());
            Classifier::new(gallery.identities().len(), width, unit, &mut random, &device)
        });
        let optimizer = AdamWConfig::new()
            .with_weight_decay(config.optimizer.weight_decay)
            .with_epsilon(config.optimizer.epsilon)
            .init();
        Self {
            config,
            supply,
            ahead: None,
            waited: Duration::ZERO,
            device,
            trainee: Trainee { network, classifier },
            optimizer,
            step: 0,
            steps: config.steps(gallery.samples().len()),
        }
    }

    /// How many steps are done.
    pub fn step(&self) -> u32 {
        self.step
    }

    /// How many steps the run has.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Does one step, and gives its main loss.
    ///
    /// All chance in it is drawn from the run's seed and the step's number, so that a resumed run
    /// goes on as one that was never stopped. The next step's batch is made ready meanwhile.
    pub fn advance(&mut self) -> f64 {
        let supplied = match self.ahead.take() {
            Some(supplied) if supplied.step == self.step => supplied,
            _ => self.supply.make(self.step),
        };
        let next = self.step + 1;
        let supply = self.supply.clone();
        let (loss, ahead) = thread::scope(|scope| {
            let ahead = (next < self.steps).then(|| scope.spawn(move || supply.make(next)));
            let loss = self.learn(supplied);
            let start = Instant::now();
            let ahead = ahead.map(|it| it.join().unwrap_or_else(|panic| resume_unwind(panic)));
            self.waited += start.elapsed();
            (loss, ahead)
        });
        self.ahead = ahead;
        self.step = next;
        loss
    }

    /// How long steps have waited for batches so far, the first one's aside.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    fn learn(&mut self, supplied: Supplied) -> f64 {
        let Supplied { batch, pixels, mut random, .. } = supplied;
        let [channels, height, width] = self.config.preprocessing().shape();
        let pixels = TensorData::new(pixels, [batch.images.len(), channels, height, width]);
        let mut dropout = Dropout::on(&mut random);
        let images = Tensor::from_data(pixels, &self.device);
        let mut embeddings = self.trainee.network.forward(images, &mut dropout);
        if self.config.network.unit() {
            embeddings = unit_rows(embeddings);
        }
        let (main, total) = self.loss(&embeddings, &batch);
        let gradients = GradientsParams::from_grads(total.backward(), &self.trainee);
        let share = self.config.optimizer.schedule.share(self.step, self.steps);
        let rate = self.config.optimizer.rate * share;
        self.trainee = self.optimizer.step(rate, self.trainee.clone(), gradients);
        f64::from(main.into_scalar::<f32>())
    }

    /// The main loss, and what is minimised.
    fn loss(&self, embeddings: &Tensor<2>, batch: &Batch) -> (Tensor<1>, Tensor<1>) {
        let config = &self.config.loss;
        let classified = self
            .trainee
            .classifier
            .as_ref()
            .map(|it| it.loss(embeddings, &batch.identities, config));
        let main = match config.kind {
            LossKind::Contrastive => contrastive(embeddings, &batch.pairs, config.margin),
            LossKind::Triplet => triplet(embeddings, &batch.triplets, config.margin),
            LossKind::MultiSimilarity => multi_similarity(embeddings, &batch.identities),
            LossKind::Softmax => {
                let loss = classified.expect("a softmax run has a classifier");
                return (loss.clone(), loss);
            }
        };
        let total = match classified {
            Some(loss) => main.clone() + loss.mul_scalar(config.classifier_weight),
            None => main.clone(),
        };
        (main, total)
    }

    /// All weights as they are now.
    pub fn trainee(&self) -> &Trainee {
        &self.trainee
    }

    /// Saves the run as it stands.
    pub fn save(&self, folder: &RunFolder, state: State) -> anyhow::Result<()> {
        folder.save(state, &self.trainee, &self.optimizer)
    }

    /// Goes on where a saved run stands.
    pub fn load(&mut self, folder: &RunFolder, state: State) -> anyhow::Result<()> {
        let (trainee, optimizer) = (self.trainee.clone(), self.optimizer.clone());
        (self.trainee, self.optimizer) = folder.load(state, trainee, optimizer)?;
        self.step = state.step;
        Ok(())
    }

    /// Takes the weights that were kept as the best.
    pub fn load_best(&mut self, folder: &RunFolder, step: u32) -> anyhow::Result<()> {
        self.trainee = folder.load_best(step, self.trainee.clone())?;
        Ok(())
    }

    /// The network as it is now, in evaluation.
    pub fn network(&self) -> Network {
        self.trainee.network.valid()
    }

    /// The equal error rate on all pairs of a gallery, in [0, 1].
    ///
    /// # Errors
    ///
    /// As [`measure`].
    pub fn eer(&self, gallery: &Gallery) -> anyhow::Result<f64> {
        let shape = self.config.preprocessing().shape();
        let device = self.device.clone().inner();
        Ok(measure(&self.network(), self.config.network.unit(), gallery, shape, &device)?.eer())
    }
}

/// How many images' features are found at once.
const CHUNK: usize = 64;

/// Makes a network's linear layer of what it finds in all images and variations of them.
fn whiten(
    network: &mut Wavelet,
    whitening: Whitening,
    supply: &Supply,
    [channels, height, width]: [usize; 3],
    random: &mut ChaCha8Rng,
    device: &Device,
) {
    let (images, identities) = supply.all(whitening.variations, random);
    let evaluation = device.clone().inner();
    let found = images.chunks(CHUNK).flat_map(|chunk| {
        let values = TensorData::new(chunk.concat(), [chunk.len(), channels, height, width]);
        let features = network.features(Tensor::from_data(values, &evaluation));
        let [_, n_features] = features.dims();
        let values = features.into_data().try_to_vec::<f32>();
        let values = values.expect("networks are in single precision");
        values.chunks_exact(n_features).map(<[f32]>::to_vec).collect::<Vec<_>>()
    });
    let mut found: Vec<_> = found.collect();
    let [n_features, n_coordinates] = network.head.weight.dims();
    let mirrored = network.mirrored();
    if let Some(places) = mirrored {
        for row in &mut found {
            *row = averaged(row, places, 1);
        }
    }
    let mut layer = whitening.fit(&found, &identities, n_coordinates);
    if let Some(places) = mirrored {
        // To average what is found is linear, and so becomes a part of the layer.
        layer.weights = averaged(&layer.weights, places, n_coordinates);
    }
    let weights = TensorData::new(layer.weights, [n_features, n_coordinates]);
    let bias = TensorData::new(layer.bias, [n_coordinates]);
    network.head.weight = Param::from_tensor(Tensor::from_data(weights, device));
    network.head.bias = Some(Param::from_tensor(Tensor::from_data(bias, device)));
}

/// The mean of each row of `width` values and the one that `places` names for it.
fn averaged(values: &[f32], places: &[usize], width: usize) -> Vec<f32> {
    let rows: Vec<_> = values.chunks_exact(width).collect();
    let pairs = rows.iter().zip(places).flat_map(|(row, place)| row.iter().zip(rows[*place]));
    pairs.map(|(one, other)| 0.5 * (one + other)).collect()
}
