//! Charts as SVG, for the trainer's reports and examples and for the benchmarks.
//!
//! Own code: these drawings need less SVG than a plotting library needs settings, and no measure of fonts. Knows numbers,
//! words and places alone: neither models nor measurements.

mod axis;
mod chart;
mod style;
mod svg;

pub use axis::{Axis, Scale, number, percent};
pub use chart::{Chart, Corner, Symbol};
pub use style::{STYLE, variables};
pub use svg::{Place, Svg, escape};
