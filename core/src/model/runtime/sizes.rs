//! How many pictures a run has.

/// The sizes of runs that a session is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    largest: usize,
    few: bool,
}

impl Sizes {
    /// Any up to `largest`, as on a CPU, which makes no plans for a shape.
    pub(super) fn any(largest: usize) -> Self {
        Self { largest, few: false }
    }

    /// Powers of two and `largest`, as on a GPU, where each new shape makes its first run wait for its plans: so few
    /// can all be run before the tower is in service.
    pub(super) fn few(largest: usize) -> Self {
        Self { largest, few: true }
    }

    /// The most pictures of one run.
    pub(super) fn largest(self) -> usize {
        self.largest
    }

    /// The size of the run that so many pictures go into, at most [`Sizes::largest`] of them.
    pub(super) fn of(self, pictures: usize) -> usize {
        if self.few { pictures.next_power_of_two().min(self.largest) } else { pictures }
    }

    /// Those that are to be run before the tower is in service.
    pub(super) fn to_warm(self) -> Vec<usize> {
        let all = (1..=self.largest).filter(|_| self.few);
        let mut sizes: Vec<usize> = all.map(|it| self.of(it)).collect();
        sizes.dedup();
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_sizes_hold_all_batches() {
        assert_eq!(Sizes::few(32).to_warm(), [1, 2, 4, 8, 16, 32]);
        assert_eq!(Sizes::few(24).to_warm(), [1, 2, 4, 8, 16, 24]);
        assert_eq!(Sizes::few(1).to_warm(), [1]);
        assert_eq!(Sizes::few(24).of(17), 24);
        assert_eq!(Sizes::any(24).of(17), 17);
        assert!(Sizes::any(24).to_warm().is_empty());
    }
}
