//! The sizes of a convolution.

/// The sizes of a square convolution with zero padding and without a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The input and output channels; at least 1 each.
    pub channels: [usize; 2],
    /// The side of the kernel; at least 1.
    pub kernel: usize,
    /// The stride in pixels; at least 1.
    pub stride: usize,
    /// The number of zeros on each side of a plane; less than the side of the kernel.
    pub padding: usize,
    /// The height and width of the input. The kernel must fit into the padded input.
    pub side: [usize; 2],
}

impl Geometry {
    /// Returns the height and width of the output.
    ///
    /// # Panics
    ///
    /// If one of the fields is out of its range.
    pub fn output(&self) -> [usize; 2] {
        let sizes = [self.channels[0], self.channels[1], self.kernel, self.stride];
        assert!(sizes.iter().all(|size| 0 < *size), "a size is 0: {self:?}");
        assert!(self.padding < self.kernel, "the padding is not smaller than the kernel: {self:?}");
        self.side.map(|side| {
            assert!(
                self.kernel <= side + 2 * self.padding,
                "the kernel is larger than the padded input: {self:?}"
            );
            (side + 2 * self.padding - self.kernel) / self.stride + 1
        })
    }

    /// Returns the number of input values of an image.
    pub fn inputs(&self) -> usize {
        self.channels[0] * self.side[0] * self.side[1]
    }

    /// Returns the number of output values of an image.
    pub fn outputs(&self) -> usize {
        self.channels[1] * self.output().iter().product::<usize>()
    }

    /// Returns the number of weights of an output channel.
    pub fn taps(&self) -> usize {
        self.channels[0] * self.kernel * self.kernel
    }

    /// Returns how many strides the kernel extends beyond its first pixel.
    pub(crate) fn reach(&self) -> usize {
        (self.kernel - 1) / self.stride
    }
}
