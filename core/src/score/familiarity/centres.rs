//! Means of groups of embeddings.

/// The most centres.
const MOST: usize = 64;

/// The most numbers of all centres together. It bounds the size of a card and the work for an image.
pub(super) const MOST_NUMBERS: usize = 32 << 10;

/// The least mean number of embeddings of a centre.
const GROUP: usize = 8;

/// A centre of fewer embeddings is left out: a centre must not be the embedding of an image.
const SMALLEST_GROUP: usize = 4;

/// The rounds of the search for the centres.
const ROUNDS: usize = 5;

/// The means of groups of similar embeddings of unit length, in 8 bits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Centres {
    pub(super) width: usize,
    /// What 1 stands for.
    pub(super) step: f32,
    /// Centre after centre.
    pub(super) numbers: Vec<i8>,
}

impl Centres {
    /// Groups embeddings, of which there is at least one, by k-means (S. Lloyd, *Least squares quantization in PCM*,
    /// 1982). The first centres are evenly spread over the order of the embeddings.
    pub(super) fn fit(embeddings: &[&[f32]]) -> Self {
        let width = embeddings[0].len();
        let count = (embeddings.len() / GROUP).min(MOST).min(MOST_NUMBERS / width).max(1);
        let mut centres: Vec<Vec<f32>> =
            (0..count).map(|at| embeddings[at * embeddings.len() / count].to_vec()).collect();
        let mut sizes = vec![0_u16; count];
        for _ in 0..ROUNDS {
            let mut sums = vec![vec![0.0; width]; count];
            sizes.fill(0);
            for embedding in embeddings {
                let squares = centres.iter().map(|centre| squared(centre, embedding));
                let (nearest, _) = squares.enumerate().fold((0, f32::INFINITY), |least, next| {
                    if next.1 < least.1 { next } else { least }
                });
                sizes[nearest] = sizes[nearest].saturating_add(1);
                sums[nearest].iter_mut().zip(*embedding).for_each(|(sum, value)| *sum += value);
            }
            for ((centre, sum), size) in centres.iter_mut().zip(sums).zip(&sizes) {
                if 0 < *size {
                    let share = 1.0 / f32::from(*size);
                    centre.iter_mut().zip(sum).for_each(|(value, sum)| *value = share * sum);
                }
            }
        }
        let large = |size: &u16| SMALLEST_GROUP <= usize::from(*size);
        let kept = centres.iter().zip(&sizes).filter(|(_, size)| large(size));
        let kept: Vec<_> = kept.map(|(centre, _)| centre.as_slice()).collect();
        Self::quantised(width, &kept.concat())
    }

    fn quantised(width: usize, numbers: &[f32]) -> Self {
        let largest =
            numbers.iter().fold(f32::MIN_POSITIVE, |largest, number| largest.max(number.abs()));
        let step = largest / 127.0;
        #[expect(clippy::cast_possible_truncation, reason = "at most 127 steps")]
        let byte = |number: &f32| (number / step).round() as i8;
        Self { width, step, numbers: numbers.iter().map(byte).collect() }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The squared distance of the nearest centre.
    pub(super) fn nearest_squared(&self, embedding: &[f32]) -> f64 {
        let mut centre = vec![0.0; self.width];
        let squares = self.numbers.chunks_exact(self.width).map(|numbers| {
            let values = numbers.iter().map(|number| f32::from(*number) * self.step);
            centre.iter_mut().zip(values).for_each(|(place, value)| *place = value);
            squared(&centre, embedding)
        });
        f64::from(squares.fold(f32::MAX, f32::min))
    }
}

/// The squared distance, in sums that wide vectors hold.
fn squared(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b) * (a - b);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b)).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_has_its_mean() {
        let embedding = |at: u8| {
            let noise = (f32::from(at % 3) - 1.0) / 100.0;
            if at < 20 { [1.0, noise] } else { [noise, 1.0] }
        };
        let all: Vec<_> = (1..40).map(embedding).collect();
        let centres = Centres::fit(&all.iter().map(<[f32; 2]>::as_slice).collect::<Vec<_>>());
        assert!(centres.nearest_squared(&[1.0, 0.0]) < 1e-3);
        assert!(centres.nearest_squared(&[0.0, 1.0]) < 1e-3);
        assert!((centres.nearest_squared(&[-1.0, 0.0]) - 2.0).abs() < 0.05);
    }

    #[test]
    fn no_centre_is_the_embedding_of_one_image() {
        let mut all = vec![[0.0, 1.0]; 31];
        all.insert(16, [1.0, 0.0]);
        let centres = Centres::fit(&all.iter().map(<[f32; 2]>::as_slice).collect::<Vec<_>>());
        assert!(1.5 < centres.nearest_squared(&[1.0, 0.0]), "{centres:?}");
    }
}
