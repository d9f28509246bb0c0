//! The progress display of a training.

mod sparkline;

use std::fmt::Write as _;

use indicatif::{ProgressBar, ProgressStyle};
use siamese_core::output::note;

use super::history::Entry;
use super::{Examples, loss};
use crate::config::{Config, LossKind};
use sparkline::sparkline;

/// The largest width of the curves, in characters.
const COLUMNS: usize = 32;

/// A progress bar with curves on a terminal, or a line for each measurement elsewhere.
pub(super) struct Progress {
    bar: ProgressBar,
    floor: Option<f64>,
    measured_on: Measured,
    /// The curves of the loss and of the EER.
    curves: [String; 2],
    /// The last measured EER.
    eer: Option<f64>,
}

/// The images that the EER is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measured {
    /// Held-out identities.
    HeldOut,
    /// Held-out pairs of a list.
    PairsHeldOut,
    /// The cells of held-out pairs.
    CellsHeldOut,
    /// The cells of the training pairs, because there is no hold-out set. This EER is too low.
    TrainingCells,
    /// The training images, because there is no hold-out set. This EER is too low.
    Training,
}

impl Measured {
    /// Names the examples that the EER is measured on.
    pub(super) fn of(examples: Examples<'_>, are_held_out: bool) -> Self {
        match (examples, are_held_out) {
            (Examples::Images(_), false) => Self::Training,
            (Examples::Images(gallery), true) if gallery.listing().is_some() => Self::PairsHeldOut,
            (Examples::Images(_), true) => Self::HeldOut,
            (Examples::Cells(_), false) => Self::TrainingCells,
            (Examples::Cells(_), true) => Self::CellsHeldOut,
        }
    }

    /// Returns a description.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::HeldOut => "held-out identities",
            Self::PairsHeldOut => "held-out pairs",
            Self::CellsHeldOut => "cells of held-out pairs",
            Self::TrainingCells => "cells of the training pairs",
            Self::Training => "the training images",
        }
    }
}

impl Progress {
    /// Starts the display of a run of `steps` steps, of which `done` are completed.
    pub(super) fn new(config: &Config, measured_on: Measured, done: u32, steps: u32) -> Self {
        let style = ProgressStyle::with_template("{bar:40} step {pos} of {len}, {eta} left\n{msg}")
            .expect("a template of indicatif's own fields");
        let bar =
            ProgressBar::new(u64::from(steps)).with_style(style).with_position(u64::from(done));
        bar.reset_eta();
        let floor =
            (config.loss.kind == LossKind::Contrastive).then(|| loss::floor(config.loss.margin));
        Self { bar, floor, measured_on, curves: Default::default(), eer: None }
    }

    /// Redraws the curves.
    pub(super) fn draw_curves(&mut self, entries: &[Entry]) {
        if self.bar.is_hidden() {
            return;
        }
        let losses: Vec<f64> = entries.iter().map(|entry| entry.loss).collect();
        let rates: Vec<f64> = entries.iter().filter_map(|entry| entry.eer).collect();
        self.eer = rates.last().copied();
        self.curves = [losses, rates].map(|values| sparkline(&values, COLUMNS));
    }

    /// Advances by one step; `loss` is the recent mean.
    pub(super) fn step(&self, loss: f64) {
        self.bar.set_message(self.dashboard(loss));
        self.bar.inc(1);
    }

    /// Returns the curves with their current values.
    fn dashboard(&self, loss: f64) -> String {
        let [losses, rates] = &self.curves;
        let mut text = format!("loss {losses:COLUMNS$}  {}", self.beside_floor(loss));
        if let Some(eer) = self.eer {
            let measured_on = self.measured_on.text();
            // Writing to a String cannot fail.
            let _ = write!(text, "\nEER  {rates:COLUMNS$}  {:.2} % on {measured_on}", 100.0 * eer);
        }
        text
    }

    /// Prints a measurement.
    pub(super) fn measured(&self, step: u32, loss: f64, eer: f64) {
        self.line(&format!(
            "step {step}: {}, EER {:.2} % on {}",
            self.loss(loss),
            100.0 * eer,
            self.measured_on.text()
        ));
    }

    /// Prints a line.
    pub(super) fn line(&self, text: &str) {
        // Without a terminal the bar is hidden, and a hidden bar prints nothing.
        if self.bar.is_hidden() {
            note(text);
        } else {
            self.bar.println(text);
        }
    }

    /// Removes the progress bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Returns the loss of a network that has learned nothing, if the loss has such a floor.
    pub(super) fn floor(&self) -> Option<f64> {
        self.floor
    }

    /// Formats the loss, with the loss of a network that has learned nothing.
    pub(super) fn loss(&self, loss: f64) -> String {
        format!("loss {}", self.beside_floor(loss))
    }

    fn beside_floor(&self, loss: f64) -> String {
        match self.floor {
            Some(floor) => format!("{loss:.4} (chance: {floor:.4})"),
            None => format!("{loss:.4}"),
        }
    }
}
