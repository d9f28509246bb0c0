//! Exchanges the rows and the columns of bytes.

/// The side of the squares that are transposed at once: the bytes of a word.
const SIDE: usize = 8;

/// Writes lines of `width` bytes as columns.
///
/// # Shapes
///
/// - `lines`: `[height, width]`
/// - `columns`: `[width, height]`; it may be longer
#[inline(always)]
pub(super) fn transpose(lines: &[u8], width: usize, columns: &mut [u8]) {
    let height = lines.len() / width;
    let [whole_width, whole_height] = [width, height].map(|side| side - side % SIDE);
    for top in (0..whole_height).step_by(SIDE) {
        for left in (0..whole_width).step_by(SIDE) {
            let square = std::array::from_fn(|row| {
                let bytes = lines[(top + row) * width + left..].first_chunk();
                u64::from_le_bytes(*bytes.expect("a whole square"))
            });
            for (row, word) in transposed(square).into_iter().enumerate() {
                columns[(left + row) * height + top..][..SIDE].copy_from_slice(&word.to_le_bytes());
            }
        }
    }
    // What is left at the right and at the bottom.
    for row in 0..height {
        let first = if row < whole_height { whole_width } else { 0 };
        for column in first..width {
            columns[column * height + row] = lines[row * width + column];
        }
    }
}

/// Transposes a square of bytes: it exchanges the quarters beside the diagonal, then those of each quarter, and so on.
#[inline(always)]
fn transposed(rows: [u64; SIDE]) -> [u64; SIDE] {
    let rows = exchanged::<4>(rows, 0xffff_ffff);
    let rows = exchanged::<2>(rows, 0x0000_ffff_0000_ffff);
    exchanged::<1>(rows, 0x00ff_00ff_00ff_00ff)
}

/// Exchanges the squares of `SIZE` bytes beside each diagonal. `mask` selects the left ones.
#[inline(always)]
fn exchanged<const SIZE: usize>(mut rows: [u64; SIDE], mask: u64) -> [u64; SIDE] {
    for pair in 0..SIDE / 2 {
        let upper = pair / SIZE * 2 * SIZE + pair % SIZE;
        let lower = upper + SIZE;
        let changed = ((rows[upper] >> (8 * SIZE)) ^ rows[lower]) & mask;
        rows[lower] ^= changed;
        rows[upper] ^= changed << (8 * SIZE);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns_at_any_size() {
        for [height, width] in [[1, 1], [8, 8], [3, 20], [17, 9], [64, 100]] {
            let lines: Vec<u8> = (0..=250).cycle().take(height * width).collect();
            let mut columns = vec![0; lines.len()];
            transpose(&lines, width, &mut columns);
            for (index, byte) in columns.iter().enumerate() {
                assert_eq!(*byte, lines[index % height * width + index / height]);
            }
            let mut back = vec![0; lines.len()];
            transpose(&columns, height, &mut back);
            assert_eq!(back, lines, "{height}x{width}");
        }
    }
}
