//! What is trained, and one step of it.

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::batch::Members;
use super::checkpoint::{RunFolder, State};
use super::{Batch, measure};
use crate::config::Config;
use crate::data::Gallery;
use crate::loss::{Classifier, LossKind, contrastive, triplet};
use crate::network::{Dropout, Network, unit_rows};

/// All weights that training adjusts.
#[derive(Module, Debug)]
pub struct Trainee {
    /// What becomes the tower.
    pub network: Network,
    /// What is cut off in the end.
    pub classifier: Option<Classifier>,
}

/// A run at some step.
pub struct Learning<'a> {
    config: &'a Config,
    gallery: &'a Gallery,
    members: Members,
    device: Device,
    trainee: Trainee,
    optimizer: ModuleOptimizer,
    step: u32,
    steps: u32,
}

impl<'a> Learning<'a> {
    /// A run before its first step.
    pub fn new(config: &'a Config, gallery: &'a Gallery) -> Self {
        let device = Device::flex().autodiff();
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        let shape = config.preparation().shape();
        let network = config.network.init(shape, &mut random, &device);
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
            gallery,
            members: Members::new(gallery),
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
    /// goes on as one that was never stopped.
    pub fn advance(&mut self) -> f64 {
        let mut random = ChaCha8Rng::seed_from_u64(self.config.seed);
        // Stream 0 drew the first weights.
        random.set_stream(u64::from(self.step) + 1);
        let batch = self.config.sampling.draw(self.config.loss.kind, &self.members, &mut random);
        let pictures = self.pictures(&batch, &mut random);
        let mut dropout = Dropout::on(&mut random);
        let mut embeddings = self.trainee.network.forward(pictures, &mut dropout);
        if self.config.network.unit() {
            embeddings = unit_rows(embeddings);
        }
        let (main, total) = self.loss(&embeddings, &batch);
        let gradients = GradientsParams::from_grads(total.backward(), &self.trainee);
        let share = self.config.optimizer.schedule.share(self.step, self.steps);
        let rate = self.config.optimizer.rate * share;
        self.trainee = self.optimizer.step(rate, self.trainee.clone(), gradients);
        self.step += 1;
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

    /// A batch's pictures, varied.
    fn pictures(&self, batch: &Batch, random: &mut ChaCha8Rng) -> Tensor<4> {
        let shape = self.config.preparation().shape();
        let mut values = Vec::with_capacity(batch.pictures.len() * shape.iter().product::<usize>());
        for picture in &batch.pictures {
            let pixels = self.gallery.samples()[*picture].pixels.values();
            values.extend(self.config.augmentation.apply(pixels, shape, random));
        }
        let [channels, height, width] = shape;
        let values = TensorData::new(values, [batch.pictures.len(), channels, height, width]);
        Tensor::from_data(values, &self.device)
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
        let shape = self.config.preparation().shape();
        let device = self.device.clone().inner();
        Ok(measure(&self.network(), self.config.network.unit(), gallery, shape, &device)?.eer())
    }
}
