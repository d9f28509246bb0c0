//! What a convolution is: its sizes.

/// A square convolution of images' planes, zeros around them and no bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Channels in and out, each 1 or more.
    pub channels: [usize; 2],
    /// The kernel's side, 1 or more.
    pub kernel: usize,
    /// How far apart, in pixels, the kernel is applied; 1 or more.
    pub stride: usize,
    /// How many zeros surround a plane on each side; fewer than the kernel's side.
    pub padding: usize,
    /// Height and width of what comes in, so that the kernel fits into it with its padding.
    pub side: [usize; 2],
}

impl Geometry {
    /// Height and width of what comes out.
    ///
    /// # Panics
    ///
    /// If one of the fields is out of its range.
    pub fn output(&self) -> [usize; 2] {
        let sizes = [self.channels[0], self.channels[1], self.kernel, self.stride];
        assert!(sizes.iter().all(|size| 0 < *size), "a convolution of nothing: {self:?}");
        assert!(self.padding < self.kernel, "padding that the kernel never leaves: {self:?}");
        self.side.map(|side| {
            assert!(self.kernel <= side + 2 * self.padding, "a kernel larger than all: {self:?}");
            (side + 2 * self.padding - self.kernel) / self.stride + 1
        })
    }

    /// How many numbers one image is, as it comes in.
    pub fn inputs(&self) -> usize {
        self.channels[0] * self.side[0] * self.side[1]
    }

    /// How many numbers one image is, as it comes out.
    pub fn outputs(&self) -> usize {
        self.channels[1] * self.output().iter().product::<usize>()
    }

    /// How many weights one output channel has.
    pub fn taps(&self) -> usize {
        self.channels[0] * self.kernel * self.kernel
    }

    /// How many strides the kernel reaches beyond the pixel it is applied to.
    pub(crate) fn reach(&self) -> usize {
        (self.kernel - 1) / self.stride
    }
}
