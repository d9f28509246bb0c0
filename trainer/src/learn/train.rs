//! A whole run: steps, measurements, checkpoints, and when to stop.

use anyhow::Context;
use burn::module::Module;
use burn::tensor::Device;

use super::checkpoint::{Best, RunFolder, State};
use super::history::History;
use super::progress::{Measured, Progress};
use super::{Learning, loss};
use crate::config::{Config, LossKind};
use crate::data::Gallery;
use crate::network::Network;

/// How many training images are measured at most, where nobody is held out.
const MEASURED: usize = 400;
/// A run that ends above this share of the floor has learned nothing.
const NEARLY: f64 = 0.95;
/// How many entries a run's history has, beside those of measurements.
const ENTRIES: u32 = 200;
/// Why a network comes to give numbers that are not finite.
const ASTRAY: &str = "the run has gone astray: try a smaller --rate";

/// What a run came to.
#[derive(Debug)]
pub struct Trained {
    /// The network that is kept, in evaluation and on the CPU.
    pub network: Network,
    /// How many steps were done.
    pub steps: u32,
    /// After which step the kept network stood.
    pub kept: u32,
    /// The mean main loss before the last measurement; none where a finished run was resumed.
    pub loss: Option<f64>,
    /// The kept network's EER on people held out, or else on training images, in [0, 1].
    pub eer: f64,
}

/// The mean of the losses since the last measurement.
#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    sum: f64,
    count: u32,
}

impl Recent {
    fn add(&mut self, loss: f64) -> f64 {
        self.sum += loss;
        self.count += 1;
        self.mean()
    }

    fn mean(self) -> f64 {
        self.sum / f64::from(self.count.max(1))
    }
}

/// Trains to the end, or until the people held out are told apart no better.
///
/// The run is saved at least once an epoch, so that a run that is killed loses no more than that;
/// saving changes nothing of what it comes to.
///
/// # Errors
///
/// If the folder can't be written, or the network comes to give numbers that are not finite.
pub fn train(
    config: &Config,
    training: &Gallery,
    held_out: Option<&Gallery>,
    device: &Device,
    folder: &RunFolder,
    resume: bool,
) -> anyhow::Result<Trained> {
    let in_all_forms = training.in_all_forms(config.symmetry, config.preprocessing().shape());
    let mut learning = Learning::on(device, config, &in_all_forms);
    let mut state = State::default();
    if resume {
        state = folder.state()?;
        if 0 < state.step {
            learning.load(folder, state)?;
        }
    }
    let excerpt = training.excerpt(MEASURED);
    let (measured, gallery) = match held_out {
        Some(gallery) if gallery.listing().is_some() => (Measured::PairsHeldOut, gallery),
        Some(gallery) => (Measured::HeldOut, gallery),
        None => (Measured::Training, &excerpt),
    };
    let patience = config.watch.patience.filter(|_| held_out.is_some());
    let mut progress = Progress::new(config, measured, learning.step(), learning.steps());
    let mut history = History::open(folder, learning.step())?;
    progress.went(history.entries());
    let mut recent = Recent::default();
    let mut since = Recent::default();
    let mut last = None;
    let mut eer = None;
    let stopped = |state: State| match (patience, state.best) {
        (Some(patience), Some(best)) => patience <= best.stale,
        _ => false,
    };
    let epoch = config.epoch(in_all_forms.samples().len());
    let told_every = learning.steps().div_ceil(ENTRIES).max(1);
    while learning.step() < learning.steps() && !stopped(state) {
        let of_step = learning.advance();
        let loss = recent.add(of_step);
        since.add(of_step);
        progress.step(loss);
        let step = learning.step();
        let is_last = step == learning.steps();
        let is_measured = is_last || step.is_multiple_of(config.watch.evaluate_every);
        if is_measured {
            let now = learning.eer(gallery).context(ASTRAY)?;
            eer = Some(now);
            progress.measured(step, loss, now);
            last = Some(std::mem::take(&mut recent).mean());
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
        if is_measured || step.is_multiple_of(told_every) {
            let mean = std::mem::take(&mut since).mean();
            history.add(step, mean, progress.floor(), eer.filter(|_| is_measured))?;
            progress.went(history.entries());
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
                    "stopped after step {steps}: no better than after step {} in {} measurements",
                    best.step, best.stale
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
        None => learning.eer(gallery).context(ASTRAY)?,
    };
    // An export is held to the network where the server's default is.
    let network = learning.network().to_device(&Device::flex());
    let trained = Trained { network, steps, kept, loss: last, eer };
    progress.line(&summary(&trained, &progress, measured));
    if let Some(warning) = trained.loss.and_then(|it| warning(config, it)) {
        progress.line(&warning);
    }
    Ok(trained)
}

fn summary(trained: &Trained, progress: &Progress, measured: Measured) -> String {
    let loss = trained.loss.map_or_else(String::new, |it| format!(", {}", progress.loss(it)));
    format!(
        "{} steps{loss}; kept: step {}, EER {:.2} % on {}",
        trained.steps,
        trained.kept,
        100.0 * trained.eer,
        measured.text()
    )
}

/// What to say of a run that ended where one that learned nothing ends.
fn warning(config: &Config, loss: f64) -> Option<String> {
    let floor = loss::floor(config.loss.margin);
    let learned_nothing = config.loss.kind == LossKind::Contrastive && NEARLY * floor <= loss;
    learned_nothing.then(|| {
        format!(
            "warning: the loss ended at {loss:.4}, and a network that has learned nothing ends at m²/4 = \
             {floor:.4}: this model can't tell anything apart; try more steps, another rate, or more data"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_ends_at_the_floor_is_warned_about() {
        let baseline = Config::baseline();
        assert!(warning(&baseline, 1.0).is_some_and(|it| it.contains("learned nothing")));
        assert!(warning(&baseline, 0.96).is_some());
        assert!(warning(&baseline, 0.5).is_none());

        let mut triplet = baseline;
        triplet.loss.kind = LossKind::Triplet;
        assert!(warning(&triplet, 1.0).is_none());
    }
}
