//! The operations on one image or a few, compiled for several kinds of processors.

use pulp::{Arch, Simd, WithSimd};

use crate::convolution::{Convolution, InputGradient, Scratch};
use crate::geometry::Geometry;
use crate::norm::{Affine, Passage, gradient_sums, moments};
use crate::unit::Unit;
use crate::weight_gradient::WeightGradient;

/// Returns the number of values in a vector of this processor.
pub(crate) fn lanes(arch: Arch) -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    arch.dispatch(Lanes)
}

/// Convolves an image, and returns the moments of its planes.
pub(crate) struct Convolving<'a> {
    pub(crate) convolution: &'a Convolution,
    pub(crate) image: &'a [f32],
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) results: &'a mut [f32],
    pub(crate) plane: usize,
}

impl WithSimd for Convolving<'_> {
    type Output = Vec<[f32; 2]>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<[f32; 2]> {
        self.convolution.apply(simd, self.image, self.scratch, self.results);
        self.results.chunks_exact(self.plane).map(moments).collect()
    }
}

/// Applies batch norm, `ReLU` and pooling to the output of a convolution.
pub(crate) struct Rectifying<'a> {
    pub(crate) unit: &'a Unit,
    pub(crate) affine: &'a [Affine],
    pub(crate) results: &'a mut [f32],
}

impl Rectifying<'_> {
    #[inline(always)]
    fn apply(self, convolved: &[f32]) {
        let [_, width] = self.unit.geometry.output();
        let plane = self.unit.side().iter().product::<usize>();
        let planes = convolved.chunks_exact(self.unit.plane()).zip(self.affine);
        for ((values, affine), results) in planes.zip(self.results.chunks_exact_mut(plane)) {
            if self.unit.pooled {
                affine.rectify_pooled(values, width, results);
            } else {
                affine.rectify(values, results);
            }
        }
    }
}

pub(crate) struct RectifyingImage<'a> {
    pub(crate) convolved: &'a [f32],
    pub(crate) rectifying: Rectifying<'a>,
}

impl WithSimd for RectifyingImage<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.rectifying.apply(self.convolved);
    }
}

pub(crate) struct Evaluating<'a> {
    pub(crate) convolution: &'a Convolution,
    pub(crate) image: &'a [f32],
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) convolved: &'a mut [f32],
    pub(crate) rectifying: Rectifying<'a>,
}

impl WithSimd for Evaluating<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.convolution.apply(simd, self.image, self.scratch, self.convolved);
        self.rectifying.apply(self.convolved);
    }
}

/// Computes the gradient of an image before the `ReLU`, and the sums that the batch norm needs.
pub(crate) struct Unrectifying<'a> {
    pub(crate) unit: &'a Unit,
    pub(crate) affine: &'a [Affine],
    pub(crate) mean: &'a [f32],
    pub(crate) convolved: &'a [f32],
    pub(crate) gradient: &'a [f32],
    pub(crate) results: &'a mut [f32],
}

impl WithSimd for Unrectifying<'_> {
    type Output = Vec<[f32; 2]>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<[f32; 2]> {
        let [_, width] = self.unit.geometry.output();
        let (plane, pooled) = (self.unit.plane(), self.unit.side().iter().product::<usize>());
        let planes = self.convolved.chunks_exact(plane).zip(self.gradient.chunks_exact(pooled));
        let channels = self.affine.iter().zip(self.mean);
        let results = self.results.chunks_exact_mut(plane);
        let mut sums = Vec::with_capacity(self.mean.len());
        for (((values, gradients), (affine, mean)), results) in planes.zip(channels).zip(results) {
            if self.unit.pooled {
                affine.unrectify_pooled(values, width, gradients, results);
            } else {
                affine.unrectify(values, gradients, results);
            }
            sums.push(gradient_sums(results, values, *mean));
        }
        sums
    }
}

/// Computes the gradients of some images before the batch norm and the convolution.
pub(crate) struct Passing<'a> {
    pub(crate) geometry: Geometry,
    pub(crate) of_weights: &'a WeightGradient,
    pub(crate) of_images: Option<&'a InputGradient>,
    pub(crate) passages: &'a [Passage],
    pub(crate) gradients: &'a mut [f32],
    pub(crate) convolved: &'a [f32],
    pub(crate) images: &'a [f32],
    pub(crate) results: &'a mut [f32],
}

impl WithSimd for Passing<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let [inputs, outputs] = [self.geometry.inputs(), self.geometry.outputs()];
        let plane = outputs / self.geometry.channels[1];
        let planes = self.gradients.chunks_exact_mut(plane).zip(self.convolved.chunks_exact(plane));
        for ((gradients, values), passage) in planes.zip(self.passages.iter().cycle()) {
            passage.apply(values, gradients);
        }
        let mut weights = vec![0.0; self.geometry.channels[1] * self.geometry.taps()];
        let mut scratch = Scratch::default();
        let at_once = self.of_weights.at_once;
        let groups = self.gradients.chunks(at_once * outputs);
        for (gradients, images) in groups.zip(self.images.chunks(at_once * inputs)) {
            self.of_weights.add(simd, images, gradients, &mut scratch, &mut weights);
        }
        if let Some(of_images) = self.of_images {
            let mut scratch = Scratch::default();
            let images = self.results.chunks_exact_mut(inputs);
            for (gradient, image) in self.gradients.chunks_exact(outputs).zip(images) {
                of_images.apply(simd, gradient, &mut scratch, image);
            }
        }
        weights
    }
}
