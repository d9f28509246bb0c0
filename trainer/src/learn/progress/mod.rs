//! What a person sees while a network learns.

mod sparkline;

use std::fmt::Write as _;

use indicatif::{ProgressBar, ProgressStyle};

use super::history::Entry;
use super::loss;
use crate::config::{Config, LossKind};
use sparkline::sparkline;

/// The curves' longest line, in characters.
const COLUMNS: usize = 32;

/// A bar with the run's curves on a terminal, and a line for each measurement anywhere else.
pub(super) struct Progress {
    bar: ProgressBar,
    floor: Option<f64>,
    whose: Measured,
    /// The loss's curve, the EER's, and the EER measured last.
    curves: [String; 2],
    eer: Option<f64>,
}

/// Whose error rate is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measured {
    /// People that training never sees.
    HeldOut,
    /// Listed pairs that training never sees.
    PairsHeldOut,
    /// The people that are trained on, where nobody is held out: it flatters.
    Training,
}

impl Measured {
    /// In words.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::HeldOut => "people held out",
            Self::PairsHeldOut => "pairs held out",
            Self::Training => "the training data itself",
        }
    }
}

impl Progress {
    /// A run of so many steps, of which some are done.
    pub(super) fn new(config: &Config, whose: Measured, done: u32, steps: u32) -> Self {
        let style = ProgressStyle::with_template("{bar:40} step {pos} of {len}, {eta} left\n{msg}")
            .expect("a template of indicatif's own fields");
        let bar =
            ProgressBar::new(u64::from(steps)).with_style(style).with_position(u64::from(done));
        bar.reset_eta();
        let floor =
            (config.loss.kind == LossKind::Contrastive).then(|| loss::floor(config.loss.margin));
        Self { bar, floor, whose, curves: Default::default(), eer: None }
    }

    /// Draws the curves anew.
    pub(super) fn went(&mut self, entries: &[Entry]) {
        if self.bar.is_hidden() {
            return;
        }
        let losses: Vec<f64> = entries.iter().map(|it| it.loss).collect();
        let rates: Vec<f64> = entries.iter().filter_map(|it| it.eer).collect();
        self.eer = rates.last().copied();
        self.curves = [losses, rates].map(|it| sparkline(&it, COLUMNS));
    }

    /// One step is done; `loss` is the recent mean.
    pub(super) fn step(&self, loss: f64) {
        self.bar.set_message(self.dashboard(loss));
        self.bar.inc(1);
    }

    /// The curves, each with where it stands.
    fn dashboard(&self, loss: f64) -> String {
        let [losses, rates] = &self.curves;
        let mut text = format!("loss {losses:COLUMNS$}  {}", self.beside_floor(loss));
        if let Some(eer) = self.eer {
            let whose = self.whose.text();
            // A String takes all that is written.
            let _ = write!(text, "\nEER  {rates:COLUMNS$}  {:.2} % on {whose}", 100.0 * eer);
        }
        text
    }

    /// People were measured.
    pub(super) fn measured(&self, step: u32, loss: f64, eer: f64) {
        self.line(&format!(
            "step {step}: {}, EER {:.2} % on {}",
            self.loss(loss),
            100.0 * eer,
            self.whose.text()
        ));
    }

    /// Says something.
    pub(super) fn line(&self, text: &str) {
        // A hidden bar swallows lines, and a bar is hidden where there is no terminal.
        if self.bar.is_hidden() {
            eprintln!("{text}");
        } else {
            self.bar.println(text);
        }
    }

    /// The run is over.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// The loss of a network that has learned nothing, where there is one.
    pub(super) fn floor(&self) -> Option<f64> {
        self.floor
    }

    /// The loss, with the floor of having learned nothing beside it.
    pub(super) fn loss(&self, loss: f64) -> String {
        format!("loss {}", self.beside_floor(loss))
    }

    fn beside_floor(&self, loss: f64) -> String {
        match self.floor {
            Some(floor) => format!("{loss:.4} (learned nothing: {floor:.4})"),
            None => format!("{loss:.4}"),
        }
    }
}
