//! Metrics of the decoder lanes: what decoding one image may use.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::engine::decode::Lane;

/// A lane, identified by the largest number of pixels of its images.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabel {
    max_pixels: u64,
}

/// Registers the number of decoders of each lane, and what one image may use there.
pub(crate) fn register(registry: &mut Registry, lanes: &[Lane]) {
    let [decodes, cpu, memory] =
        [(); 3].map(|()| Family::<LaneLabel, Gauge<f64, AtomicU64>>::default());
    for lane in lanes {
        let label = LaneLabel { max_pixels: lane.max_pixels };
        #[expect(clippy::cast_precision_loss, reason = "these numbers are far below 2^53")]
        let [parallel, bytes] = [lane.decodes() as f64, lane.allowance.memory as f64];
        decodes.get_or_create(&label).set(parallel);
        cpu.get_or_create(&label).set(lane.allowance.cpu.as_secs_f64());
        memory.get_or_create(&label).set(bytes);
    }
    let help =
        "Most images that decoder processes decode at once, by the lane's largest image in pixels";
    registry.register("decode_lane_decodes_max", help, decodes);
    let help = "Most CPU time to decode one image, by the lane's largest image in pixels";
    registry.register_with_unit("decode_lane_cpu_max", help, Unit::Seconds, cpu);
    let help = "Most memory to decode one image, by the lane's largest image in pixels";
    registry.register_with_unit("decode_lane_memory_max", help, Unit::Bytes, memory);
}
