//! Where a model runs: the requested device and the execution provider in use.

use std::num::NonZeroUsize;
use std::path::Path;
use std::str::FromStr;

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Cuda, library};
use crate::model::LoadError;

/// How a model is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The requested device.
    pub device: Device,
    /// Threads of one run; `None` means one for each core.
    pub threads: Option<NonZeroUsize>,
    /// The most images in one run.
    pub max_batch: NonZeroUsize,
    /// Settings that matter only on a GPU.
    pub cuda: Cuda,
}

/// The device that the operator requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "String")]
pub enum Device {
    /// The CPU, even if there is a GPU.
    Cpu,
    /// A GPU if one is available, else the CPU.
    #[default]
    PreferGpu,
    /// A GPU; without one, loading fails.
    RequireGpu,
}

/// The execution provider in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Provider {
    /// ONNX Runtime's CPU execution provider.
    #[serde(rename = "CPUExecutionProvider")]
    Cpu,
    /// Its CUDA execution provider.
    #[serde(rename = "CUDAExecutionProvider")]
    Cuda,
}

/// The text names no [`Device`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a device is `cpu`, `prefer-gpu` or `require-gpu`")]
pub struct UnknownDevice;

impl Default for Options {
    fn default() -> Self {
        let max_batch = NonZeroUsize::new(32).expect("32 is not 0");
        Self { device: Device::default(), threads: None, max_batch, cuda: Cuda::default() }
    }
}

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "prefer-gpu" => Ok(Self::PreferGpu),
            "require-gpu" => Ok(Self::RequireGpu),
            _ => Err(UnknownDevice),
        }
    }
}

impl TryFrom<String> for Device {
    type Error = UnknownDevice;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Provider {
    /// The kind of device: `cpu` or `gpu`.
    pub fn device(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "gpu",
        }
    }

    /// ONNX Runtime's name of the provider.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPUExecutionProvider",
            Self::Cuda => "CUDAExecutionProvider",
        }
    }
}

/// Opens a session on the requested device. Returns the provider in use. `path` is used in messages only.
pub(super) fn open(
    path: &Path,
    onnx: &[u8],
    options: &Options,
) -> Result<(Session, Provider), LoadError> {
    let environment = library::environment()?;
    let cpu = || {
        session(&environment, onnx, options, Provider::Cpu)
            .map(|session| (session, Provider::Cpu))
            .map_err(|source| LoadError::NoModel { path: path.to_owned(), source })
    };
    if options.device == Device::Cpu {
        return cpu();
    }
    match session(&environment, onnx, options, Provider::Cuda) {
        Ok(session) => Ok((session, Provider::Cuda)),
        Err(source) if options.device == Device::RequireGpu => {
            Err(LoadError::NoGpu { path: path.to_owned(), source })
        }
        Err(reason) => {
            let opened = cpu()?;
            tracing::warn!(
                reason = reason.message().lines().next(),
                "no GPU is available, so the CPU runs the model; set device = \"cpu\" to silence this warning"
            );
            Ok(opened)
        }
    }
}

fn session(
    environment: &Environment,
    onnx: &[u8],
    options: &Options,
    provider: Provider,
) -> ort::Result<Session> {
    let threads = options.threads.or_else(|| std::thread::available_parallelism().ok());
    let mut builder = Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(threads.map_or(1, NonZeroUsize::get))?
        // An idle session leaves its cores to the decoders.
        .with_intra_op_spinning(false)?;
    if provider == Provider::Cuda {
        builder = builder.with_execution_providers([options.cuda.provider()])?;
    }
    builder.commit_from_memory(onnx)
}
