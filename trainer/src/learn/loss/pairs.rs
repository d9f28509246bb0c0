//! The pairs and triplets of a batch.

/// Pairs of a batch, as indices of images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs {
    /// The first image of each pair.
    pub left: Vec<usize>,
    /// The second image of each pair.
    pub right: Vec<usize>,
    /// Whether the pair is a different pair.
    pub different: Vec<bool>,
}

/// Triplets of a batch, as indices of images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Triplets {
    /// The anchors.
    pub anchor: Vec<usize>,
    /// The positives: other images of the anchor's identity.
    pub same: Vec<usize>,
    /// The negatives: images of another identity.
    pub different: Vec<usize>,
}

impl Pairs {
    /// Returns all pairs; `identities` has the identity of each image.
    pub fn all(identities: &[usize]) -> Self {
        let mut pairs = Self::default();
        for left in 0..identities.len() {
            for right in left + 1..identities.len() {
                pairs.push(left, right, identities[left] != identities[right]);
            }
        }
        pairs
    }

    /// Returns the pairs of neighbours: 0 with 1, 2 with 3, and so on.
    pub fn neighbours(identities: &[usize]) -> Self {
        Self::labelled(identities.chunks_exact(2).map(|two| two[0] != two[1]))
    }

    /// Returns the pairs of neighbours, 0 with 1, 2 with 3, and so on, with the given labels.
    pub fn labelled(different: impl IntoIterator<Item = bool>) -> Self {
        let mut pairs = Self::default();
        for (pair, different) in different.into_iter().enumerate() {
            pairs.push(2 * pair, 2 * pair + 1, different);
        }
        pairs
    }

    /// Returns the number of pairs.
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// Returns whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    fn push(&mut self, left: usize, right: usize, different: bool) {
        self.left.push(left);
        self.right.push(right);
        self.different.push(different);
    }
}

impl Triplets {
    /// Returns all triplets; `identities` has the identity of each image.
    pub fn all(identities: &[usize]) -> Self {
        let mut triplets = Self::default();
        for (anchor, of_anchor) in identities.iter().enumerate() {
            for (same, of_same) in identities.iter().enumerate() {
                if same == anchor || of_same != of_anchor {
                    continue;
                }
                for (different, of_different) in identities.iter().enumerate() {
                    if of_different != of_anchor {
                        triplets.push(anchor, same, different);
                    }
                }
            }
        }
        triplets
    }

    /// Returns the triplets of neighbours: 0, 1, 2, then 3, 4, 5, and so on.
    pub fn neighbours(n_images: usize) -> Self {
        let mut triplets = Self::default();
        for triplet in 0..n_images / 3 {
            triplets.push(3 * triplet, 3 * triplet + 1, 3 * triplet + 2);
        }
        triplets
    }

    fn push(&mut self, anchor: usize, same: usize, different: usize) {
        self.anchor.push(anchor);
        self.same.push(same);
        self.different.push(different);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_images_have_six_pairs() {
        let pairs = Pairs::all(&[7, 7, 9, 9]);
        assert_eq!(pairs.left, [0, 0, 0, 1, 1, 2]);
        assert_eq!(pairs.right, [1, 2, 3, 2, 3, 3]);
        assert_eq!(pairs.different, [false, true, true, true, true, false]);
    }

    #[test]
    fn each_positive_is_combined_with_each_negative() {
        let triplets = Triplets::all(&[7, 7, 9]);
        assert_eq!(triplets.anchor, [0, 1]);
        assert_eq!(triplets.same, [1, 0]);
        assert_eq!(triplets.different, [2, 2]);
    }
}
