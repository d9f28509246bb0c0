//! The `NumPy` format: the header of a `.npy` file of version 1.0 (numpy's `numpy.lib.format`).

/// The header for little-endian `f32`s of this shape, whose last axis varies fastest. The data starts at a multiple of
/// 64.
///
/// # Panics
///
/// If the shape has thousands of axes.
pub fn header(shape: &[usize]) -> Vec<u8> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    let axes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    // In Python, a tuple of one element ends with a comma.
    let axes = axes.join(", ") + if axes.len() == 1 { "," } else { "" };
    let mut text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({axes}), }}");
    let unpadded = MAGIC.len() + 2 + text.len() + 1;
    text.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    text.push('\n');
    let length = u16::try_from(text.len()).expect("a shape is short");
    [MAGIC, &length.to_le_bytes(), text.as_bytes()].concat()
}
