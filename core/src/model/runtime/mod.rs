//! ONNX Runtime: where its library is, what a session runs on, and a tower in a session.

mod cuda;
mod library;
mod outline;
mod session;
mod sizes;
mod tower;

pub use cuda::{ConvolutionSearch, Cuda};
pub use library::{LibraryError, forbid_telemetry};
pub use outline::{Outline, Port};
pub use session::{Device, Options, Provider, UnknownDevice};
pub use tower::OnnxTower;
