//! Settings of ONNX Runtime's CUDA execution provider.

use ort::ep::{self, ArenaExtendStrategy, ExecutionProviderDispatch, cuda};
use serde::Deserialize;
use thiserror::Error;

/// `[cuda]`: settings that matter only if a GPU runs the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cuda {
    /// The number of the GPU, from 0.
    pub device_id: u8,
    /// The most GPU memory for one session, in bytes; 0 means no limit.
    pub memory_limit_bytes: usize,
    /// How the algorithm of a convolution is chosen.
    pub convolution_search: ConvolutionSearch,
    /// Whether products may be rounded to 10 bits (TF32). This is faster and changes distances slightly.
    pub tf32: bool,
}

/// How the algorithm of a convolution is chosen, for each new shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ConvolutionSearch {
    /// By cuDNN's heuristics, without a measurement.
    #[default]
    Heuristic,
    /// By measuring all algorithms. It may delay the start by a second for each batch size.
    Exhaustive,
    /// No search: the same algorithm for all shapes.
    Default,
}

/// The text names no [`ConvolutionSearch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a convolution search is `heuristic`, `exhaustive` or `default`")]
pub struct UnknownSearch;

impl TryFrom<String> for ConvolutionSearch {
    type Error = UnknownSearch;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "heuristic" => Ok(Self::Heuristic),
            "exhaustive" => Ok(Self::Exhaustive),
            "default" => Ok(Self::Default),
            _ => Err(UnknownSearch),
        }
    }
}

impl Cuda {
    /// Builds the execution provider. An unavailable GPU is an error, not a fallback.
    pub(super) fn provider(self) -> ExecutionProviderDispatch {
        let mut provider = ep::CUDA::default()
            .with_device_id(self.device_id.into())
            .with_tf32(self.tf32)
            .with_conv_algorithm_search(match self.convolution_search {
                ConvolutionSearch::Heuristic => cuda::ConvAlgorithmSearch::Heuristic,
                ConvolutionSearch::Exhaustive => cuda::ConvAlgorithmSearch::Exhaustive,
                ConvolutionSearch::Default => cuda::ConvAlgorithmSearch::Default,
            })
            // All sizes of a run are known in advance, so growing the arena in powers of two gains nothing.
            .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested);
        if 0 < self.memory_limit_bytes {
            provider = provider.with_memory_limit(self.memory_limit_bytes);
        }
        provider.build().error_on_failure()
    }
}
