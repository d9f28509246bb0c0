//! The outline of a set of cells.

use std::collections::{HashMap, HashSet};

/// A corner of cells: columns from the left, rows from the top.
pub(super) type Corner = [usize; 2];

/// The outer outline of cells that are connected, also at their corners, clockwise from the first cell's upper left corner.
/// `cells` are indices in a map with this many columns, in ascending order.
///
/// Only corners where the outline turns are listed, and the first is not repeated.
pub(super) fn outline(cells: &[usize], columns: usize) -> Vec<Corner> {
    let Some(first) = cells.first() else { return Vec::new() };
    let is_inside: HashSet<usize> = cells.iter().copied().collect();
    // Clockwise: right along the upper edge, down the right one, left along the lower one, up the left one.
    let mut edges: HashMap<Corner, Vec<Direction>> = HashMap::new();
    for index in cells {
        let (row, column) = (index / columns, index % columns);
        let neighbour = |down: isize, right: isize| {
            let row = row.checked_add_signed(down)?;
            let column = column.checked_add_signed(right).filter(|column| *column < columns)?;
            Some(row * columns + column)
        };
        let is_edge =
            |down, right| !neighbour(down, right).is_some_and(|index| is_inside.contains(&index));
        let sides = [
            (is_edge(-1, 0), [column, row], Direction::Right),
            (is_edge(0, 1), [column + 1, row], Direction::Down),
            (is_edge(1, 0), [column + 1, row + 1], Direction::Left),
            (is_edge(0, -1), [column, row + 1], Direction::Up),
        ];
        for (is_edge, corner, direction) in sides {
            if is_edge {
                edges.entry(corner).or_default().push(direction);
            }
        }
    }
    let start = [first % columns, first / columns];
    let (mut corner, mut direction) = (start, Direction::Right);
    let mut corners = vec![start];
    loop {
        corner = direction.step(corner);
        // The first cell is the uppermost, and of these the leftmost, so the outline passes its corner once.
        if corner == start {
            return corners;
        }
        let onward = edges.get(&corner).map_or(&[][..], Vec::as_slice);
        // Where cells touch at a corner, the leftmost turn leads to the other cell, so all cells are within one outline.
        let next = direction.turns().into_iter().find(|turn| onward.contains(turn));
        let Some(next) = next else { return corners };
        if next != direction {
            corners.push(corner);
        }
        direction = next;
    }
}

/// The direction of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Right,
    Down,
    Left,
    Up,
}

impl Direction {
    const CLOCKWISE: [Self; 4] = [Self::Right, Self::Down, Self::Left, Self::Up];

    fn step(self, [column, row]: Corner) -> Corner {
        match self {
            Self::Right => [column + 1, row],
            Self::Down => [column, row + 1],
            Self::Left => [column - 1, row],
            Self::Up => [column, row - 1],
        }
    }

    /// Left, straight on, right.
    fn turns(self) -> [Self; 3] {
        let at = self as usize;
        [at + 3, at, at + 1].map(|at| Self::CLOCKWISE[at % 4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_has_four_corners() {
        assert_eq!(outline(&[5], 4), [[1, 1], [2, 1], [2, 2], [1, 2]]);
        assert_eq!(outline(&[0, 1, 4, 5], 4), [[0, 0], [2, 0], [2, 2], [0, 2]]);
        assert_eq!(outline(&[], 4), Vec::<Corner>::new());
    }

    #[test]
    fn cells_that_touch_at_a_corner_have_one_outline() {
        let expected = [[0, 0], [1, 0], [1, 1], [2, 1], [2, 2], [1, 2], [1, 1], [0, 1]];
        assert_eq!(outline(&[0, 5], 4), expected);
        // The other diagonal: the first cell is the upper right one.
        let expected = [[1, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2], [0, 1], [1, 1]];
        assert_eq!(outline(&[1, 4], 4), expected);
    }

    #[test]
    fn holes_are_left_out() {
        let ring = [0, 1, 2, 4, 6, 8, 9, 10];
        assert_eq!(outline(&ring, 4), [[0, 0], [3, 0], [3, 3], [0, 3]]);
    }

    #[test]
    fn any_cells_are_within_their_outline() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..2_000 {
            let columns = random.usize(1..6);
            let mut is_open: Vec<bool> = (0..columns * 5).map(|_| random.bool()).collect();
            let Some(first) = is_open.iter().position(|is_open| *is_open) else { continue };
            let cells = super::super::regions::connected(first, columns, &mut is_open);
            let corners = outline(&cells, columns);
            for cell in &cells {
                let point = [cell % columns, cell / columns];
                assert!(contains(&corners, point), "{cells:?} in {columns} columns: {corners:?}");
            }
        }
    }

    /// Whether the centre of a cell is inside: an odd number of vertical edges are on its left.
    fn contains(corners: &[Corner], [column, row]: Corner) -> bool {
        let next = corners.iter().cycle().skip(1);
        let crossed = corners.iter().zip(next).filter(|(one, other)| {
            let (top, bottom) = (one[1].min(other[1]), one[1].max(other[1]));
            one[0] == other[0] && one[0] <= column && top <= row && row < bottom
        });
        crossed.count() % 2 == 1
    }
}
