//! ONNX Runtime: its library, its sessions, and a model in a session.

mod cuda;
mod input;
mod library;
mod mapper;
mod model;
mod network;
mod outline;
mod session;
mod sizes;
mod synthetic;

pub use cuda::{ConvolutionSearch, Cuda};
pub use input::{Element, Layout};
pub(in crate::model) use library::environment;
pub use library::{LibraryError, forbid_telemetry};
pub use model::OnnxModel;
pub use outline::{Outline, Port};
pub use session::{Device, Options, Provider, UnknownDevice};
