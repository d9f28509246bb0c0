//! Images varied: what still shows the same, and what shows another.

mod augment;
pub(crate) mod grid;
mod symmetry;

pub use augment::Augmentation;
pub use symmetry::Symmetry;
