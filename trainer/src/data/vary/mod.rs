//! Changes of images: augmentation keeps the identity, and symmetry makes new identities.

mod augment;
pub(crate) mod grid;
mod symmetry;

pub use augment::Augmentation;
pub use symmetry::Symmetry;
