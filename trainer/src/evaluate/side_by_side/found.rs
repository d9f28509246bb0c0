//! The result of comparing two models on the same images.

use anyhow::ensure;

use super::{Contested, Row};
use crate::evaluate::{Evaluation, TABLE_FMRS};
use crate::statistics::{Difference, Differences, Grid, Retrieval};

/// Two evaluations of the same images, and their differences.
#[derive(Clone, Debug)]
pub struct SideBySide {
    /// The evaluation of each model.
    pub evaluations: [Evaluation; 2],
    /// The second model's results minus the first's, at the FMRs of [`TABLE_FMRS`] and at each model's threshold; `None`
    /// without resamples.
    pub differences: Option<Differences>,
    /// The differences of retrieval, in the order of its names; `None` without resamples, or for a list.
    pub retrieval: Option<[Difference; 3]>,
    /// The pairs with different verdicts.
    pub contested: Contested,
    /// The origin of the results: names and values.
    pub origin: Vec<(&'static str, String)>,
}

impl SideBySide {
    /// Compares two evaluations. The resampling of the first is used.
    ///
    /// # Errors
    ///
    /// If the evaluations are not of the same images.
    pub fn new(evaluations: [Evaluation; 2]) -> anyhow::Result<Self> {
        let [first, second] = evaluations.each_ref();
        let images = |evaluation: &Evaluation| {
            (evaluation.subject.identities.clone(), evaluation.subject.images.clone())
        };
        ensure!(
            images(first) == images(second),
            "the models cannot read the same images: remove those that only one of them can read ({})",
            first
                .subject
                .skipped
                .iter()
                .chain(&second.subject.skipped)
                .cloned()
                .collect::<Vec<_>>()
                .join("; ")
        );
        let grids = [first, second]
            .map(|evaluation| Grid::new(TABLE_FMRS).with_thresholds([evaluation.threshold]));
        let differences = Differences::between(
            (&first.comparisons, &grids[0]),
            (&second.comparisons, &grids[1]),
            first.bootstrap,
        );
        let retrieval =
            Retrieval::differences(&first.comparisons, &second.comparisons, first.bootstrap);
        let contested = Contested::of(&evaluations);
        Ok(Self { evaluations, differences, retrieval, contested, origin: Vec::new() })
    }

    /// Describes the images in one line.
    pub fn headline(&self) -> String {
        let first = &self.evaluations[0];
        format!(
            "{}: {} {}, {} images, {} same and {} different pairs",
            first.subject.data,
            first.comparisons.identities(),
            first.comparisons.unit().plural(),
            first.images(),
            first.same_pairs(),
            first.different_pairs()
        )
    }

    /// States which model has the lower EER, and whether the difference is significant.
    pub fn conclusion(&self) -> String {
        let Some(Differences { eer, .. }) = &self.differences else {
            return "Without resamples the significance of a difference is unknown".to_owned();
        };
        let better = if eer.value < 0.0 { "B" } else { "A" };
        if eer.p_value < 0.05 {
            format!(
                "{better} has the lower EER; the difference is significant (p = {:.3})",
                eer.p_value
            )
        } else {
            format!(
                "The EERs do not differ significantly with these {} (p = {:.3})",
                self.evaluations[0].comparisons.unit().plural(),
                eer.p_value
            )
        }
    }

    /// Returns the rows of the table of results. Rates are in `[0, 1]`.
    pub fn rows(&self) -> Vec<Row> {
        let [a, b] = self.evaluations.each_ref();
        let differences = self.differences.as_ref();
        let mut rows = vec![
            Row {
                name: "EER".to_owned(),
                is_rate: true,
                values: [a, b].map(|evaluation| evaluation.measures.eer),
                difference: differences.map(|differences| differences.eer),
            },
            Row {
                name: "AUC".to_owned(),
                is_rate: false,
                values: [a, b].map(|evaluation| evaluation.measures.auc),
                difference: differences.map(|differences| differences.auc),
            },
        ];
        // The differences are in the order of their grid, which is ascending.
        for (fmr, index) in TABLE_FMRS.into_iter().zip((0..TABLE_FMRS.len()).rev()) {
            rows.push(Row {
                name: format!("FNMR at FMR {} %", 100.0 * fmr),
                is_rate: true,
                values: [a, b]
                    .map(|evaluation| evaluation.measures.fnmr_at[evaluation.grid_index(fmr)]),
                difference: differences.map(|differences| differences.fnmr_at[index]),
            });
        }
        if let (Some(a), Some(b)) = (&a.retrieval, &b.retrieval) {
            let [a, b] = [a, b].map(Retrieval::estimates);
            rows.extend(Retrieval::NAMES.into_iter().enumerate().map(|(at, name)| Row {
                name: name.to_owned(),
                is_rate: true,
                values: [a[at].value, b[at].value],
                difference: self.retrieval.map(|differences| differences[at]),
            }));
        }
        rows.push(Row {
            name: "FMR at its threshold".to_owned(),
            is_rate: true,
            values: [a, b].map(|evaluation| evaluation.rates.fmr),
            difference: differences.map(|differences| differences.threshold_fmr[0]),
        });
        rows.push(Row {
            name: "FNMR at its threshold".to_owned(),
            is_rate: true,
            values: [a, b].map(|evaluation| evaluation.rates.fnmr),
            difference: differences.map(|differences| differences.threshold_fnmr[0]),
        });
        rows
    }
}
