//! The images on which each changed cell is a false alarm.

use serde::Serialize;

use super::MeasuredChanges;

/// The images on which each changed cell is a false alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnchangedImages {
    /// The pairs in which nothing has changed.
    Listed,
    /// Every pair has changed, so each counts without its changed cells, and without those that touch them.
    WithoutChanges,
}

impl MeasuredChanges {
    /// Returns the greatest distance of each image on which each changed cell is a false alarm, with the index of its pair.
    pub fn unchanged_images(&self) -> (UnchangedImages, Vec<(usize, f64)>) {
        let pairs = || self.pairs.iter().enumerate();
        let listed: Vec<_> = pairs()
            .filter(|(_, pair)| pair.is_unchanged())
            .map(|(index, pair)| (index, pair.distances.greatest()))
            .collect();
        if !listed.is_empty() {
            return (UnchangedImages::Listed, listed);
        }
        let rest = pairs().filter_map(|(index, pair)| {
            let cells = pair.truth.away_from_changes(pair.distances.layout().columns);
            let values = cells.iter().map(|cell| pair.distances.values()[*cell]);
            Some((index, values.reduce(f32::max)?.into()))
        });
        (UnchangedImages::WithoutChanges, rest.collect())
    }

    /// Returns the greatest distance of each pair that has changed.
    pub fn changed_images(&self) -> Vec<f64> {
        let changed = self.pairs.iter().filter(|pair| !pair.is_unchanged());
        changed.map(|pair| pair.distances.greatest()).collect()
    }
}
