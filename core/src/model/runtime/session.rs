//! Where a tower runs: what the operator asks for, and what really does.

use std::num::NonZeroUsize;
use std::str::FromStr;

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Cuda, library};
use crate::model::{LoadError, Source};

/// How a tower is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where.
    pub device: Device,
    /// Threads of one run; `None` means one a core.
    pub threads: Option<NonZeroUsize>,
    /// The most pictures in one run.
    pub largest_batch: NonZeroUsize,
    /// What matters only on a GPU.
    pub cuda: Cuda,
}

/// What the operator asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// The CPU, even beside a GPU.
    Cpu,
    /// A GPU where there is one, else the CPU.
    #[default]
    PreferGpu,
    /// A GPU, or no start.
    RequireGpu,
}

/// What really runs.
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

/// A device that is none of those in [`Device`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a device is `cpu`, `prefer-gpu` or `require-gpu`")]
pub struct UnknownDevice;

impl Default for Options {
    fn default() -> Self {
        let largest_batch = NonZeroUsize::new(32).expect("32 is not 0");
        Self { device: Device::default(), threads: None, largest_batch, cuda: Cuda::default() }
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

impl Provider {
    /// `cpu` or `gpu`: the kind of device it runs on.
    pub fn device(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "gpu",
        }
    }

    /// ONNX Runtime's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPUExecutionProvider",
            Self::Cuda => "CUDAExecutionProvider",
        }
    }
}

/// Opens a tower on the device asked for; tells what runs it.
pub(super) fn open(model: &Source, options: &Options) -> Result<(Session, Provider), LoadError> {
    let environment = library::environment()?;
    let cpu = || {
        session(&environment, model, options, Provider::Cpu)
            .map(|it| (it, Provider::Cpu))
            .map_err(|source| LoadError::NoModel { path: model.path().to_owned(), source })
    };
    if options.device == Device::Cpu {
        return cpu();
    }
    match session(&environment, model, options, Provider::Cuda) {
        Ok(session) => Ok((session, Provider::Cuda)),
        Err(source) if options.device == Device::RequireGpu => {
            Err(LoadError::NoGpu { path: model.path().to_owned(), source })
        }
        Err(reason) => {
            let opened = cpu()?;
            tracing::warn!(
                reason = reason.message().lines().next(),
                "no GPU can be used, so the CPU runs the tower; device = \"cpu\" asks for that quietly"
            );
            Ok(opened)
        }
    }
}

fn session(
    environment: &Environment,
    model: &Source,
    options: &Options,
    provider: Provider,
) -> ort::Result<Session> {
    let threads = options.threads.or_else(|| std::thread::available_parallelism().ok());
    let mut builder = Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(threads.map_or(1, NonZeroUsize::get))?
        // A waiting tower leaves its cores to the decoders.
        .with_intra_op_spinning(false)?;
    if provider == Provider::Cuda {
        builder = builder.with_execution_providers([options.cuda.provider()])?;
    }
    builder.commit_from_memory(model.onnx())
}
