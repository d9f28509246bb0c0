//! Groups of images that show the same thing, from their embeddings.

mod merge;
mod search;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::mem;

use thiserror::Error;

use super::{Distance, Embedding, Threshold};

/// The most pairs within the threshold. Beyond it, nearly everything is near everything, and no groups can be told.
/// This many pairs take about 256 MiB, and their merging at most twice as much again.
const MOST_PAIRS: usize = 1 << 24;

/// Embeddings of which any two are within the threshold.
///
/// Invariant: there are at least two members.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The indices of the members. Those of equal embeddings are together. All are in ascending order.
    pub members: Vec<Vec<usize>>,
    /// The largest distance between two members.
    pub greatest: Distance,
}

impl Group {
    /// The number of members; at least 2.
    #[expect(clippy::len_without_is_empty, reason = "no group is empty")]
    pub fn len(&self) -> usize {
        self.members.iter().map(Vec::len).sum()
    }
}

/// The threshold is too large for these embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("more than {most} pairs are within the threshold {threshold:.4}", most = MOST_PAIRS, threshold = .0.get())]
pub struct TooManyPairs(pub Threshold);

/// Finds groups by complete linkage: any two members of a group are within the threshold. Single linkage would chain
/// different things into one group, because each is near the next.
///
/// Those two groups merge first whose largest distance is the smallest. Of equal distances, the pair with the smaller
/// index is first. The largest group is returned first, then the one with the smallest member. Embeddings that are in no
/// group are alone.
///
/// All pairs are compared, on all cores. Memory grows with the pairs within the threshold, and not with all pairs.
/// `compared` is told the number of embeddings that have been compared with all others since the last call.
///
/// # Panics
///
/// If the embeddings differ in width, or if there are more than `u32::MAX`.
pub fn group(
    embeddings: &[Embedding],
    threshold: Threshold,
    compared: impl Fn(usize) + Sync,
) -> Result<Vec<Group>, TooManyPairs> {
    group_within(embeddings, threshold, MOST_PAIRS, compared)
}

fn group_within(
    embeddings: &[Embedding],
    threshold: Threshold,
    most_pairs: usize,
    compared: impl Fn(usize) + Sync,
) -> Result<Vec<Group>, TooManyPairs> {
    let mut copies = copies(embeddings);
    let distinct: Vec<&Embedding> = copies.iter().map(|copies| &embeddings[copies[0]]).collect();
    let pairs = search::within(&distinct, threshold, most_pairs, compared)
        .ok_or(TooManyPairs(threshold))?;
    let merged = merge::merged(distinct.len(), pairs).into_iter();
    let mut groups: Vec<Group> = merged
        .map(|(mut points, greatest)| {
            points.sort_unstable();
            let members = points.iter().map(|point| mem::take(&mut copies[*point as usize]));
            Group { members: members.collect(), greatest }
        })
        .filter(|group| 1 < group.len())
        .collect();
    groups.sort_by_key(|group| (Reverse(group.len()), group.members[0][0]));
    Ok(groups)
}

/// The indices of equal embeddings, together, in the order of their first. A folder with many copies of an image would
/// otherwise have as many pairs as the square of their number.
fn copies(embeddings: &[Embedding]) -> Vec<Vec<usize>> {
    let mut places = HashMap::new();
    let mut copies: Vec<Vec<usize>> = Vec::new();
    for (index, embedding) in embeddings.iter().enumerate() {
        // The sum makes -0, which is equal to 0, the same.
        let bits = embedding.coordinates().iter().map(|coordinate| (coordinate + 0.0).to_bits());
        let bits: Vec<u32> = bits.collect();
        let place = *places.entry(bits).or_insert(copies.len());
        if place == copies.len() {
            copies.push(Vec::new());
        }
        copies[place].push(index);
    }
    copies
}

#[cfg(test)]
mod tests;
