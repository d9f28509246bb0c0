//! Batch norm, `ReLU` and pooling of one plane (a channel of an image).

/// The number of parallel partial sums, for vector registers.
const SIDE_BY_SIDE: usize = 16;

/// The transformation of a channel's values before the `ReLU`: `value · scale + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Affine {
    pub(crate) scale: f32,
    pub(crate) shift: f32,
}

/// The transformation of a gradient by a batch norm: `gradient · scale + (value − mean) · slope + shift`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage {
    pub(crate) scale: f32,
    pub(crate) slope: f32,
    pub(crate) shift: f32,
    pub(crate) mean: f32,
}

impl Affine {
    #[inline(always)]
    fn apply(self, value: f32) -> f32 {
        value * self.scale + self.shift
    }

    /// Scales and shifts a plane, and sets negative values to 0.
    #[inline(always)]
    pub(crate) fn rectify(self, values: &[f32], results: &mut [f32]) {
        for (value, result) in values.iter().zip(results) {
            *result = self.apply(*value).max(0.0);
        }
    }

    /// Applies [`Affine::rectify`] and 2x2 max pooling; the last row or column of an odd side is ignored.
    #[inline(always)]
    pub(crate) fn rectify_pooled(self, values: &[f32], width: usize, results: &mut [f32]) {
        let rows = results.chunks_exact_mut(width / 2);
        for (two, results) in values.chunks_exact(2 * width).zip(rows) {
            let (upper, lower) = two.split_at(width);
            let (upper, lower) = (upper.as_chunks::<2>().0, lower.as_chunks::<2>().0);
            for ((upper, lower), result) in upper.iter().zip(lower).zip(results) {
                let [a, b] = upper.map(|value| self.apply(value));
                let [c, d] = lower.map(|value| self.apply(value));
                *result = a.max(b).max(c.max(d)).max(0.0);
            }
        }
    }

    /// Computes the gradient before the `ReLU` from the gradient after it.
    #[inline(always)]
    pub(crate) fn unrectify(self, values: &[f32], gradients: &[f32], results: &mut [f32]) {
        for ((value, gradient), result) in values.iter().zip(gradients).zip(results) {
            *result = if 0.0 < self.apply(*value) { *gradient } else { 0.0 };
        }
    }

    /// Computes the gradient before `ReLU` and pooling from the gradient after them; it goes to the first largest value.
    #[inline(always)]
    pub(crate) fn unrectify_pooled(
        self,
        values: &[f32],
        width: usize,
        gradients: &[f32],
        results: &mut [f32],
    ) {
        results.fill(0.0);
        let rows = values.chunks_exact(2 * width).zip(results.chunks_exact_mut(2 * width));
        for ((two, results), gradients) in rows.zip(gradients.chunks_exact(width / 2)) {
            let (upper, lower) = two.split_at(width);
            let (upper, lower) = (upper.as_chunks::<2>().0, lower.as_chunks::<2>().0);
            let (above, below) = results.split_at_mut(width);
            let (above, below) = (above.as_chunks_mut::<2>().0, below.as_chunks_mut::<2>().0);
            let values = upper.iter().zip(lower);
            let results = above.iter_mut().zip(below);
            for (((upper, lower), (above, below)), gradient) in values.zip(results).zip(gradients) {
                let [a, b] = upper.map(|value| self.apply(value));
                let [c, d] = lower.map(|value| self.apply(value));
                let or_zero = |is_largest: bool| if is_largest { *gradient } else { 0.0 };
                *above = [
                    or_zero((0.0 < a) && (b.max(c.max(d)) <= a)),
                    or_zero((0.0_f32.max(a) < b) && (c.max(d) <= b)),
                ];
                *below = [
                    or_zero((0.0_f32.max(a.max(b)) < c) && (d <= c)),
                    or_zero(0.0_f32.max(a.max(b)).max(c) < d),
                ];
            }
        }
    }
}

impl Passage {
    /// Converts gradients after a batch norm to those before it.
    #[inline(always)]
    pub(crate) fn apply(self, values: &[f32], gradients: &mut [f32]) {
        for (value, gradient) in values.iter().zip(gradients) {
            *gradient = *gradient * self.scale + ((*value - self.mean) * self.slope + self.shift);
        }
    }
}

/// Returns the mean of a plane, and the sum of squared differences from it.
#[inline(always)]
pub(crate) fn moments(values: &[f32]) -> [f32; 2] {
    #[expect(clippy::cast_precision_loss, reason = "a plane has far fewer than 2^24 pixels")]
    let mean = sum(values, |value| value) / values.len() as f32;
    [mean, sum(values, |value| (value - mean) * (value - mean))]
}

/// Returns the sum of gradients, and the sum of their products with the values' differences from a mean.
#[inline(always)]
pub(crate) fn gradient_sums(gradients: &[f32], values: &[f32], mean: f32) -> [f32; 2] {
    let (many, rest) = gradients.as_chunks::<SIDE_BY_SIDE>();
    let (values, values_rest) = values.as_chunks::<SIDE_BY_SIDE>();
    let mut sums = [0.0; SIDE_BY_SIDE];
    for (gradients, values) in many.iter().zip(values) {
        for ((sum, gradient), value) in sums.iter_mut().zip(gradients).zip(values) {
            *sum += gradient * (value - mean);
        }
    }
    let rest = rest.iter().zip(values_rest).map(|(it, value)| it * (value - mean)).sum::<f32>();
    [sum(gradients, |value| value), sums.iter().sum::<f32>() + rest]
}

#[inline(always)]
fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let (many, rest) = values.as_chunks::<SIDE_BY_SIDE>();
    let mut sums = [0.0; SIDE_BY_SIDE];
    for values in many {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += of(*value);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|value| of(*value)).sum::<f32>()
}
