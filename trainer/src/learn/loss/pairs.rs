//! Which images of a batch are compared with which.

/// Pairs of a batch's images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs {
    /// One image of each pair.
    pub left: Vec<usize>,
    /// The other.
    pub right: Vec<usize>,
    /// Whether the two differ in identity.
    pub different: Vec<bool>,
}

/// Triplets of a batch's images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Triplets {
    /// The image compared.
    pub anchor: Vec<usize>,
    /// Another of the anchor's identity.
    pub same: Vec<usize>,
    /// One of another identity.
    pub different: Vec<usize>,
}

impl Pairs {
    /// All pairs, where `identities` names each image's.
    pub fn all(identities: &[usize]) -> Self {
        let mut pairs = Self::default();
        for left in 0..identities.len() {
            for right in left + 1..identities.len() {
                pairs.push(left, right, identities[left] != identities[right]);
            }
        }
        pairs
    }

    /// Neighbours: 0 with 1, 2 with 3, and so on.
    pub fn neighbours(identities: &[usize]) -> Self {
        Self::side_by_side(identities.chunks_exact(2).map(|two| two[0] != two[1]))
    }

    /// 0 with 1, 2 with 3, and so on, where it is said of each two whether they are different.
    pub fn side_by_side(different: impl IntoIterator<Item = bool>) -> Self {
        let mut pairs = Self::default();
        for (at, different) in different.into_iter().enumerate() {
            pairs.push(2 * at, 2 * at + 1, different);
        }
        pairs
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// Whether there is none.
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
    /// All triplets, where `identities` names each image's.
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

    /// Neighbours: 0, 1, 2, then 3, 4, 5, and so on.
    pub fn neighbours(n_images: usize) -> Self {
        let mut triplets = Self::default();
        for at in (0..n_images / 3).map(|it| 3 * it) {
            triplets.push(at, at + 1, at + 2);
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
    fn all_pairs_of_four_are_six() {
        let pairs = Pairs::all(&[7, 7, 9, 9]);
        assert_eq!(pairs.left, [0, 0, 0, 1, 1, 2]);
        assert_eq!(pairs.right, [1, 2, 3, 2, 3, 3]);
        assert_eq!(pairs.different, [false, true, true, true, true, false]);
    }

    #[test]
    fn an_anchor_meets_each_of_its_own_with_each_other() {
        let triplets = Triplets::all(&[7, 7, 9]);
        assert_eq!(triplets.anchor, [0, 1]);
        assert_eq!(triplets.same, [1, 0]);
        assert_eq!(triplets.different, [2, 2]);
    }
}
