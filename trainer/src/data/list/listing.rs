//! The pairs and triplets of a list.

use super::ChangedArea;

/// The pairs of a list, and its triplets.
///
/// They refer to images by index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    pub(in crate::data) pairs: Vec<ListedPair>,
    pub(in crate::data) triplets: Vec<[usize; 3]>,
    /// The lines that repeat an earlier line.
    pub(in crate::data) repeated: Vec<u64>,
    /// Whether the images of a pair show one place before and after.
    pub(in crate::data) is_of_changes: bool,
    /// Where pairs have changed, if the list tells it.
    pub(in crate::data) areas: Vec<ChangedArea>,
}

/// Two images to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedPair {
    /// The index of the first image.
    pub left: usize,
    /// The index of the second image.
    pub right: usize,
    /// Whether the label is same.
    pub is_same: bool,
    /// The index of its area in the listing, if the list tells where it has changed.
    pub(in crate::data) area: Option<usize>,
}

/// If one component has more than 1/4 of the pairs, the intervals are unreliable.
const LARGE_SHARE: usize = 4;

impl Listing {
    /// Returns every pair once. A triplet gives two pairs: anchor and positive, anchor and negative.
    pub fn pairs(&self) -> &[ListedPair] {
        &self.pairs
    }

    /// Returns where a pair has changed; `None` if the list does not tell it.
    pub fn area(&self, pair: &ListedPair) -> Option<&ChangedArea> {
        pair.area.map(|area| &self.areas[area])
    }

    /// Returns whether the list tells where pairs have changed.
    pub fn tells_places(&self) -> bool {
        !self.areas.is_empty()
    }

    /// Returns the triplets as `[anchor, positive, negative]`; a list of pairs has none.
    pub fn triplets(&self) -> &[[usize; 3]] {
        &self.triplets
    }

    /// Returns whether there are same pairs and different pairs.
    pub fn has_both_kinds(&self) -> bool {
        self.pairs.iter().any(|pair| pair.is_same) && self.pairs.iter().any(|pair| !pair.is_same)
    }

    /// Returns the listing with new indices of the images. Pairs and triplets with a removed image (`None`) are dropped.
    pub(in crate::data) fn reindexed(&self, new: &[Option<usize>]) -> Self {
        let pair = |pair: &ListedPair| {
            Some(ListedPair { left: new[pair.left]?, right: new[pair.right]?, ..*pair })
        };
        let triplet = |images: &[usize; 3]| {
            let [anchor, positive, negative] = images.map(|image| new[image]);
            Some([anchor?, positive?, negative?])
        };
        Self {
            pairs: self.pairs.iter().filter_map(pair).collect(),
            triplets: self.triplets.iter().filter_map(triplet).collect(),
            repeated: self.repeated.clone(),
            is_of_changes: self.is_of_changes,
            areas: self.areas.clone(),
        }
    }

    /// Adds the pairs and triplets of `of`, with all indices increased by `by`.
    pub(in crate::data) fn repeat(&mut self, of: &Self, by: usize) {
        self.pairs.extend(of.pairs.iter().map(|pair| ListedPair {
            left: pair.left + by,
            right: pair.right + by,
            ..*pair
        }));
        self.triplets.extend(of.triplets.iter().map(|triplet| triplet.map(|image| image + by)));
    }

    /// Returns warnings; `sizes` are the numbers of images in the components.
    pub fn warnings(&self, sizes: &[usize]) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.repeated.is_empty() {
            let lines: Vec<_> = self.repeated.iter().map(ToString::to_string).collect();
            warnings.push(format!(
                "lines repeat earlier lines and count once ({}): {}",
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
                "the pairs connect all images with each other, so the results have no intervals"
                    .to_owned(),
            );
        } else if 1 < largest && self.pairs.len() < LARGE_SHARE * largest {
            warnings.push(format!(
                "{largest} of the {} pairs are connected by shared images and are not independent: the intervals are \
                 unreliable",
                self.pairs.len()
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(pairs: &[(usize, usize)]) -> Listing {
        let pair = |(left, right): &(usize, usize)| ListedPair {
            left: *left,
            right: *right,
            is_same: true,
            area: None,
        };
        let pairs = pairs.iter().map(pair).collect();
        Listing { pairs, ..Listing::default() }
    }

    #[test]
    fn a_removed_image_removes_its_pairs() {
        let all = listing(&[(0, 1), (1, 2), (2, 3)]);
        let rest = all.reindexed(&[None, Some(0), Some(1), Some(2)]);
        assert_eq!(rest, listing(&[(0, 1), (1, 2)]));
        assert!(!rest.has_both_kinds());
    }

    #[test]
    fn connected_pairs_give_a_warning() {
        let chain = listing(&[(0, 1), (1, 2)]);
        assert!(chain.warnings(&[3])[0].contains("connect all images"));
        let mixed = listing(&[(0, 1), (1, 2), (2, 0), (3, 4), (5, 6)]);
        assert!(mixed.warnings(&[3, 2, 2])[0].starts_with("3 of the 5 pairs"));
        let apart = listing(&[(0, 1), (2, 3), (4, 5), (6, 7)]);
        assert_eq!(apart.warnings(&[2; 4]), [] as [&str; 0]);
    }
}
