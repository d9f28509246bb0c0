//! Metrics of the limits in force. They follow from the settings, the system and constants of the program.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::engine::admission::{BODIES_OF_CONNECTION, UNSENT_OF_CONNECTION};
use crate::ops::settings::Settings;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

/// Registers one family for all limits. A name that ends in `bytes` or `ms` gives the unit; others are counts.
pub(crate) fn register(registry: &mut Registry, settings: &Settings) {
    let family = Family::<LimitLabel, Gauge>::default();
    for (limit, value) in of_requests(settings) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        family.get_or_create(&LimitLabel { limit }).set(value);
    }
    let help = "Limits in force, by name; in bytes or milliseconds if the name ends in bytes or ms, else a count";
    registry.register("limit", help, family);
}

/// The limits on connections, requests, bodies, responses and images.
fn of_requests(settings: &Settings) -> [(&'static str, u64); 20] {
    let server = &settings.server;
    let most = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    [
        ("connections", most(server.max_connections.get())),
        ("idle_timeout_ms", server.idle_timeout_ms.get()),
        ("head_timeout_ms", server.head_timeout_ms.get()),
        ("http2_streams", server.http2_max_streams.get().into()),
        ("body_bytes", most(server.max_body_bytes.get())),
        ("bodies_bytes", most(server.max_bodies_bytes.get())),
        ("body_timeout_ms", server.body_timeout_ms.get()),
        ("receiving", most(server.max_receiving.get())),
        ("receiving_of_connection", most(BODIES_OF_CONNECTION)),
        ("in_flight_requests", most(server.max_in_flight.get())),
        ("deadline_ms", server.deadline_ms.get()),
        ("unsent_bytes", most(server.max_unsent_bytes.get())),
        ("unsent_of_connection_bytes", most(UNSENT_OF_CONNECTION)),
        ("response_timeout_ms", server.response_timeout_ms.get()),
        ("image_pixels", settings.image.max_pixels.get()),
        ("image_memory_bytes", settings.image.max_memory_bytes.get()),
        ("image_cpu_ms", settings.image.max_cpu_ms.get()),
        ("images", most(server.max_images.get())),
        ("pairs", most(server.max_pairs.get())),
        ("bulk_images", most(settings.model.bulk_queue.get())),
    ]
}
