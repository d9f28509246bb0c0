//! How a tower runs on ONNX Runtime's CUDA execution provider.

use ort::ep::{self, ArenaExtendStrategy, ExecutionProviderDispatch, cuda};
use serde::Deserialize;

/// `[cuda]`: what matters only where a GPU runs the tower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cuda {
    /// Which GPU, from 0.
    pub device_id: u8,
    /// The most bytes of its memory for one session's work; 0 is all there are.
    pub memory_limit_bytes: usize,
    /// How the algorithm of a convolution is found.
    pub convolution_search: ConvolutionSearch,
    /// Whether products may be rounded to 10 bits, which is faster and moves distances.
    pub tf32: bool,
}

/// How the algorithm of a convolution is found, for each shape anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConvolutionSearch {
    /// By cuDNN's rules of thumb, at once.
    #[default]
    Heuristic,
    /// By trying them all, which may take a second for each batch size before the server is ready.
    Exhaustive,
    /// None: one algorithm for all.
    Default,
}

impl Cuda {
    /// The provider, which fails loudly where it can't be had.
    pub(super) fn provider(self) -> ExecutionProviderDispatch {
        let mut provider = ep::CUDA::default()
            .with_device_id(self.device_id.into())
            .with_tf32(self.tf32)
            .with_conv_algorithm_search(match self.convolution_search {
                ConvolutionSearch::Heuristic => cuda::ConvAlgorithmSearch::Heuristic,
                ConvolutionSearch::Exhaustive => cuda::ConvAlgorithmSearch::Exhaustive,
                ConvolutionSearch::Default => cuda::ConvAlgorithmSearch::Default,
            })
            // All sizes of a run are known beforehand, so that nothing is gained by taking memory in powers of two.
            .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested);
        if 0 < self.memory_limit_bytes {
            provider = provider.with_memory_limit(self.memory_limit_bytes);
        }
        provider.build().error_on_failure()
    }
}
