//! Merges points into groups by complete linkage, from the pairs within the threshold.

use std::collections::HashMap;
use std::mem;

use super::search::Pair;
use crate::score::Distance;

/// Groups that still grow.
struct Groups {
    groups: Vec<Growing>,
    /// The group of each point.
    group_of: Vec<u32>,
}

struct Growing {
    /// Empty if another group has taken them.
    points: Vec<u32>,
    /// The largest distance within.
    greatest: Distance,
    /// The number of visited pairs between this group and others, by the other group.
    visited: HashMap<u32, usize>,
}

/// All groups, also those of one point, with the largest distance within.
///
/// The pairs are visited from the nearest to the farthest. When the last pair between two groups is visited, its distance
/// is their largest one, so complete linkage merges them now. Two groups with a pair beyond the threshold are never
/// complete.
pub(super) fn merged(n_points: usize, mut pairs: Vec<Pair>) -> Vec<(Vec<u32>, Distance)> {
    pairs.sort_unstable_by(|one, other| {
        let order = one.distance.get().total_cmp(&other.distance.get());
        order.then((one.a, one.b).cmp(&(other.a, other.b)))
    });
    let mut groups = Groups::of_one(n_points);
    for pair in pairs {
        groups.visit(pair);
    }
    let full = groups.groups.into_iter().filter(|group| !group.points.is_empty());
    full.map(|group| (group.points, group.greatest)).collect()
}

impl Groups {
    /// A group for each point.
    fn of_one(n_points: usize) -> Self {
        let points = 0..u32::try_from(n_points).expect("an index has 32 bits");
        let greatest = Distance::try_from(0.0).expect("0 is a distance");
        let groups = points.clone().map(|point| Growing {
            points: vec![point],
            greatest,
            visited: HashMap::new(),
        });
        Self { groups: groups.collect(), group_of: points.collect() }
    }

    fn visit(&mut self, Pair { distance, a, b }: Pair) {
        let [a, b] = [a, b].map(|point| self.group_of[point as usize]);
        let [one, other] = [a, b].map(|group| &self.groups[group as usize]);
        let visited = one.visited.get(&b).map_or(1, |pairs| pairs + 1);
        if one.points.len() * other.points.len() <= visited {
            // The smaller map moves, so that all moves together take little time.
            let is_smaller = one.visited.len() < other.visited.len();
            let [kept, left] = if is_smaller { [b, a] } else { [a, b] };
            self.merge(kept, left);
            self.groups[kept as usize].greatest = distance;
        } else {
            self.count(a, b, visited);
        }
    }

    /// Moves all of one group to another.
    fn merge(&mut self, kept: u32, left: u32) {
        let points = mem::take(&mut self.groups[left as usize].points);
        for point in &points {
            self.group_of[*point as usize] = kept;
        }
        self.groups[kept as usize].points.extend(points);
        self.groups[kept as usize].visited.remove(&left);
        for (other, pairs) in mem::take(&mut self.groups[left as usize].visited) {
            if other != kept {
                self.groups[other as usize].visited.remove(&left);
                let already = self.groups[kept as usize].visited.get(&other).copied();
                self.count(kept, other, already.unwrap_or(0) + pairs);
            }
        }
    }

    /// Notes the number of visited pairs between two groups.
    fn count(&mut self, a: u32, b: u32, pairs: usize) {
        self.groups[a as usize].visited.insert(b, pairs);
        self.groups[b as usize].visited.insert(a, pairs);
    }
}
