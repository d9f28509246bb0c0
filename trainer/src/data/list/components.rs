//! The connected components of a graph.

/// Returns the component number of each of `n_nodes` nodes. Components are numbered in the order of their first nodes.
pub(super) fn components(
    n_nodes: usize,
    edges: impl IntoIterator<Item = [usize; 2]>,
) -> Vec<usize> {
    // Each node points at an earlier node of its component; the first node points at itself (R. Tarjan,
    // *Efficiency of a good but not linear set union algorithm*, 1975).
    let mut parents: Vec<usize> = (0..n_nodes).collect();
    for edge in edges {
        let [left, right] = edge.map(|node| root(&mut parents, node));
        parents[left.max(right)] = left.min(right);
    }
    let mut numbers = vec![0; n_nodes];
    let mut count = 0;
    for node in 0..n_nodes {
        let root = root(&mut parents, node);
        if root == node {
            numbers[node] = count;
            count += 1;
        } else {
            numbers[node] = numbers[root];
        }
    }
    numbers
}

/// Returns the first node of a component, and halves the path to it.
fn root(parents: &mut [usize], mut node: usize) -> usize {
    while parents[node] != node {
        parents[node] = parents[parents[node]];
        node = parents[node];
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indirectly_connected_nodes_are_one_component() {
        assert_eq!(components(6, [[4, 5], [0, 2], [2, 4]]), [0, 1, 0, 2, 0, 0]);
        assert_eq!(components(3, []), [0, 1, 2]);
        assert_eq!(components(0, []), [] as [usize; 0]);
    }

    #[test]
    fn a_long_chain_takes_linear_time() {
        let chain = (1..200_000).rev().map(|node| [node - 1, node]);
        assert!(components(200_000, chain).iter().all(|number| *number == 0));
    }
}
