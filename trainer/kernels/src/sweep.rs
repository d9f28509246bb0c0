//! The memory accesses of a convolution and its gradients.
//!
//! All of them are weighted sums over offsets, the *taps*, at many positions of a *canvas* (the zero-padded planes of an
//! image). Several neighbouring positions form a vector. With a stride, the canvas stores each phase of a plane separately,
//! so neighbouring positions are consecutive there as well.

use crate::geometry::Geometry;

/// Zero-padded planes, split into phases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canvas {
    channels: usize,
    /// The height and width of a plane without padding.
    side: [usize; 2],
    /// The position of a plane's first pixel.
    margin: usize,
    /// The number of phases along each side.
    phases: usize,
    rows: usize,
    pitch: usize,
    /// The number of values that a vector may read beyond the last row.
    slack: usize,
}

/// A weighted sum over taps at many positions of a canvas, and the positions of its results.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    /// The offset of each tap from a position.
    pub(crate) taps: Vec<usize>,
    /// The index of each tap's weight, for result channel 0.
    pub(crate) weights: Vec<usize>,
    /// The distance between the weights of two result channels.
    pub(crate) weight_pitch: usize,
    /// The first position of each vector.
    pub(crate) starts: Vec<usize>,
    /// The positions of results in a sheet, which has `starts.len()` vectors for each channel.
    pub(crate) sheet: Grid,
    /// The positions of results in a plane.
    pub(crate) plane: Grid,
    /// The number of rows and columns of results.
    pub(crate) size: [usize; 2],
}

/// Evenly spaced rows and columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub(crate) first: usize,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

impl Canvas {
    /// Returns the number of values.
    pub(crate) fn len(&self) -> usize {
        self.channels * self.plane() * self.phases * self.phases + self.slack
    }

    fn plane(&self) -> usize {
        self.rows * self.pitch
    }

    /// Copies planes to a canvas of zeros, or of other planes of the same sizes.
    ///
    /// # Shapes
    ///
    /// - `planes`: `[channels, height, width]`
    /// - `canvas`: [`Canvas::len`]
    pub(crate) fn fill(&self, planes: &[f32], canvas: &mut [f32]) {
        let [height, width] = self.side;
        let phases = self.phases;
        for (channel, plane) in planes.chunks_exact(height * width).enumerate() {
            for (y, row) in plane.chunks_exact(width).enumerate() {
                let (y, phase) = ((y + self.margin) / phases, (y + self.margin) % phases);
                if self.rows <= y {
                    continue;
                }
                let first = (channel * phases + phase) * phases * self.plane() + y * self.pitch;
                if phases == 1 {
                    let fitting = width.min(self.pitch - self.margin);
                    canvas[first + self.margin..][..fitting].copy_from_slice(&row[..fitting]);
                    continue;
                }
                for (x, value) in row.iter().enumerate() {
                    let (x, phase) = ((x + self.margin) / phases, (x + self.margin) % phases);
                    if x < self.pitch {
                        canvas[first + phase * self.plane() + x] = *value;
                    }
                }
            }
        }
    }
}

/// Returns the canvas and the sweep of a convolution.
pub(crate) fn forward(geometry: &Geometry, lanes: usize) -> (Canvas, Sweep) {
    let Geometry { channels: [inputs, _], kernel, stride, padding, side } = *geometry;
    let [height, width] = geometry.output();
    let reach = geometry.reach();
    let layout = Layout::new([height, width], [0, 0], width + reach, reach, lanes);
    let canvas = Canvas {
        channels: inputs,
        side,
        margin: padding,
        phases: stride,
        rows: height + reach,
        pitch: layout.pitch,
        slack: lanes,
    };
    let mut taps = Vec::with_capacity(geometry.taps());
    for channel in 0..inputs {
        for y in 0..kernel {
            for x in 0..kernel {
                let phase = (channel * stride + y % stride) * stride + x % stride;
                taps.push(phase * canvas.plane() + y / stride * canvas.pitch + x / stride);
            }
        }
    }
    let sweep = Sweep {
        weights: (0..taps.len()).collect(),
        weight_pitch: taps.len(),
        taps,
        starts: layout.starts,
        sheet: layout.sheet,
        plane: Grid { first: 0, row: width, column: 1 },
        size: [height, width],
    };
    (canvas, sweep)
}

/// Returns the canvas and the sweeps of the gradient of the input, one sweep for each phase of the stride. The canvas
/// contains the gradient of the output.
pub(crate) fn backward(geometry: &Geometry, lanes: usize) -> (Canvas, Vec<Sweep>) {
    let Geometry { channels: [_, outputs], kernel, stride, padding, side } = *geometry;
    let reach = geometry.reach();
    // For each phase along each side: its first position, and the number of positions.
    let spans: Vec<[[usize; 2]; 2]> = (0..stride)
        .map(|phase| {
            side.map(|side| {
                let first = padding.saturating_sub(phase).div_ceil(stride);
                [first, (side + padding).saturating_sub(phase).div_ceil(stride) - first]
            })
        })
        .collect();
    let farthest = |along: usize| {
        spans.iter().map(|span| span[along][0] + span[along][1]).max().unwrap_or_default() + reach
    };
    let phases = spans.iter().enumerate().flat_map(|(y, rows)| {
        spans.iter().enumerate().map(move |(x, columns)| ([y, x], [rows[0], columns[1]]))
    });
    let layout_of = |[rows, columns]: [[usize; 2]; 2], pitch: usize| {
        Layout::new([rows[1], columns[1]], [rows[0], columns[0]], pitch, reach, lanes)
    };
    // All phases share one pitch. A wider pitch can make another phase need an even wider one.
    let widest = |pitch: usize| phases.clone().map(|phase| layout_of(phase.1, pitch).pitch).max();
    let mut pitch = farthest(1);
    while let Some(wider) = widest(pitch).filter(|wider| pitch < *wider) {
        pitch = wider;
    }
    let canvas = Canvas {
        channels: outputs,
        side: geometry.output(),
        margin: reach,
        phases: 1,
        rows: farthest(0),
        pitch,
        slack: lanes,
    };
    let sweeps = phases
        .filter(|(_, spans)| spans.iter().all(|span| 0 < span[1]))
        .map(|([phase_y, phase_x], spans)| {
            let layout = layout_of(spans, pitch);
            let (mut taps, mut weights) = (Vec::new(), Vec::new());
            for channel in 0..outputs {
                for (down, y) in (phase_y..kernel).step_by(stride).enumerate() {
                    for (along, x) in (phase_x..kernel).step_by(stride).enumerate() {
                        let above = (reach - down) * pitch + reach - along;
                        taps.push(channel * canvas.plane() + above);
                        weights.push(channel * geometry.taps() + y * kernel + x);
                    }
                }
            }
            let [first_y, first_x] = [spans[0][0], spans[1][0]];
            let top = stride * first_y + phase_y - padding;
            let left = stride * first_x + phase_x - padding;
            Sweep {
                taps,
                weights,
                weight_pitch: kernel * kernel,
                starts: layout.starts,
                sheet: layout.sheet,
                plane: Grid { first: top * side[1] + left, row: stride * side[1], column: stride },
                size: [spans[0][1], spans[1][1]],
            }
        })
        .collect();
    (canvas, sweeps)
}

/// The grouping of canvas positions into vectors.
struct Layout {
    pitch: usize,
    starts: Vec<usize>,
    sheet: Grid,
}

impl Layout {
    /// Chooses the layout with fewer vectors: vectors within rows, or vectors from the first position to the last across the
    /// gaps between rows.
    fn new(
        [rows, columns]: [usize; 2],
        [first_row, first_column]: [usize; 2],
        narrow: usize,
        reach: usize,
        lanes: usize,
    ) -> Self {
        let a_row = columns.div_ceil(lanes);
        let wide = narrow.max(first_column + a_row * lanes + reach);
        let through = ((rows.max(1) - 1) * narrow + columns).div_ceil(lanes);
        if through < rows * a_row {
            let first = first_row * narrow + first_column;
            Self {
                pitch: narrow,
                starts: (0..through).map(|vector| first + vector * lanes).collect(),
                sheet: Grid { first: 0, row: narrow, column: 1 },
            }
        } else {
            let starts = (0..rows).flat_map(|row| {
                (0..a_row)
                    .map(move |vector| (first_row + row) * wide + first_column + vector * lanes)
            });
            Self {
                pitch: wide,
                starts: starts.collect(),
                sheet: Grid { first: 0, row: a_row * lanes, column: 1 },
            }
        }
    }
}
