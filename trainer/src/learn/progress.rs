//! What a person sees while a network learns.

use indicatif::{ProgressBar, ProgressStyle};

use crate::config::Config;
use crate::loss::{self, LossKind};

/// A bar on a terminal, and a line for each measurement anywhere else.
pub(super) struct Progress {
    bar: ProgressBar,
    floor: Option<f64>,
    eer: Option<f64>,
}

/// Whose error rate is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measured {
    /// People that training never sees.
    HeldOut,
    /// The people that are trained on, where nobody is held out: it flatters.
    Training,
}

impl Progress {
    /// A run of so many steps, of which some are done.
    pub(super) fn new(config: &Config, done: u32, steps: u32) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} left")
            .expect("a template of indicatif's own fields");
        let bar =
            ProgressBar::new(u64::from(steps)).with_style(style).with_position(u64::from(done));
        bar.reset_eta();
        let floor =
            (config.loss.kind == LossKind::Contrastive).then(|| loss::floor(config.loss.margin));
        Self { bar, floor, eer: None }
    }

    /// One step is done; `loss` is the recent mean.
    pub(super) fn step(&self, loss: f64) {
        let eer = self.eer.map_or_else(String::new, |it| format!(", EER {:.1} %", 100.0 * it));
        self.bar.set_message(format!("{}{eer}", self.loss(loss)));
        self.bar.inc(1);
    }

    /// People were measured.
    pub(super) fn measured(&mut self, step: u32, loss: f64, measured: Measured, eer: f64) {
        self.eer = Some(eer);
        let whose = match measured {
            Measured::HeldOut => "people held out",
            Measured::Training => "the training data itself",
        };
        self.line(&format!(
            "step {step}: {}, EER {:.2} % on {whose}",
            self.loss(loss),
            100.0 * eer
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

    /// The loss, with the floor of having learned nothing beside it.
    pub(super) fn loss(&self, loss: f64) -> String {
        match self.floor {
            Some(floor) => format!("loss {loss:.4} (learned nothing: {floor:.4})"),
            None => format!("loss {loss:.4}"),
        }
    }
}
