//! What a picture may cost, in each lane of workers.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::engine::decode::Lane;

/// A lane, by the most pixels of its pictures.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabel {
    max_pixels: u64,
}

/// Adds what each lane does at once, and what one picture may take there.
pub(crate) fn register(registry: &mut Registry, lanes: &[Lane]) {
    let [decodes, cpu, memory] =
        [(); 3].map(|()| Family::<LaneLabel, Gauge<f64, AtomicU64>>::default());
    for lane in lanes {
        let label = LaneLabel { max_pixels: lane.max_pixels };
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let [places, bytes] = [lane.decodes() as f64, lane.allowance.memory as f64];
        decodes.get_or_create(&label).set(places);
        cpu.get_or_create(&label).set(lane.allowance.cpu.as_secs_f64());
        memory.get_or_create(&label).set(bytes);
    }
    let help = "Pictures that workers decode at once, in the lane of up to so many pixels";
    registry.register("decode_lane_decodes_max", help, decodes);
    let help = "CPU time that decoding a picture may take, in the lane of up to so many pixels";
    registry.register_with_unit("decode_lane_cpu_max", help, Unit::Seconds, cpu);
    let help = "Memory that decoding a picture may take, in the lane of up to so many pixels";
    registry.register_with_unit("decode_lane_memory_max", help, Unit::Bytes, memory);
}
