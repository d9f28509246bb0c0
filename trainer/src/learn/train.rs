//! A training run: steps, measurements, checkpoints and early stopping.

use std::path::Path;

use anyhow::Context;
use burn::module::Module;
use burn::tensor::Device;

use super::checkpoint::{Best, RunFolder, State};
use super::history::History;
use super::progress::{Measured, Progress};
use super::tensorboard::Events;
use super::{Examples, Learning, loss};
use crate::config::{Config, LossKind};
use crate::network::Network;

/// The largest number of training images that are measured without a hold-out set.
const MAX_MEASURED: usize = 400;
/// A run whose loss ends above this share of the floor has learned nothing, unless its EER is below [`CHANCE`].
const NO_LEARNING: f64 = 0.95;
/// An EER that is about as good as chance, which is 0.5.
const CHANCE: f64 = 0.4;
/// The number of entries in a history, in addition to those of measurements.
const ENTRIES: u32 = 200;
/// The reason why a network without a training gives no embedding.
const NO_FEATURES: &str = "all images have the same features: use images that differ";
/// The advice for a network whose outputs are not finite.
const DIVERGED: &str = "the training diverged: try a smaller --rate";

/// The result of a run.
#[derive(Debug)]
pub struct Trained {
    /// The kept network, in evaluation mode and on the CPU.
    pub network: Network,
    /// The number of completed steps.
    pub steps: u32,
    /// The number of steps of the kept network.
    pub kept: u32,
    /// The mean main loss before the last measurement; `None` if a finished run was resumed.
    pub loss: Option<f64>,
    /// The EER of the kept network on the hold-out set, or else on training images, in [0, 1].
    pub eer: f64,
}

/// A running mean of losses.
#[derive(Clone, Copy, Debug, Default)]
struct RunningMean {
    sum: f64,
    count: u32,
}

impl RunningMean {
    fn add(&mut self, loss: f64) -> f64 {
        self.sum += loss;
        self.count += 1;
        self.mean()
    }

    fn mean(self) -> f64 {
        self.sum / f64::from(self.count.max(1))
    }
}

/// Trains to the last step, or until the EER on the hold-out set no longer improves.
///
/// The run is saved at least once per epoch. Saving does not change the result. If there is a folder for `tensorboard`,
/// the scalars `loss`, `eer` and `rate` are also written there.
///
/// # Errors
///
/// If the folder cannot be written, or the outputs of the network are not finite.
pub fn train(
    config: &Config,
    training: Examples<'_>,
    held_out: Option<Examples<'_>>,
    device: &Device,
    folder: &RunFolder,
    resume: bool,
    tensorboard: Option<&Path>,
) -> anyhow::Result<Trained> {
    let gallery = training.images();
    let forms = gallery.map(|gallery| gallery.in_all_forms(config.symmetry, config.shape()));
    let excerpt = gallery.map(|gallery| gallery.excerpt(MAX_MEASURED));
    let in_all_forms = forms.as_deref().map_or(training, Examples::Images);
    let mut learning = Learning::on(device, config, in_all_forms);
    let mut state = State::default();
    if resume {
        state = folder.state()?;
        if 0 < state.step {
            learning.load(folder, state)?;
        }
    }
    let measured = held_out.or(excerpt.as_ref().map(Examples::Images)).unwrap_or(training);
    let measured_on = Measured::of(measured, held_out.is_some());
    // The best network of cells is kept, even if the run is not to stop early.
    let keeps_best = matches!(training, Examples::Cells(_)).then_some(u32::MAX);
    let patience = config.watch.patience.or(keeps_best).filter(|_| held_out.is_some());
    let mut progress = Progress::new(config, measured_on, learning.step(), learning.steps());
    let mut history = History::open(folder, learning.step())?;
    let mut events = Events::create(tensorboard, learning.step())?;
    progress.draw_curves(history.entries());
    let mut since_measurement = RunningMean::default();
    let mut since_entry = RunningMean::default();
    let mut last = None;
    let mut eer = None;
    let stopped = |state: State| {
        patience.zip(state.best).is_some_and(|(patience, best)| patience <= best.stale)
    };
    let epoch = config.epoch(in_all_forms.len());
    let entry_every = learning.steps().div_ceil(ENTRIES).max(1);
    while learning.step() < learning.steps() && !stopped(state) {
        let step_loss = learning.advance();
        let loss = since_measurement.add(step_loss);
        since_entry.add(step_loss);
        progress.step(loss);
        let step = learning.step();
        let is_last = step == learning.steps();
        let is_measured = is_last || step.is_multiple_of(config.watch.evaluate_every);
        if is_measured {
            let now = learning.eer(measured).context(DIVERGED)?;
            eer = Some(now);
            progress.measured(step, loss, now);
            last = Some(std::mem::take(&mut since_measurement).mean());
            if patience.is_some() {
                state.best = Some(match state.best {
                    Some(best) if best.eer <= now => Best { stale: best.stale + 1, ..best },
                    _ => {
                        folder.save_best(step, learning.trainee())?;
                        Best { step, eer: now, stale: 0 }
                    }
                });
            }
        }
        if is_measured || step.is_multiple_of(entry_every) {
            let mean = std::mem::take(&mut since_entry).mean();
            let measured = eer.filter(|_| is_measured);
            history.add(step, mean, progress.floor(), measured)?;
            let rate = Some(learning.rate(step - 1));
            events.add(step, &[("loss", Some(mean)), ("rate", rate), ("eer", measured)])?;
            progress.draw_curves(history.entries());
        }
        if is_last
            || step.is_multiple_of(config.watch.checkpoint_every)
            || step.is_multiple_of(epoch)
            || stopped(state)
        {
            state.step = step;
            learning.save(folder, state)?;
        }
    }
    progress.finish();
    let steps = learning.step();
    let kept = match state.best {
        Some(best) => {
            if stopped(state) {
                progress.line(&format!(
                    "stopped after step {steps}: {} measurements without a lower EER than after step {}",
                    best.stale, best.step
                ));
            }
            learning.load_best(folder, best.step)?;
            eer = Some(best.eer);
            best.step
        }
        None => steps,
    };
    let eer = match eer {
        Some(eer) => eer,
        None => learning.eer(measured).context(if steps == 0 { NO_FEATURES } else { DIVERGED })?,
    };
    // A network that is computed in closed form has no steps, but an EER.
    if steps == 0 {
        events.add(0, &[("eer", Some(eer))])?;
    }
    // Exports are checked on the CPU, the server's default.
    let network = learning.network().to_device(&Device::flex());
    let trained = Trained { network, steps, kept, loss: last, eer };
    progress.line(&summary(&trained, &progress, measured_on));
    if let Some(warning) = trained.loss.and_then(|loss| warning(config, loss, trained.eer)) {
        progress.line(&warning);
    }
    Ok(trained)
}

fn summary(trained: &Trained, progress: &Progress, measured_on: Measured) -> String {
    let loss = trained.loss.map_or_else(String::new, |loss| format!(", {}", progress.loss(loss)));
    format!(
        "{} steps{loss}; kept: step {}, EER {:.2} % on {}",
        trained.steps,
        trained.kept,
        100.0 * trained.eer,
        measured_on.text()
    )
}

/// Returns a warning if the network has learned nothing: neither the loss nor the EER is better than chance.
fn warning(config: &Config, loss: f64, eer: f64) -> Option<String> {
    let floor = loss::floor(config.loss.margin);
    let is_at_floor = config.loss.kind == LossKind::Contrastive && NO_LEARNING * floor <= loss;
    let learned_nothing = is_at_floor && CHANCE <= eer;
    learned_nothing.then(|| {
        format!(
            "warning: the final loss is {loss:.4}, and a network that has learned nothing has m²/4 = {floor:.4}: with an \
             EER of {:.2} % this model is no better than chance; try more steps, another rate, or more data",
            100.0 * eer
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_ends_at_the_floor_gives_a_warning() {
        let baseline = Config::baseline();
        let found = warning(&baseline, 1.0, 0.48);
        assert!(
            found.is_some_and(|text| text.contains("learned nothing") && text.contains("48.00 %"))
        );
        assert!(warning(&baseline, 0.96, 0.5).is_some());
        assert!(warning(&baseline, 0.5, 0.5).is_none());
        assert!(warning(&baseline, 1.0, 0.05).is_none(), "a good EER contradicts the warning");

        let mut triplet = baseline;
        triplet.loss.kind = LossKind::Triplet;
        assert!(warning(&triplet, 1.0, 0.5).is_none());
    }
}
