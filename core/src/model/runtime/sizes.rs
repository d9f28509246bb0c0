//! The number of images in a run.

/// The batch sizes that a session runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    largest: usize,
    few: bool,
}

impl Sizes {
    /// Any size up to `largest`: for a CPU, which needs no plan for each shape.
    pub(super) fn any(largest: usize) -> Self {
        Self { largest, few: false }
    }

    /// Powers of two and `largest`: for a GPU, where the first run of each new shape builds its plans. These few sizes
    /// can all be run before the model is in service.
    pub(super) fn few(largest: usize) -> Self {
        Self { largest, few: true }
    }

    /// The most images in one run.
    pub(super) fn largest(self) -> usize {
        self.largest
    }

    /// The size of the run for this number of images, which is at most [`Sizes::largest`].
    pub(super) fn of(self, images: usize) -> usize {
        if self.few { images.next_power_of_two().min(self.largest) } else { images }
    }

    /// The sizes to run before the model is in service.
    pub(super) fn to_warm(self) -> Vec<usize> {
        let all = (1..=self.largest).filter(|_| self.few);
        let mut sizes: Vec<usize> = all.map(|images| self.of(images)).collect();
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
