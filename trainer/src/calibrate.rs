//! `siamese-trainer calibrate`: from measured pairs to what the tower's file says of itself.

use std::path::PathBuf;
use std::{fs, io};

use clap::Args;
use siamese_core::model::{NotOnnx, Options, rewrite};
use siamese_core::score::{
    Calibration, CalibrationError, InvalidUnseen, OperatingPoint, Threshold, Unseen as UnseenRow,
    UnsupportedFmr,
};
use thiserror::Error;

use crate::draft::{Draft, DraftError};
use crate::evaluate::{Chosen, Embedded, EmbeddedError, TABLE_FMRS, UnseenLines};
use crate::statistics::{Bootstrap, Comparisons, NotComparable, Promise, Unseen};

/// Writes threshold, operating points and probability into a tower, from identities or pairs held out
#[derive(Clone, Debug, Args)]
pub struct Calibrate {
    /// What to calibrate on: identities that the tower was not trained on.
    #[command(flatten)]
    pub chosen: Chosen,
    /// The calibrated tower's file, which may be the same
    #[arg(long, value_name = "TOWER")]
    pub out: PathBuf,
    /// Choose the threshold with at most this FMR, instead of the one with equal errors
    #[arg(long, value_name = "X")]
    pub fmr: Option<f64>,
    /// How the identities relate to the training, for whoever reads the figures; known by itself
    /// for a tower of this trainer
    #[arg(long, value_name = "TEXT")]
    pub split: Option<String>,
    /// How often to resample the identities for the intervals; 0 for none
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub resamples: u32,
    /// The seed of the resampling
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// Why a tower could not be calibrated; nothing was written then.
#[derive(Debug, Error)]
pub enum CalibrateError {
    /// The tower or the pictures can't be used.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The pictures make no pairs.
    #[error(transparent)]
    NotComparable(#[from] NotComparable),
    /// The pairs calibrate nothing.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// What is told of people unseen won't do.
    #[error(transparent)]
    Unseen(#[from] InvalidUnseen),
    /// There is no operating point at the FMR asked for.
    #[error(transparent)]
    UnsupportedFmr(#[from] UnsupportedFmr),
    /// The threshold can't be told from "never the same".
    #[error(
        "the threshold would be 0, which calls nothing but equal pictures the same: the tower \
         tells these pictures apart no better than chance, or the FMR asked for is too small"
    )]
    ThresholdZero,
    /// The threshold lies where training pushed different pairs to.
    #[error(
        "the threshold would be {}, which is not below the tower's margin of {margin}: the tower \
         tells these pictures apart badly, or the FMR asked for is too great",
        .threshold.get()
    )]
    ThresholdBeyondMargin {
        /// What these pairs ask for.
        threshold: Threshold,
        /// What the tower states.
        margin: f64,
    },
    /// The tower's file is not what was loaded.
    #[error(transparent)]
    NotOnnx(#[from] NotOnnx),
    /// It can't be read.
    #[error("{} can't be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The calibrated tower can't be written, or does not load.
    #[error(transparent)]
    Draft(#[from] DraftError),
}

impl Calibrate {
    /// Measures all pairs, chooses the threshold and writes the tower with what it now knows; gives
    /// what there is to say.
    pub fn run(&self) -> Result<String, CalibrateError> {
        let options = Options::default();
        let embedded = Embedded::load(&self.chosen, &options)?;
        let comparisons = embedded.comparisons()?;
        let bootstrap = Bootstrap { resamples: self.resamples, seed: self.seed };
        let fmrs: Vec<f64> = TABLE_FMRS
            .into_iter()
            .chain(self.fmr.filter(|it| 0.0 < *it && *it < 1.0 && !TABLE_FMRS.contains(it)))
            .collect();
        let unseen = Unseen::of(&comparisons, &fmrs, bootstrap);
        let calibration = self.measure(&embedded, &comparisons)?;
        let calibration = match &unseen {
            Some(unseen) => calibration.with_unseen(stated(unseen))?,
            None => calibration,
        };
        let mut card = embedded.tower().card().clone();
        let point = choose(&calibration, self.fmr, card.margin)?;
        card.threshold = Some(point.threshold);
        card.calibration = Some(calibration.clone());

        let tower = &self.chosen.tower;
        let onnx =
            fs::read(tower).map_err(|cause| CalibrateError::Read { path: tower.clone(), cause })?;
        let draft = Draft::new(&self.out)?;
        draft.write(&rewrite(&onnx, &card.to_metadata())?, &options)?;
        draft.keep()?;
        let mut said = format!(
            "{}: threshold {} with FMR {:.2} %, FNMR {:.2} %; EER {:.2} %; {} same and {} \
             different pairs of {} {} ({}, {})\n",
            self.out.display(),
            point.threshold.get(),
            100.0 * point.fmr,
            100.0 * point.fnmr,
            100.0 * calibration.eer(),
            calibration.same_pairs(),
            calibration.different_pairs(),
            calibration.identities(),
            comparisons.unit().plural(),
            calibration.data(),
            calibration.split(),
        );
        match &unseen {
            Some(unseen) => said.push_str(&UnseenLines(unseen).to_string()),
            None => said.push_str(
                "How far that holds for others can't be told: it takes four identities or more with two pictures \
                 of several, or two components or more with pairs of both kinds\n",
            ),
        }
        Ok(said)
    }

    fn measure(
        &self,
        embedded: &Embedded,
        comparisons: &Comparisons,
    ) -> Result<Calibration, CalibrateError> {
        let [same, different] = comparisons.distances();
        let subject = embedded.subject();
        for warning in embedded.gallery().warnings().into_iter().chain(subject.warning()) {
            eprintln!("warning: {warning}");
        }
        let guess = self.chosen.pictures.choice(subject.unit);
        let split = self.split.as_deref().or(subject.split()).unwrap_or(guess);
        let identities = comparisons.identities().try_into().unwrap_or(u64::MAX);
        Ok(Calibration::fit(&subject.data, split, identities, &same, &different)?)
    }
}

/// The realised errors as a tower carries them, to six digits.
fn stated(unseen: &Unseen) -> Vec<UnseenRow> {
    let short = |rate: f64| (rate * 1e6).round() / 1e6;
    let row = |it: &Promise| UnseenRow {
        fmr_asked: it.fmr_asked,
        fmr: short(it.realised.fmr),
        fmr_95: it.fmr_interval.map(|it| [it.low, it.high].map(short)),
        fnmr: short(it.realised.fnmr),
    };
    unseen.promises.iter().map(row).collect()
}

/// The operating point to work at: the one with equal errors, or with at most the FMR asked for.
fn choose(
    calibration: &Calibration,
    fmr: Option<f64>,
    margin: Option<f64>,
) -> Result<OperatingPoint, CalibrateError> {
    let point = match fmr {
        Some(fmr) => calibration.for_fmr(fmr)?,
        None => calibration.eer_point(),
    };
    let threshold = point.threshold;
    if threshold.get() <= 0.0 {
        return Err(CalibrateError::ThresholdZero);
    }
    match margin.filter(|margin| *margin <= threshold.get()) {
        Some(margin) => Err(CalibrateError::ThresholdBeyondMargin { threshold, margin }),
        None => Ok(point),
    }
}

#[cfg(test)]
mod tests {
    use siamese_core::score::Distance;

    use super::*;

    fn calibration(same: &[f64], different: &[f64]) -> Calibration {
        let [same, different] = [same, different].map(|values| {
            let distances = values.iter().map(|it| Distance::try_from(*it));
            distances.collect::<Result<Vec<_>, _>>().expect("distances")
        });
        Calibration::fit("made", "made", 3, &same, &different).expect("pairs")
    }

    #[test]
    fn the_threshold_lies_between_0_and_the_margin() {
        let separated = calibration(&[0.25, 0.25], &[0.75]);
        let point = choose(&separated, None, Some(2.0)).expect("a point");
        assert!((point.threshold.get() - 0.5).abs() < 1e-12);
        assert!(choose(&separated, None, None).is_ok());

        let refusal = choose(&separated, None, Some(0.5)).expect_err("at the margin");
        assert!(matches!(refusal, CalibrateError::ThresholdBeyondMargin { .. }), "{refusal}");

        let dead = calibration(&[0.0], &[0.0]);
        let refusal = choose(&dead, None, Some(2.0)).expect_err("nothing is told apart");
        assert!(matches!(refusal, CalibrateError::ThresholdZero), "{refusal}");
    }

    #[test]
    fn an_fmr_chooses_the_largest_threshold_within_it() {
        let different: Vec<f64> = (1..=100).map(f64::from).collect();
        let point = choose(&calibration(&[0.5, 30.2], &different), Some(0.05), None);
        let threshold = point.expect("a point").threshold.get();
        assert!((5.0..6.0).contains(&threshold), "{threshold}");
        let refusal = choose(&calibration(&[0.5], &different), Some(0.01), None);
        assert!(matches!(refusal, Err(CalibrateError::UnsupportedFmr(_))));
    }
}
