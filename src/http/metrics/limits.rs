//! The limits that are in force: what settings, the system and the program's own constants come to.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::engine::admission::{ANSWERS_OF_CONNECTION, BODIES_OF_CONNECTION};
use crate::ops::settings::Settings;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

/// Adds one family of all limits, each by its name: bytes and milliseconds where the name ends so, else a number.
pub(crate) fn register(registry: &mut Registry, settings: &Settings) {
    let family = Family::<LimitLabel, Gauge>::default();
    for (limit, value) in of_requests(settings) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        family.get_or_create(&LimitLabel { limit }).set(value);
    }
    let help = "Limits in force, by name: bytes and milliseconds where it ends so, else a number";
    registry.register("limit", help, family);
}

/// Limits of connections, requests, bodies, answers and pictures.
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
        ("answers_bytes", most(server.max_answers_bytes.get())),
        ("answers_of_connection_bytes", most(ANSWERS_OF_CONNECTION)),
        ("answer_timeout_ms", server.answer_timeout_ms.get()),
        ("picture_pixels", settings.picture.max_pixels.get()),
        ("picture_memory_bytes", settings.picture.max_memory_bytes.get()),
        ("picture_cpu_ms", settings.picture.max_cpu_ms.get()),
        ("pictures", most(server.max_pictures.get())),
        ("pairs", most(server.max_pairs.get())),
        ("bulk_pictures", most(settings.tower.bulk_queue.get())),
    ]
}
