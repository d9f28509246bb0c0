//! Inks on paper become light, as Pillow has it.

/// Turns CMYK, stored inverted as Adobe does, into RGB.
pub(super) fn inverted_to_rgb(inverted_cmyk: &[u8]) -> Vec<u8> {
    let (pixels, _) = inverted_cmyk.as_chunks::<4>();
    pixels.iter().flat_map(|pixel| seen_through(pixel.map(|value| !value))).collect()
}

/// Turns CMYK into RGB.
pub(in crate::preprocessing::decode) fn to_rgb(cmyk: &[u8]) -> Vec<u8> {
    let (pixels, _) = cmyk.as_chunks::<4>();
    pixels.iter().flat_map(|pixel| seen_through(*pixel)).collect()
}

/// What ink on white paper leaves of light.
fn seen_through([colours @ .., black]: [u8; 4]) -> [u8; 3] {
    let white = 255 - black;
    colours.map(|colour| white.saturating_sub(scaled(colour, white)))
}

/// `a * b / 255`, rounded.
fn scaled(a: u8, b: u8) -> u8 {
    let product = u16::from(a) * u16::from(b) + 128;
    let [byte, _] = (product + (product >> 8)).to_be_bytes();
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ink_takes_light_away() {
        // Inverted: 255 is no ink.
        assert_eq!(inverted_to_rgb(&[255, 255, 255, 255]), [255, 255, 255]);
        assert_eq!(inverted_to_rgb(&[255, 255, 255, 0]), [0, 0, 0]);
        assert_eq!(inverted_to_rgb(&[0, 255, 255, 255]), [0, 255, 255]);
        assert_eq!(inverted_to_rgb(&[128, 64, 0, 200]), [100, 50, 0]);
    }

    #[test]
    fn products_are_rounded() {
        assert_eq!(
            [(255, 255), (127, 200), (1, 127), (1, 128)].map(|(a, b)| scaled(a, b)),
            [255, 100, 0, 1]
        );
    }
}
