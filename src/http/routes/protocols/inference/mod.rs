//! The Open Inference Protocol, version 2, over REST: the API of Triton and `KServe`, with its extension for tensors in
//! binary.

pub(crate) mod infer;
pub(crate) mod metadata;
mod request;
mod tensor;

#[cfg(fuzzing)]
pub(crate) use request::ToInfer;

/// The only output.
const OUTPUT: &str = "embedding";

/// The datatypes of tensors.
const BYTES: &str = "BYTES";
const FP32: &str = "FP32";

/// The inputs. A request has one of them: encoded images, or their pixels after the preprocessing.
const IMAGE: &str = "image";
const PIXELS: &str = "pixels";
