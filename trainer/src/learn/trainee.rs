//! The weights under training, and the training step.

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::batch::{Supplied, Supply};
use super::checkpoint::{RunFolder, State};
use super::loss::{self, Classifier, contrastive, multi_similarity, triplet};
use super::{Batch, Examples, cells, measure};
use crate::config::{Config, LossKind, Optimizer};
use crate::network::{Dropout, Network, unit_rows};

/// All weights that are trained.
#[derive(Module, Debug)]
pub struct Trainee {
    /// The network, which becomes the model.
    pub network: Network,
    /// The classifier, which is removed after training.
    pub classifier: Option<Classifier>,
}

/// A training run in progress.
pub struct Learning<'a> {
    config: &'a Config,
    supply: Supply<'a>,
    /// The batch of the next step, if it is ready.
    next: Option<Supplied>,
    waited: Duration,
    device: Device,
    trainee: Trainee,
    optimizer: ModuleOptimizer,
    step: u32,
    steps: u32,
}

impl<'a> Learning<'a> {
    /// Starts a run on the CPU.
    pub fn new(config: &'a Config, examples: impl Into<Examples<'a>>) -> Self {
        Self::on(&Device::flex(), config, examples)
    }

    /// Starts a run on a device.
    pub fn on(device: &Device, config: &'a Config, examples: impl Into<Examples<'a>>) -> Self {
        let examples = examples.into();
        let device = device.clone().autodiff();
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        let shape = config.shape();
        let supply = Supply::new(config, examples);
        let mut network = config.network.init(shape, &mut random, &device);
        if let Some(whitening) = config.whitening {
            whitening.apply(&mut network, &supply, shape, &mut random, &device);
        }
        let classifier = match examples {
            Examples::Images(gallery) if config.loss.needs_classifier() => {
                let (width, unit) = (config.network.width(), config.network.unit());
                let n_identities = gallery.identities().len();
                Some(Classifier::new(n_identities, width, unit, &mut random, &device))
            }
            _ => None,
        };
        if let (Network::Cells(network), Examples::Cells(tiles)) = (&mut network, examples) {
            let maps = cells::first_maps(tiles, shape);
            network.standardise(Tensor::from_data(maps, &device));
        }
        let optimizer = AdamWConfig::new()
            .with_weight_decay(config.optimizer.weight_decay)
            .with_epsilon(config.optimizer.epsilon)
            .init();
        Self {
            config,
            supply,
            next: None,
            waited: Duration::ZERO,
            device,
            trainee: Trainee { network, classifier },
            optimizer,
            step: 0,
            steps: config.steps(examples.len()),
        }
    }

    /// Returns the number of completed steps.
    pub fn step(&self) -> u32 {
        self.step
    }

    /// Returns the number of steps of the run.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Returns the learning rate of the step after `step` completed ones.
    pub fn rate(&self, step: u32) -> f64 {
        let Optimizer { rate, schedule, .. } = &self.config.optimizer;
        rate * schedule.share(step, self.steps)
    }

    /// Runs one step, and returns its main loss.
    ///
    /// All random numbers of a step depend only on the seed of the run and the number of the step. A resumed run therefore
    /// gives the same result. The batch of the next step is made at the same time.
    pub fn advance(&mut self) -> f64 {
        let supplied = match self.next.take() {
            Some(supplied) if supplied.step == self.step => supplied,
            _ => self.supply.make(self.step),
        };
        let next_step = self.step + 1;
        let supply = self.supply.clone();
        let (loss, next) = thread::scope(|scope| {
            let worker =
                (next_step < self.steps).then(|| scope.spawn(move || supply.make(next_step)));
            let loss = self.learn(supplied);
            let start = Instant::now();
            let next =
                worker.map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
            self.waited += start.elapsed();
            (loss, next)
        });
        self.next = next;
        self.step = next_step;
        loss
    }

    /// Returns the time that steps have waited for batches, without the first batch.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    fn learn(&mut self, supplied: Supplied) -> f64 {
        let Supplied { batch, pixels, count, mut random, .. } = supplied;
        let [channels, height, width] = self.config.shape();
        let pixels = TensorData::new(pixels, [count, channels, height, width]);
        let mut dropout = Dropout::on(&mut random);
        let images = Tensor::from_data(pixels, &self.device);
        let mut embeddings = self.trainee.network.forward(images, &mut dropout);
        if self.config.network.unit() {
            embeddings = unit_rows(embeddings);
        }
        let (main, total) = self.loss(&embeddings, &batch);
        let gradients = GradientsParams::from_grads(total.backward(), &self.trainee);
        self.trainee = self.optimizer.step(self.rate(self.step), self.trainee.clone(), gradients);
        f64::from(main.into_scalar::<f32>())
    }

    /// Computes the main loss, and the total loss that is minimised.
    fn loss(&self, embeddings: &Tensor<2>, batch: &Batch) -> (Tensor<1>, Tensor<1>) {
        let config = &self.config.loss;
        let classifier = self.trainee.classifier.as_ref();
        let label_loss =
            classifier.map(|classifier| classifier.loss(embeddings, &batch.identities, config));
        let main = match config.kind {
            LossKind::Contrastive => contrastive(embeddings, &batch.pairs, config.margin),
            LossKind::Triplet => triplet(embeddings, &batch.triplets, config.margin),
            LossKind::MultiSimilarity => multi_similarity(embeddings, &batch.identities),
            LossKind::Cells => loss::cells(embeddings, &batch.cells, config.margin),
            LossKind::Softmax => {
                let loss = label_loss.expect("a softmax run has a classifier");
                return (loss.clone(), loss);
            }
        };
        let total = match label_loss {
            Some(loss) => main.clone() + loss.mul_scalar(config.classifier_weight),
            None => main.clone(),
        };
        (main, total)
    }

    /// Returns the current weights.
    pub fn trainee(&self) -> &Trainee {
        &self.trainee
    }

    /// Saves a checkpoint.
    pub fn save(&self, folder: &RunFolder, state: State) -> anyhow::Result<()> {
        folder.save(state, &self.trainee, &self.optimizer)
    }

    /// Loads a checkpoint.
    pub fn load(&mut self, folder: &RunFolder, state: State) -> anyhow::Result<()> {
        let (trainee, optimizer) = (self.trainee.clone(), self.optimizer.clone());
        (self.trainee, self.optimizer) = folder.load(state, trainee, optimizer)?;
        self.step = state.step;
        Ok(())
    }

    /// Loads the best weights.
    pub fn load_best(&mut self, folder: &RunFolder, step: u32) -> anyhow::Result<()> {
        self.trainee = folder.load_best(step, self.trainee.clone())?;
        Ok(())
    }

    /// Returns the current network in evaluation mode.
    pub fn network(&self) -> Network {
        self.trainee.network.valid()
    }

    /// Measures the equal error rate on all pairs of images, or on cells, in [0, 1].
    ///
    /// # Errors
    ///
    /// If outputs are not finite; see [`measure`].
    pub fn eer<'b>(&self, examples: impl Into<Examples<'b>>) -> anyhow::Result<f64> {
        let shape = self.config.shape();
        let device = self.device.clone().inner();
        let network = self.network();
        let scores = match examples.into() {
            Examples::Images(gallery) => {
                measure(&network, self.config.network.unit(), gallery, shape, &device)?
            }
            Examples::Cells(tiles) => cells::scores(&network, tiles, shape, &device)?,
        };
        Ok(scores.eer())
    }
}
