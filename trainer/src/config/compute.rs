//! What training runs on.

use burn::tensor::Device;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What training runs on. A model that was trained on one is served on any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Compute {
    /// The CPU.
    #[default]
    Cpu,
    /// The first NVIDIA GPU; only in a trainer that was built with the feature `cuda`.
    Cuda,
}

/// A trainer that knows of no GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "this trainer was built without CUDA: build it with `cargo build --release -p siamese-trainer --features cuda`, \
     or leave out --device"
)]
pub struct BuiltWithout;

/// A GPU that does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "CUDA can't be used here: it takes an NVIDIA GPU, its driver, and CUDA's libraries where programs find them; or \
     leave out --device"
)]
pub struct Unusable;

impl Compute {
    /// The device, without gradients.
    pub fn device(self) -> Result<Device, BuiltWithout> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0)),
            #[cfg(not(feature = "cuda"))]
            Self::Cuda => Err(BuiltWithout),
        }
    }

    /// Tries a GPU before anything is read, as its libraries are looked for at the first use, and panic
    /// where they are not.
    pub fn check(self) -> anyhow::Result<()> {
        let device = self.device()?;
        if self == Self::Cuda {
            let sum = std::panic::catch_unwind(|| {
                burn::tensor::Tensor::<1>::ones([2], &device).sum().try_into_data()
            });
            sum.map_err(|_| Unusable)?.map_err(|_| Unusable)?;
        }
        Ok(())
    }
}
