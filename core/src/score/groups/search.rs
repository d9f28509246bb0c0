//! Finds all pairs of embeddings within a threshold, by comparing all pairs.

#![expect(
    clippy::inline_always,
    reason = "code that is not inlined is compiled without wide vectors"
)]

use std::array;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use pulp::{Arch, Simd, WithSimd};

use crate::score::{Distance, Embedding, Threshold, Verdict};

/// The embeddings of one block. Two blocks of usual width fit into the cache of a core.
const BLOCK: usize = 64;

/// The sums that a comparison keeps side by side.
const LANES: usize = 16;

/// How much the square of a distance in `f32` can differ from the exact one, as a share: far more than rounding does at
/// any usual width. A candidate is then measured exactly.
const SLACK: f64 = 1e-3;

/// Two embeddings within the threshold, by their indices; `a` is the smaller one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) distance: Distance,
    pub(super) a: u32,
    pub(super) b: u32,
}

/// All pairs within a threshold, in no order; `None` if there are more than `most`.
///
/// # Panics
///
/// If the embeddings differ in width.
pub(super) fn within(
    points: &[&Embedding],
    threshold: Threshold,
    most: usize,
    compared: impl Fn(usize) + Sync,
) -> Option<Vec<Pair>> {
    let width = points.first().map_or(1, |point| point.width());
    assert!(points.iter().all(|point| point.width() == width), "embeddings of one model");
    let values: Vec<f32> = points.iter().flat_map(|point| point.coordinates()).copied().collect();
    #[expect(clippy::cast_possible_truncation, reason = "the exact distance decides")]
    let limit = (threshold.get().powi(2) * (1.0 + SLACK)) as f32 + f32::MIN_POSITIVE;
    let (next_block, n_found) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let found = Mutex::new(Vec::new());
    let work = || {
        let mut candidates = Vec::new();
        loop {
            let begin = BLOCK.saturating_mul(next_block.fetch_add(1, Ordering::Relaxed));
            if points.len() <= begin {
                return;
            }
            let rows = begin..points.len().min(begin + BLOCK);
            for first in (begin..points.len()).step_by(BLOCK) {
                let columns = first..points.len().min(first + BLOCK);
                let block = Block { values: &values, width, limit, rows: rows.clone(), columns };
                Arch::new().dispatch(Comparison { block, candidates: &mut candidates });
                let pairs: Vec<Pair> = candidates
                    .drain(..)
                    .map(|[a, b]| {
                        let distance = points[a].distance(points[b]);
                        let [a, b] = [a, b].map(|index| u32::try_from(index).expect("an index"));
                        Pair { distance, a, b }
                    })
                    .filter(|pair| threshold.judge(pair.distance) == Verdict::Same)
                    .collect();
                if most < n_found.fetch_add(pairs.len(), Ordering::Relaxed) + pairs.len() {
                    return;
                }
                if !pairs.is_empty() {
                    found.lock().expect("no thread panics with the lock").extend(pairs);
                }
            }
            compared(rows.len());
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let found = found.into_inner().expect("no thread panics with the lock");
    (n_found.into_inner() <= most).then_some(found)
}

/// Embeddings to compare with others.
struct Block<'a> {
    /// All embeddings, one after another.
    values: &'a [f32],
    width: usize,
    /// The largest square of a candidate's distance.
    limit: f32,
    rows: Range<usize>,
    columns: Range<usize>,
}

/// Collects the candidates of a block. The loops are compiled once for any processor and once for those with wide
/// vectors.
struct Comparison<'a> {
    block: Block<'a>,
    candidates: &'a mut Vec<[usize; 2]>,
}

impl WithSimd for Comparison<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Block { values, width, limit, rows, columns } = self.block;
        for a in rows {
            let one = &values[a * width..][..width];
            for b in columns.start.max(a + 1)..columns.end {
                if squared_distance(one, &values[b * width..][..width]) <= limit {
                    self.candidates.push([a, b]);
                }
            }
        }
    }
}

/// The square of the distance, summed in `f32`.
#[inline(always)]
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let [(a, a_rest), (b, b_rest)] = [a, b].map(<[f32]>::as_chunks::<LANES>);
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            let difference = a[lane] - b[lane];
            sums[lane] += difference * difference;
        }
    }
    for (sum, (a, b)) in sums.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *sum += (a - b) * (a - b);
    }
    // One sum after another would take longer than all of the above.
    let eight: [f32; LANES / 2] = array::from_fn(|lane| sums[lane] + sums[lane + LANES / 2]);
    let four: [f32; LANES / 4] = array::from_fn(|lane| eight[lane] + eight[lane + LANES / 4]);
    four.iter().sum()
}
