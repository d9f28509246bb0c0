//! Which statistics of which maps are the features of an image.

use std::fmt::{self, Display};
use std::ops::Range;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use siamese_core::preprocessing::Pixels;

use super::{Backbone, Map, Output};

/// How the places of maps become one row of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The means of the channels of the last map
    Mean,
    /// Their generalised means, with the exponent 3: strong places have more weight
    Gem,
    /// The means of the channels of several maps, and the standard deviations of all but the last
    Layers,
}

/// A statistic of each channel of a map, over its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statistic {
    Mean,
    Deviation,
    /// The cubic root of the mean of the cubes, where negative values count as 0 (F. Radenović, G. Tolias, O. Chum,
    /// *Fine-tuning CNN image retrieval with no human annotation*, 2018).
    GeneralisedMean,
}

/// One statistic of the map of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) map: usize,
    pub(super) statistic: Statistic,
}

impl Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mean => "mean",
            Self::Gem => "gem",
            Self::Layers => "layers",
        })
    }
}

impl Backbone {
    /// Returns the poolings of its maps, the usual one first; none if the network gives a row of features itself.
    pub fn poolings(&self) -> &'static [Pooling] {
        match &self.output {
            Output::Maps(maps) if 1 < maps.len() => &[Pooling::Layers, Pooling::Mean, Pooling::Gem],
            Output::Maps(_) => &[Pooling::Mean, Pooling::Gem],
            Output::Row(_) => &[],
        }
    }

    /// Returns the number of features of an image with a pooling, or with the usual one.
    pub fn features(&self, pooling: Option<Pooling>) -> usize {
        match &self.output {
            Output::Maps(maps) => self.parts(pooling).iter().map(|part| maps[part.map].width).sum(),
            Output::Row(width) => *width,
        }
    }

    /// Returns the number of features of all poolings together.
    pub(super) fn all_features(&self) -> usize {
        match &self.output {
            Output::Maps(maps) => self.all_parts().iter().map(|part| maps[part.map].width).sum(),
            Output::Row(width) => *width,
        }
    }

    /// Takes the features of a pooling, or of the usual one, from those of all poolings.
    pub fn pooled(&self, all: &Pixels, pooling: Option<Pooling>) -> Pixels {
        let columns = self.columns(pooling).into_iter();
        Pixels::new(columns.flat_map(|columns| &all.values()[columns]).copied().collect())
    }

    /// Returns where the features of a pooling are in a row with those of all poolings.
    fn columns(&self, pooling: Option<Pooling>) -> Vec<Range<usize>> {
        let maps = match &self.output {
            Output::Maps(maps) => maps,
            Output::Row(width) => return std::iter::once(0..*width).collect(),
        };
        let wanted = self.parts(pooling);
        let mut end = 0;
        let columns = self.all_parts().into_iter().filter_map(|part| {
            let start = end;
            end += maps[part.map].width;
            wanted.contains(&part).then_some(start..end)
        });
        columns.collect()
    }

    /// Returns the parts of a row of features with a pooling, or with the usual one, in order.
    pub(super) fn parts(&self, pooling: Option<Pooling>) -> Vec<Part> {
        let pooling = pooling.or(self.poolings().first().copied());
        let is_wanted = |part: &Part| match pooling {
            Some(Pooling::Mean) => part.map == 0 && part.statistic == Statistic::Mean,
            Some(Pooling::Gem) => part.statistic == Statistic::GeneralisedMean,
            Some(Pooling::Layers) => part.statistic != Statistic::GeneralisedMean,
            None => false,
        };
        self.all_parts().into_iter().filter(is_wanted).collect()
    }

    /// Returns the parts of a row with the features of all poolings.
    pub(super) fn all_parts(&self) -> Vec<Part> {
        let Output::Maps(maps) = &self.output else { return Vec::new() };
        let of_map = |(map, it): (usize, &Map)| {
            let has = [
                (Statistic::Mean, true),
                (Statistic::Deviation, it.has_deviations),
                (Statistic::GeneralisedMean, map == 0),
            ];
            has.map(|(statistic, has)| has.then_some(Part { map, statistic }))
        };
        maps.iter().enumerate().flat_map(of_map).flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::described;
    use super::*;

    #[test]
    fn a_pooling_takes_its_columns_of_all_features() {
        // The last map has 4 channels, the other one 2 with deviations.
        let backbone = described();
        let all = Pixels::new((0..12_u8).map(f32::from).collect());
        let pooled = |pooling| backbone.pooled(&all, pooling).values().to_vec();
        assert_eq!(backbone.all_features(), 12);
        assert_eq!(pooled(Some(Pooling::Mean)), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(pooled(Some(Pooling::Gem)), [4.0, 5.0, 6.0, 7.0]);
        let layers = [0.0, 1.0, 2.0, 3.0, 8.0, 9.0, 10.0, 11.0];
        assert_eq!(pooled(Some(Pooling::Layers)), layers);
        assert_eq!(pooled(None), layers, "the usual pooling");
        for pooling in backbone.poolings() {
            assert_eq!(pooled(Some(*pooling)).len(), backbone.features(Some(*pooling)));
        }
    }
}
