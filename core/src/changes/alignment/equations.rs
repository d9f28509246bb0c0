//! Least squares.

/// The normal equations of a weighted least-squares fit with up to six unknowns.
#[derive(Default)]
pub(super) struct Equations {
    matrix: [[f64; 6]; 6],
    right: [f64; 6],
}

impl Equations {
    /// Adds an equation: the sum of `slopes` times the unknowns is `difference`.
    pub(super) fn add(&mut self, slopes: [f64; 6], difference: f64, weight: f64) {
        for row in 0..6 {
            for column in 0..=row {
                self.matrix[row][column] += weight * slopes[row] * slopes[column];
            }
            self.right[row] += weight * slopes[row] * difference;
        }
    }

    /// Solves for the first unknowns, by the decomposition of Cholesky; the others are 0. `None` if they are not
    /// determined.
    pub(super) fn solve(mut self, unknowns: usize) -> Option<[f64; 6]> {
        for column in 0..unknowns {
            for row in column..unknowns {
                let known: f64 = (0..column)
                    .map(|index| self.matrix[row][index] * self.matrix[column][index])
                    .sum();
                let rest = self.matrix[row][column] - known;
                self.matrix[row][column] = if row == column {
                    let is_determined = 1e-9 * self.matrix[row][column] < rest && rest.is_normal();
                    is_determined.then(|| rest.sqrt())?
                } else {
                    rest / self.matrix[column][column]
                };
            }
        }
        let mut solution = [0.0; 6];
        for row in 0..unknowns {
            let known: f64 = (0..row).map(|index| self.matrix[row][index] * solution[index]).sum();
            solution[row] = (self.right[row] - known) / self.matrix[row][row];
        }
        for row in (0..unknowns).rev() {
            let known: f64 =
                (row + 1..unknowns).map(|index| self.matrix[index][row] * solution[index]).sum();
            solution[row] = (solution[row] - known) / self.matrix[row][row];
        }
        Some(solution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [f64; 6] = [1.0, -2.0, 0.5, 3.0, 0.0, -1.0];

    /// Equations that `KNOWN` solves, with `unknowns` of it.
    fn equations(unknowns: usize) -> Equations {
        let mut equations = Equations::default();
        for index in 0..12_u32 {
            let slopes = [0, 1, 2, 3, 4, 5].map(|power| (f64::from(index) / 6.0 - 1.0).powi(power));
            let sum = (0..unknowns).map(|unknown| slopes[unknown] * KNOWN[unknown]).sum();
            equations.add(slopes, sum, 1.0 + f64::from(index));
        }
        equations
    }

    #[test]
    fn the_unknowns_are_found() {
        for unknowns in [2, 6] {
            let found = equations(unknowns).solve(unknowns).expect("a solution");
            let pairs = found.iter().zip(KNOWN).take(unknowns);
            assert!(pairs.clone().all(|(found, known)| (found - known).abs() < 1e-6), "{found:?}");
            assert!(found[unknowns..].iter().all(|rest| *rest == 0.0));
        }
    }

    #[test]
    fn too_few_equations_have_no_solution() {
        let mut equations = Equations::default();
        assert_eq!(Equations::default().solve(2), None);
        equations.add([1.0, 2.0, 0.0, 0.0, 0.0, 0.0], 1.0, 1.0);
        equations.add([2.0, 4.0, 0.0, 0.0, 0.0, 0.0], 2.0, 1.0);
        assert_eq!(equations.solve(2), None);
    }
}
