//! The input of a network: the order of its axes, the type of its numbers, and the tensors of its runs.

use ort::session::{Session, SessionInputValue};
use ort::value::{TensorElementType, TensorRef, ValueType};

use super::outline::axes;
use crate::preprocessing::{Pixels, Preprocessing};

/// The order of the axes of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[n, channels, height, width]`, as in `PyTorch`.
    ChannelsFirst,
    /// `[n, height, width, channels]`, as in TensorFlow.
    ChannelsLast,
}

/// The type of an input's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Single precision.
    F32,
    /// Bytes: the network itself subtracts a mean and divides.
    U8,
}

/// How a network reads its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Input {
    layout: Layout,
    element: Element,
    /// Whether the number of images may vary.
    pub(super) is_dynamic: bool,
}

/// The memory of runs, which is used again.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    values: Vec<f32>,
    bytes: Vec<u8>,
}

impl Layout {
    /// Finds the layout of the three axes after the batch, of which `None` is dynamic. `fits` tells whether a length
    /// can be that of `channels`, `height` and `width`. `None` if it can be neither way.
    ///
    /// If it can be both ways, the channels are where the file fixes their number, and else first. So `[3, 3, 3]` and
    /// `[None, None, None]` have the channels first, and `[None, None, 3]` has them last.
    pub fn of(axes: [Option<u64>; 3], fits: impl Fn([Option<u64>; 3]) -> bool) -> Option<Self> {
        let mut layouts = [Self::ChannelsFirst, Self::ChannelsLast];
        // Stable: the channels stay first if both are fixed, or none.
        layouts.sort_by_key(|layout| layout.image(axes)[0].is_none());
        layouts.into_iter().find(|layout| fits(layout.image(axes)))
    }

    /// Returns `[channels, height, width]` for the three axes after the batch.
    pub fn image<T>(self, [first, second, third]: [T; 3]) -> [T; 3] {
        match self {
            Self::ChannelsFirst => [first, second, third],
            Self::ChannelsLast => [third, first, second],
        }
    }

    /// Returns the shape of `size` images of `[channels, height, width]`.
    fn shape(self, size: usize, [channels, height, width]: [usize; 3]) -> [usize; 4] {
        match self {
            Self::ChannelsFirst => [size, channels, height, width],
            Self::ChannelsLast => [size, height, width, channels],
        }
    }

    /// Returns the values of an image, `[channels, height, width]`, in the order of this layout.
    fn ordered(self, values: &[f32], channels: usize) -> impl Iterator<Item = f32> {
        let plane = values.len() / channels;
        let [outer, outer_step, inner, inner_step] = match self {
            Self::ChannelsFirst => [channels, plane, plane, 1],
            Self::ChannelsLast => [plane, 1, channels, plane],
        };
        (0..outer).flat_map(move |outer| {
            (0..inner).map(move |inner| values[outer * outer_step + inner * inner_step])
        })
    }
}

impl Element {
    /// Checks that a preprocessing gives numbers of this type.
    ///
    /// # Errors
    ///
    /// If the network reads bytes, and the preprocessing changes them.
    pub fn check(self, preprocessing: &Preprocessing) -> Result<(), &'static str> {
        let Preprocessing { scale, mean, std, .. } = preprocessing;
        let are = |numbers: &[f32], value: f32| {
            numbers.iter().all(|number| number.to_bits() == value.to_bits())
        };
        if self == Self::F32 || are(&[*scale], 1.0) && are(mean, 0.0) && are(std, 1.0) {
            return Ok(());
        }
        Err(
            "its input is bytes (u8), so nothing may change them: set scale to 1, mean to 0 and std to 1",
        )
    }
}

impl Input {
    /// Checks that a network reads the images of a preprocessing. The error is the reason.
    pub(super) fn of(session: &Session, preprocessing: &Preprocessing) -> Result<Self, String> {
        let [input] = session.inputs() else {
            return Err(format!("it has {} inputs, not 1", session.inputs().len()));
        };
        let (element, shape) = match input.dtype() {
            ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => {
                (Element::F32, shape)
            }
            ValueType::Tensor { ty: TensorElementType::Uint8, shape, .. } => (Element::U8, shape),
            other => return Err(format!("its input is {other}, not a tensor of f32 or u8")),
        };
        element.check(preprocessing)?;
        let expected = preprocessing.shape();
        let fits = |found: [Option<u64>; 3]| {
            let same = |(found, expected): (Option<u64>, usize)| {
                found.is_none_or(|found| u64::try_from(expected) == Ok(found))
            };
            found.into_iter().zip(expected).all(same)
        };
        let layout = match axes(shape)[..] {
            [_, first, second, third] => Layout::of([first, second, third], fits),
            _ => None,
        };
        let Some(layout) = layout else {
            let [channels, height, width] = expected;
            return Err(format!(
                "its input has shape {:?}, but its card requires [n, {channels}, {height}, {width}], or \
                 [n, {height}, {width}, {channels}] with the channels last",
                &**shape
            ));
        };
        match shape[0] {
            ..=-1 => Ok(Self { layout, element, is_dynamic: true }),
            1 => Ok(Self { layout, element, is_dynamic: false }),
            batch => Err(format!(
                "its batch size is fixed at {batch}; export it with a dynamic batch axis"
            )),
        }
    }

    /// Makes the tensor of images of `[channels, height, width]`; fills the batch with zeros up to `size`.
    pub(super) fn tensor<'a>(
        self,
        images: &'a [Pixels],
        size: usize,
        image_shape: [usize; 3],
        buffers: &'a mut Buffers,
    ) -> ort::Result<SessionInputValue<'a>> {
        let shape = self.layout.shape(size, image_shape);
        let length = shape.iter().product();
        let ordered =
            || images.iter().flat_map(|image| self.layout.ordered(image.values(), image_shape[0]));
        match (self.element, self.layout, images) {
            (Element::F32, Layout::ChannelsFirst, [single]) if size == 1 => {
                return Ok(TensorRef::from_array_view((shape, single.values()))?.into());
            }
            (Element::F32, Layout::ChannelsFirst, _) => {
                buffers.values.clear();
                for image in images {
                    buffers.values.extend_from_slice(image.values());
                }
            }
            (Element::F32, Layout::ChannelsLast, _) => {
                buffers.values.clear();
                buffers.values.extend(ordered());
            }
            (Element::U8, ..) => {
                buffers.bytes.clear();
                buffers.bytes.extend(ordered().map(byte));
                buffers.bytes.resize(length, 0);
                return Ok(TensorRef::from_array_view((shape, &buffers.bytes[..]))?.into());
            }
        }
        buffers.values.resize(length, 0.0);
        Ok(TensorRef::from_array_view((shape, &buffers.values[..]))?.into())
    }
}

/// Returns the byte that a value is: [`Element::check`] requires a preprocessing that leaves bytes as they are.
fn byte(value: f32) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is a byte"
    )]
    let byte = value as u8;
    byte
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessing::{Colour, Fit};

    #[track_caller]
    fn layout(axes: [i64; 3], expected: [u64; 3], layout: Option<Layout>) {
        let fits = |found: [Option<u64>; 3]| {
            let mut both = found.into_iter().zip(expected);
            both.all(|(found, expected)| found.is_none_or(|found| found == expected))
        };
        let axes = axes.map(|axis| u64::try_from(axis).ok());
        assert_eq!(Layout::of(axes, fits), layout, "{axes:?}");
    }

    #[test]
    fn the_layout_is_the_one_that_fits_and_else_where_the_channels_are_fixed() {
        let [first, last] = [Some(Layout::ChannelsFirst), Some(Layout::ChannelsLast)];
        layout([3, 64, 48], [3, 64, 48], first);
        layout([64, 48, 3], [3, 64, 48], last);
        layout([-1, -1, 3], [3, 64, 48], last);
        layout([3, -1, -1], [3, 64, 48], first);
        layout([-1, -1, -1], [3, 64, 48], first);
        layout([-1, 48, -1], [3, 64, 48], last);
        layout([3, 3, 3], [3, 3, 3], first);
        layout([-1, -1, 3], [3, 3, 3], last);
        layout([3, 112, 3], [3, 112, 3], first);
        layout([3, 112, 3], [3, 3, 112], last);
        layout([4, 64, 48], [3, 64, 48], None);
        layout([48, 64, 3], [3, 64, 48], None);
    }

    #[test]
    fn values_are_ordered_by_the_layout() {
        let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let ordered = |layout: Layout, channels| layout.ordered(&image, channels).collect();
        let found: [Vec<f32>; 3] = [
            ordered(Layout::ChannelsFirst, 3),
            ordered(Layout::ChannelsLast, 3),
            ordered(Layout::ChannelsLast, 1),
        ];
        assert_eq!(found, [image.to_vec(), vec![1.0, 3.0, 5.0, 2.0, 4.0, 6.0], image.to_vec()]);
        assert_eq!(Layout::ChannelsFirst.shape(7, [3, 1, 2]), [7, 3, 1, 2]);
        assert_eq!(Layout::ChannelsLast.shape(7, [3, 1, 2]), [7, 1, 2, 3]);
    }

    #[test]
    fn bytes_may_not_be_scaled() {
        let check = |scale: f32, mean: &[f32], std: &[f32]| {
            let preprocessing = Preprocessing {
                height: 1,
                width: 1,
                colour: Colour::Rgb,
                fit: Fit::Stretch,
                scale,
                mean: mean.to_vec(),
                std: std.to_vec(),
            };
            assert!(Element::F32.check(&preprocessing).is_ok());
            Element::U8.check(&preprocessing).is_ok()
        };
        assert!(check(1.0, &[0.0], &[1.0]));
        assert!(check(1.0, &[0.0; 3], &[1.0; 3]));
        assert!(!check(1.0 / 255.0, &[0.0], &[1.0]));
        assert!(!check(1.0, &[0.0, 0.0, 1.0], &[1.0]));
        assert!(!check(1.0, &[0.0], &[2.0]));
    }
}
