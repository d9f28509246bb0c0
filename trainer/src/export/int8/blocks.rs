//! Quantisation of a layer's weights to 8 bits in blocks.

use rayon::prelude::*;

/// The number of weights that share a scale. With 64, ONNX Runtime's kernels sum in the same order for every batch size;
/// with 128 and 256 they do not.
pub(super) const BLOCK: usize = 64;

/// The byte of a weight of 0; a byte counts steps of the block's scale above it.
const ZERO: f32 = 128.0;
/// The largest number of steps, in both directions.
const STEPS: f32 = 127.0;

/// The weights of a linear layer in 8 bits. The weights of each output are split into blocks of [`BLOCK`] inputs; the last
/// block is padded with zeros.
///
/// # Shapes
///
/// - `bytes`: `[outputs, blocks, BLOCK]`
/// - `scales`: `[outputs, blocks]`
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Blocks {
    pub(super) bytes: Vec<u8>,
    pub(super) scales: Vec<f32>,
}

impl Blocks {
    /// Quantises the weights of `outputs` outputs with `inputs` inputs each; `weight` returns a weight by output and
    /// input.
    ///
    /// The scale of a block is its largest absolute weight divided by 127. The error of a weight is at most half the scale
    /// of its block. Returns `None` if a weight is not finite.
    pub(super) fn of(
        [outputs, inputs]: [usize; 2],
        weight: impl Fn(usize, usize) -> f32 + Sync,
    ) -> Option<Self> {
        let rows: Option<Vec<_>> = (0..outputs)
            .into_par_iter()
            .map(|output| {
                let row: Vec<f32> = (0..inputs).map(|input| weight(output, input)).collect();
                row.iter().all(|weight| weight.is_finite()).then(|| round(&row))
            })
            .collect();
        let (bytes, scales): (Vec<_>, Vec<_>) = rows?.into_iter().unzip();
        Some(Self { bytes: bytes.concat(), scales: scales.concat() })
    }
}

/// Quantises the weights of one output.
fn round(row: &[f32]) -> (Vec<u8>, Vec<f32>) {
    let scale_of =
        |block: &[f32]| block.iter().fold(0.0_f32, |most, it| most.max(it.abs())) / STEPS;
    let scales: Vec<f32> = row.chunks(BLOCK).map(scale_of).collect();
    let mut bytes = Vec::with_capacity(scales.len() * BLOCK);
    for (block, scale) in row.chunks(BLOCK).zip(&scales) {
        bytes.extend(block.iter().map(|weight| byte(*weight, *scale)));
        bytes.resize(bytes.len().next_multiple_of(BLOCK), byte(0.0, 1.0));
    }
    (bytes, scales)
}

fn byte(weight: f32, scale: f32) -> u8 {
    // The scale is 0 if all weights of the block are 0 or very small.
    let steps = if 0.0 < scale { (weight / scale).round_ties_even() } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 255")]
    let byte = (steps.clamp(-STEPS, STEPS) + ZERO) as u8;
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a weight; the magnitudes differ strongly.
    fn weight(output: usize, input: usize) -> f32 {
        let size = 10_f32.powi(i32::try_from(input / 50 + output).expect("few") % 7 - 3);
        let number = (output * 7919 + input * 104_729) % 1999;
        (f32::from(u16::try_from(number).expect("below 1999")) / 999.5 - 1.0) * size
    }

    #[test]
    fn the_error_of_a_weight_is_at_most_half_a_step() {
        let (outputs, inputs) = (5, 3 * BLOCK + 9);
        let blocks = Blocks::of([outputs, inputs], weight).expect("finite");
        assert_eq!((blocks.bytes.len(), blocks.scales.len()), (5 * 4 * BLOCK, 5 * 4));
        let mut off = 0.0_f32;
        for output in 0..outputs {
            for input in 0..inputs {
                let scale = blocks.scales[output * 4 + input / BLOCK];
                let steps = f32::from(blocks.bytes[output * 4 * BLOCK + input]) - ZERO;
                off = off.max((steps * scale - weight(output, input)).abs() / scale);
            }
        }
        assert!((0.4..=0.5001).contains(&off), "{off}");
    }

    #[test]
    fn zeros_are_exact_and_pad_the_last_block() {
        let blocks = Blocks::of([1, BLOCK + 1], |_, input| f32::from(u8::from(input == BLOCK)));
        let Blocks { bytes, scales } = blocks.expect("finite");
        assert!(bytes[..BLOCK].iter().chain(&bytes[BLOCK + 1..]).all(|byte| *byte == 128));
        assert_eq!(bytes[BLOCK], 255);
        assert_eq!(scales, [0.0, 1.0 / 127.0]);
    }

    #[test]
    fn weights_that_are_not_finite_are_rejected() {
        for odd in [f32::NAN, f32::INFINITY] {
            assert_eq!(Blocks::of([2, 2], |output, _| if output == 1 { odd } else { 0.0 }), None);
        }
    }
}
