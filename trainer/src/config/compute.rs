//! The device that training runs on.

use burn::tensor::Device;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The device that training runs on. The trained model can be served on any device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Compute {
    /// The CPU.
    #[default]
    Cpu,
    /// The first NVIDIA GPU; needs a trainer that was built with the feature `cuda`.
    Cuda,
}

/// The trainer was built without support for GPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "this trainer was built without CUDA: build it with `cargo build --release -p siamese-trainer --features cuda`, \
     or omit --device"
)]
pub struct BuiltWithoutCuda;

/// The GPU or its libraries cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "CUDA cannot be used on this machine: it needs an NVIDIA GPU, its driver, and the CUDA libraries on the library path; \
     or omit --device"
)]
pub struct CudaUnavailable;

impl Compute {
    /// Returns the device, without gradients.
    pub fn device(self) -> Result<Device, BuiltWithoutCuda> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0)),
            #[cfg(not(feature = "cuda"))]
            Self::Cuda => Err(BuiltWithoutCuda),
        }
    }

    /// Checks that the device works.
    ///
    /// burn loads the CUDA libraries at the first use, and panics if they are missing. This check runs before any image
    /// is read.
    pub fn check(self) -> anyhow::Result<()> {
        let device = self.device()?;
        if self == Self::Cuda {
            let sum = std::panic::catch_unwind(|| {
                burn::tensor::Tensor::<1>::ones([2], &device).sum().try_into_data()
            });
            sum.map_err(|_| CudaUnavailable)?.map_err(|_| CudaUnavailable)?;
        }
        Ok(())
    }
}
