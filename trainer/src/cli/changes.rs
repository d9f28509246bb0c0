//! Lists that tell where images have changed: the part of `calibrate` and `evaluate` for them.

use std::collections::BTreeMap;
use std::path::Path;

use siamese_core::model::{OnnxModel, Options};
use siamese_core::output::note;

use super::{ModelAndImages, messages};
use crate::data::{ChangePair, Collection, Shift};
use crate::evaluate::changes::{
    CalibratedChanges, ChangeCalibrationRequest, ChangeEvaluation, MeasuredChanges, Measuring,
    Pictures, UnchangedImages,
};
use crate::report::{self, ChangeTable};
use crate::statistics::{Bootstrap, Interval, RatesInterval, Unit};

/// The pairs of a list, with the model that compares them.
pub(super) struct Changes<'a> {
    images: &'a Collection,
    pairs: Vec<ChangePair>,
    skip_unreadable: bool,
}

impl<'a> Changes<'a> {
    /// Returns the pairs; `None` unless it is a list that tells where pairs have changed.
    pub(super) fn of(inputs: &ModelAndImages, images: &'a Collection) -> Option<Self> {
        Self::listed(images, inputs.images.skip_unreadable)
    }

    /// Returns the pairs; `None` unless it is a list that tells where pairs have changed.
    pub(super) fn listed(images: &'a Collection, skip_unreadable: bool) -> Option<Self> {
        let pairs = images.change_pairs()?;
        Some(Self { images, pairs, skip_unreadable })
    }

    /// Calibrates a model.
    pub(super) fn calibrate(
        &self,
        model: &mut OnnxModel,
        fnmr_images: f64,
        split: Option<&str>,
        bootstrap: Bootstrap,
    ) -> anyhow::Result<CalibratedChanges> {
        let measured = self.measured(model, None)?;
        let training = measured.training().split(Unit::Component);
        let selection = if measured.is_part { "selected pairs" } else { "listed pairs" };
        let split = split.or(training).unwrap_or(selection);
        let request = ChangeCalibrationRequest { fnmr_images, split, bootstrap };
        Ok(CalibratedChanges::of(&measured, request)?)
    }

    /// Evaluates a model, and writes the report if there is a `folder`. Returns the output.
    pub(super) fn evaluate(
        &self,
        model: &mut OnnxModel,
        shift: Option<Shift>,
        bootstrap: Bootstrap,
        folder: Option<&Path>,
    ) -> anyhow::Result<String> {
        let measured = self.measured(model, shift)?;
        let mut evaluation = ChangeEvaluation::of(measured, bootstrap)?;
        let mut output = ChangeTable(&evaluation).to_string();
        if let Some(folder) = folder {
            evaluation.origin = messages::origin_of_changes(&evaluation.changes, bootstrap);
            let pictures = self.pictures(&evaluation, model);
            let files = report::change_files(&evaluation, &pictures);
            output += &messages::write_report(folder, files)?;
        }
        Ok(output)
    }

    /// Measures all pairs, and prints the warnings about them.
    fn measured(
        &self,
        model: &mut OnnxModel,
        shift: Option<Shift>,
    ) -> anyhow::Result<MeasuredChanges> {
        let measuring = Measuring { shift, skip_unreadable: self.skip_unreadable };
        let measured = MeasuredChanges::of(model, self.images, &self.pairs, measuring)?;
        for skipped in &measured.skipped {
            note(&format!("skipped {skipped}"));
        }
        let sizes = self.images.identities().iter().map(|component| component.images.len());
        let listing = self.images.listing();
        let of_list = listing.map(|listing| listing.warnings(&sizes.collect::<Vec<_>>()));
        let of_training = measured.training().warning(Unit::Component);
        for warning in of_list.into_iter().flatten().chain(of_training) {
            note(&format!("warning: {warning}"));
        }
        Ok(measured)
    }

    /// Draws the worst pairs.
    fn pictures(
        &self,
        evaluation: &ChangeEvaluation,
        model: &mut OnnxModel,
    ) -> BTreeMap<usize, Pictures> {
        let ChangeEvaluation { changes, threshold, .. } = evaluation;
        let mut pictures = BTreeMap::new();
        for index in evaluation.worst().into_iter().flatten() {
            let pair = &changes.pairs[index];
            let drawn = Pictures::of(pair, self.images, changes.measuring, *threshold, model);
            pictures.extend(drawn.map(|drawn| (index, drawn)));
        }
        pictures
    }
}

/// Loads the model for a list of changes.
pub(super) fn load(inputs: &ModelAndImages) -> anyhow::Result<OnnxModel> {
    Ok(OnnxModel::load(&inputs.model, &Options::default())?)
}

/// Describes the calibration of the model at `out`.
pub(super) fn summary(out: &Path, calibrated: &CalibratedChanges) -> String {
    let CalibratedChanges {
        decisive,
        changes,
        unchanged,
        cells,
        cells_interval,
        alarmed,
        alarmed_interval,
    } = calibrated;
    let range = |interval: Interval| {
        format!(" ({:.2} – {:.2} %)", 100.0 * interval.low, 100.0 * interval.high)
    };
    let of_cells = |of: fn(&RatesInterval) -> Interval| {
        cells_interval.as_ref().map(|interval| range(of(interval))).unwrap_or_default()
    };
    let what = match unchanged {
        UnchangedImages::Listed => "unchanged pairs",
        UnchangedImages::WithoutChanges => "pairs without their changed cells",
    };
    let decisive = decisive.as_ref().map(|names| {
        format!(
            "The threshold is the greatest distance of an unchanged cell in {names}: if something has changed there that the \
             list does not tell, correct the list\n"
        )
    });
    let (of_cells_all, images) = (&changes.cells, &changes.images);
    let measured = format!(
        "{}: threshold {}; {alarmed} of {} {what} have a false alarm{}; it misses {:.2} %{} of the changed cells, and \
         {:.4} %{} of the unchanged cells are false alarms; {} unchanged and {} changed cells of {} components ({}, {})\n",
        out.display(),
        changes.threshold.get(),
        images.same_pairs(),
        range(*alarmed_interval),
        100.0 * cells.fmr,
        of_cells(|rates| rates.fmr),
        100.0 * cells.fnmr,
        of_cells(|rates| rates.fnmr),
        of_cells_all.same_pairs(),
        of_cells_all.different_pairs(),
        of_cells_all.identities(),
        of_cells_all.data(),
        of_cells_all.split(),
    );
    measured + &decisive.unwrap_or_default()
}
