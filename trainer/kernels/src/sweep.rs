//! Where a convolution, or one of its gradients, reads and writes.
//!
//! All of them are one thing: at many places of a *canvas* (an image's planes with zeros around
//! them), values some way off, the *taps*, are weighed and summed up. Several neighbouring places
//! make one vector. With a stride the canvas holds each phase of a plane by itself, so that
//! neighbours stand side by side there as well.

use crate::geometry::Geometry;

/// Planes with zeros around them, split into phases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canvas {
    channels: usize,
    /// Height and width of a plane as it is outside.
    side: [usize; 2],
    /// Where a plane's first pixel stands.
    margin: usize,
    /// Phases along each side.
    phases: usize,
    rows: usize,
    pitch: usize,
    /// What a vector may read beyond the last row.
    slack: usize,
}

/// A sum over taps at many places of a canvas, and where its results belong.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    /// From a place to what is weighed there.
    pub(crate) taps: Vec<usize>,
    /// Where each tap's weight stands, for result channel 0.
    pub(crate) weights: Vec<usize>,
    /// How far apart the weights of two result channels are.
    pub(crate) weight_pitch: usize,
    /// Where each vector's first place is.
    pub(crate) starts: Vec<usize>,
    /// Where results stand in a sheet, `starts.len()` vectors for each channel.
    pub(crate) sheet: Grid,
    /// Where they belong in a plane.
    pub(crate) plane: Grid,
    /// How many rows and columns of results there are.
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
    /// How many values it has.
    pub(crate) fn len(&self) -> usize {
        self.channels * self.plane() * self.phases * self.phases + self.slack
    }

    fn plane(&self) -> usize {
        self.rows * self.pitch
    }

    /// Puts planes onto a canvas of zeros, or of other planes of the same sizes.
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

/// The convolution itself: from a canvas of what comes in.
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

/// The gradient of what came in: from a canvas of the gradient of what came out, one sweep for
/// each phase of the stride.
pub(crate) fn backward(geometry: &Geometry, lanes: usize) -> (Canvas, Vec<Sweep>) {
    let Geometry { channels: [_, outputs], kernel, stride, padding, side } = *geometry;
    let reach = geometry.reach();
    // Of each phase along each side: its first place, and how many there are.
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
    // All phases share one pitch; a wider one may have another phase want one wider still.
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

/// How places of a canvas are put into vectors.
struct Layout {
    pitch: usize,
    starts: Vec<usize>,
    sheet: Grid,
}

impl Layout {
    /// Either a vector holds places of one row, or the canvas is gone through from its first place
    /// to its last, whatever stands between the rows: whichever takes fewer vectors.
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
