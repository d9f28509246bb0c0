//! Charts as SVG, for the trainer's reports and examples, and for the benchmarks.
//!
//! This is our own code, because these charts need only a little SVG and no font metrics. The crate knows numbers, text and
//! coordinates. It knows no models and no measurements.

mod axis;
mod chart;
mod style;
mod svg;

pub use axis::{Axis, Scale, number, percent};
pub use chart::{Chart, Symbol};
pub use style::{STYLE, variables};
pub use svg::{Place, Svg, escape};
