//! Which things hang together.

/// For each of so many things the number of its component: things that edges connect, over others or
/// directly. Components are numbered in the order of their first things.
pub(super) fn components(
    n_things: usize,
    edges: impl IntoIterator<Item = [usize; 2]>,
) -> Vec<usize> {
    // Each thing points at one before it, and the first of a component at itself (R. Tarjan,
    // *Efficiency of a good but not linear set union algorithm*, 1975).
    let mut before: Vec<usize> = (0..n_things).collect();
    for edge in edges {
        let [left, right] = edge.map(|it| first(&mut before, it));
        before[left.max(right)] = left.min(right);
    }
    let mut numbers = vec![0; n_things];
    let mut count = 0;
    for at in 0..n_things {
        let first = first(&mut before, at);
        if first == at {
            numbers[at] = count;
            count += 1;
        } else {
            numbers[at] = numbers[first];
        }
    }
    numbers
}

/// The first of a thing's component; what is passed on the way is halved for the next who asks.
fn first(before: &mut [usize], mut at: usize) -> usize {
    while before[at] != at {
        before[at] = before[before[at]];
        at = before[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_connected_over_others_hangs_together() {
        assert_eq!(components(6, [[4, 5], [0, 2], [2, 4]]), [0, 1, 0, 2, 0, 0]);
        assert_eq!(components(3, []), [0, 1, 2]);
        assert_eq!(components(0, []), [] as [usize; 0]);
    }

    #[test]
    fn a_long_chain_is_walked_in_time() {
        let chain = (1..200_000).rev().map(|it| [it - 1, it]);
        assert!(components(200_000, chain).iter().all(|it| *it == 0));
    }
}
