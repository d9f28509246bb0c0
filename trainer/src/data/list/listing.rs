//! What is compared with what, where somebody said so rather than who is shown.

/// Pairs, and triplets where they were written down as such.
///
/// Images are told by their place in a row of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub(in crate::data) pairs: Vec<ListedPair>,
    pub(in crate::data) triplets: Vec<[usize; 3]>,
    /// The first line on which each image stands.
    pub(in crate::data) lines: Vec<u64>,
    /// Lines that say again what others said.
    pub(in crate::data) repeated: Vec<u64>,
}

/// Two images that were compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedPair {
    /// One image.
    pub left: usize,
    /// The other.
    pub right: usize,
    /// What was said of them.
    pub is_same: bool,
}

/// From this share of the pairs on, a single component makes the intervals unsure.
const LARGE_SHARE: usize = 4;

impl Listing {
    /// Every pair once; those of a triplet are its anchor with either other.
    pub fn pairs(&self) -> &[ListedPair] {
        &self.pairs
    }

    /// Anchor, another of the same, and one that is different; none of a list of pairs.
    pub fn triplets(&self) -> &[[usize; 3]] {
        &self.triplets
    }

    /// The line on which an image first stands.
    pub(in crate::data) fn line(&self, image: usize) -> u64 {
        self.lines[image]
    }

    /// Whether there are same pairs and different ones.
    pub fn has_both_kinds(&self) -> bool {
        self.pairs.iter().any(|it| it.is_same) && self.pairs.iter().any(|it| !it.is_same)
    }

    /// What is left where each image stands elsewhere, or no more.
    pub(in crate::data) fn moved(&self, places: &[Option<usize>]) -> Self {
        let pair = |it: &ListedPair| {
            Some(ListedPair { left: places[it.left]?, right: places[it.right]?, ..*it })
        };
        let triplet = |it: &[usize; 3]| Some([places[it[0]]?, places[it[1]]?, places[it[2]]?]);
        let lines = self.lines.iter().zip(places).filter(|(_, place)| place.is_some());
        Self {
            pairs: self.pairs.iter().filter_map(pair).collect(),
            triplets: self.triplets.iter().filter_map(triplet).collect(),
            lines: lines.map(|(line, _)| *line).collect(),
            repeated: self.repeated.clone(),
        }
    }

    /// Adds the same of as many images that stand `by` places further on.
    pub(in crate::data) fn repeat(&mut self, of: &Self, by: usize) {
        self.pairs.extend(of.pairs.iter().map(|it| ListedPair {
            left: it.left + by,
            right: it.right + by,
            ..*it
        }));
        self.triplets.extend(of.triplets.iter().map(|it| it.map(|place| place + by)));
        self.lines.extend(&of.lines);
    }

    /// What to be warned of, where the row's images make components of these `sizes`.
    pub(in crate::data) fn warnings(&self, sizes: &[usize]) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.repeated.is_empty() {
            let lines: Vec<_> = self.repeated.iter().map(ToString::to_string).collect();
            warnings.push(format!(
                "lines say again what others said, and count once ({}): {}",
                lines.len(),
                crate::data::error::listed(&lines)
            ));
        }
        let ends: Vec<usize> = sizes
            .iter()
            .scan(0, |sum, size| {
                *sum += size;
                Some(*sum)
            })
            .collect();
        let mut counts = vec![0; sizes.len()];
        for pair in &self.pairs {
            counts[ends.partition_point(|end| *end <= pair.left)] += 1;
        }
        let largest = counts.into_iter().max().unwrap_or_default();
        if sizes.len() < 2 {
            warnings.push(
                "the pairs connect all images with each other, so nobody can say how the figures would \
                 vary with other images"
                    .to_owned(),
            );
        } else if self.pairs.len() < LARGE_SHARE * largest {
            warnings.push(format!(
                "{largest} of the {} pairs are connected with each other by images they share, so that they \
                 vary together: take the intervals with care",
                self.pairs.len()
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(pairs: &[(usize, usize)], n_images: usize) -> Listing {
        let pair = |(left, right): &(usize, usize)| ListedPair {
            left: *left,
            right: *right,
            is_same: true,
        };
        let pairs = pairs.iter().map(pair).collect();
        Listing { pairs, lines: vec![2; n_images], ..Listing::default() }
    }

    #[test]
    fn what_is_gone_takes_its_pairs_along() {
        let left = listing(&[(0, 1), (1, 2), (2, 3)], 4).moved(&[None, Some(0), Some(1), Some(2)]);
        assert_eq!(left, listing(&[(0, 1), (1, 2)], 3));
        assert!(!left.has_both_kinds());
    }

    #[test]
    fn pairs_that_hang_together_are_warned_of() {
        let chain = listing(&[(0, 1), (1, 2)], 3);
        assert!(chain.warnings(&[3])[0].contains("connect all images"));
        let mixed = listing(&[(0, 1), (1, 2), (2, 0), (3, 4), (5, 6)], 7);
        assert!(mixed.warnings(&[3, 2, 2])[0].starts_with("3 of the 5 pairs"));
        let apart = listing(&[(0, 1), (2, 3), (4, 5), (6, 7)], 8);
        assert_eq!(apart.warnings(&[2; 4]), [] as [&str; 0]);
    }
}
