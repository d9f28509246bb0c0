//! A curve in one line of text.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws values as blocks of eight heights, from the lowest value to the highest, in at most `columns` characters.
///
/// If there are more values than characters, each character shows the mean of several values. Values that are not finite
/// are ignored.
pub(super) fn sparkline(values: &[f64], columns: usize) -> String {
    let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let columns = columns.min(values.len());
    let means: Vec<f64> = (0..columns)
        .map(|column| {
            let edge = |column: usize| column * values.len() / columns;
            let part = &values[edge(column)..edge(column + 1)];
            let count = u32::try_from(part.len()).unwrap_or(u32::MAX);
            part.iter().sum::<f64>() / f64::from(count)
        })
        .collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let block = |value: f64| {
        let share = if low < high { (value - low) / (high - low) } else { 0.0 };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of at most 1"
        )]
        let height = (share * 7.0).round() as usize;
        BLOCKS[height.min(7)]
    };
    means.into_iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_range_from_the_lowest_to_the_highest_value() {
        assert_eq!(sparkline(&[7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0], 8), "█▇▆▅▄▃▂▁");
        assert_eq!(sparkline(&[0.5, f64::NAN, 0.5], 8), "▁▁");
        assert_eq!(sparkline(&[], 8), "");
    }

    #[test]
    fn a_column_of_several_values_shows_their_mean() {
        assert_eq!(sparkline(&[0.0, 2.0, 8.0, 8.0, 4.0, 5.0], 3), "▁█▅");
        let thousand: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(sparkline(&thousand, 32).chars().count(), 32);
    }
}
