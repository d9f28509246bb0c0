//! Interpolation between the pixels of an image.

/// Returns the two nearest indices within 0..length, and the fraction between them.
pub(crate) fn neighbours(place: f32, length: usize) -> (usize, usize, f32) {
    let place = place.clamp(0.0, single(length - 1));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the image"
    )]
    let before = place as usize;
    (before, (before + 1).min(length - 1), place - single(before))
}

/// Converts a count to single precision.
#[expect(
    clippy::cast_precision_loss,
    reason = "sides, pixels of a cell and pairs of a batch are fewer than 2^24"
)]
pub(crate) fn single(count: usize) -> f32 {
    count as f32
}
