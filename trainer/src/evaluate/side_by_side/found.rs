//! Everything that two models on the same images come to.

use anyhow::ensure;

use super::{Contested, Row};
use crate::evaluate::{Evaluation, TABLE_FMRS};
use crate::statistics::{Differences, Grid};

/// Two evaluations of the same images, and how they differ.
#[derive(Clone, Debug)]
pub struct SideBySide {
    /// Of either model.
    pub evaluations: [Evaluation; 2],
    /// The second's figures less the first's, at the FMRs of [`TABLE_FMRS`] and at the threshold of
    /// each; `None` without resamples.
    pub differences: Option<Differences>,
    /// What they rule differently on.
    pub contested: Contested,
    /// Where all this comes from: names and values.
    pub origin: Vec<(&'static str, String)>,
}

impl SideBySide {
    /// Holds two evaluations against each other, resampling as the first was.
    ///
    /// # Errors
    ///
    /// If they aren't of the same images.
    pub fn new(evaluations: [Evaluation; 2]) -> anyhow::Result<Self> {
        let [first, second] = evaluations.each_ref();
        let images = |it: &Evaluation| (it.subject.identities.clone(), it.subject.images.clone());
        ensure!(
            images(first) == images(second),
            "the models can't read the same images: leave out those that only one of them reads ({})",
            first
                .subject
                .skipped
                .iter()
                .chain(&second.subject.skipped)
                .cloned()
                .collect::<Vec<_>>()
                .join("; ")
        );
        let grids = [first, second].map(|it| Grid::new(TABLE_FMRS).with_thresholds([it.threshold]));
        let differences = Differences::between(
            (&first.comparisons, &grids[0]),
            (&second.comparisons, &grids[1]),
            first.bootstrap,
        );
        let contested = Contested::of(&evaluations);
        Ok(Self { evaluations, differences, contested, origin: Vec::new() })
    }

    /// The images, in a line.
    pub fn headline(&self) -> String {
        let it = &self.evaluations[0];
        format!(
            "{}: {} {}, {} images, {} same and {} different pairs",
            it.subject.data,
            it.comparisons.identities(),
            it.comparisons.unit().plural(),
            it.images(),
            it.same_pairs(),
            it.different_pairs()
        )
    }

    /// What the EERs say, and how sure that is.
    pub fn conclusion(&self) -> String {
        let Some(Differences { eer, .. }) = &self.differences else {
            return "Without resamples nobody can tell a difference from chance".to_owned();
        };
        let better = if eer.value < 0.0 { "B" } else { "A" };
        if eer.p_value < 0.05 {
            format!("{better} is better by EER, and hardly by chance (p = {:.3})", eer.p_value)
        } else {
            format!(
                "The EERs differ no more than by chance of the {} (p = {:.3})",
                self.evaluations[0].comparisons.unit().plural(),
                eer.p_value
            )
        }
    }

    /// Name, both figures and their difference, for each line of a table. Rates are in `[0, 1]`.
    pub fn rows(&self) -> Vec<Row> {
        let [a, b] = self.evaluations.each_ref();
        let differences = self.differences.as_ref();
        let mut rows = vec![
            Row {
                name: "EER".to_owned(),
                is_rate: true,
                values: [a, b].map(|it| it.measures.eer),
                difference: differences.map(|it| it.eer),
            },
            Row {
                name: "AUC".to_owned(),
                is_rate: false,
                values: [a, b].map(|it| it.measures.auc),
                difference: differences.map(|it| it.auc),
            },
        ];
        // The differences stand in the order of their grid, which ascends.
        for (fmr, at) in TABLE_FMRS.into_iter().zip((0..TABLE_FMRS.len()).rev()) {
            rows.push(Row {
                name: format!("FNMR at FMR {} %", 100.0 * fmr),
                is_rate: true,
                values: [a, b].map(|it| it.measures.fnmr_at[it.grid_place(fmr)]),
                difference: differences.map(|it| it.fnmr_at[at]),
            });
        }
        rows.push(Row {
            name: "FMR at its threshold".to_owned(),
            is_rate: true,
            values: [a, b].map(|it| it.rates.fmr),
            difference: differences.map(|it| it.threshold_fmr[0]),
        });
        rows.push(Row {
            name: "FNMR at its threshold".to_owned(),
            is_rate: true,
            values: [a, b].map(|it| it.rates.fnmr),
            difference: differences.map(|it| it.threshold_fnmr[0]),
        });
        rows
    }
}
