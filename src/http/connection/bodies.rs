//! The memory that request bodies use, from the first byte until the response.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::receiving::Receiving;
use crate::engine::admission::{Gate, Held, Limit};
use crate::http::metrics::Metrics;
use crate::ops::settings::Server;

/// How long a body that was ended may take to release its memory.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(20);

/// All request bodies, complete or still arriving.
pub(crate) struct Bodies {
    memory: Gate,
    pub(crate) receiving: Arc<Receiving>,
    metrics: Arc<Metrics>,
}

impl Bodies {
    pub(crate) fn new(settings: &Server, metrics: Arc<Metrics>) -> Self {
        let memory = Gate::of_bytes(settings.max_bodies_bytes.get());
        Self { memory, receiving: Receiving::new(settings.max_receiving.get()), metrics }
    }

    /// The memory of all bodies, in bytes, rounded up to whole units.
    pub(crate) fn bytes(&self) -> usize {
        self.memory.taken()
    }

    /// The reservation of a body that has no byte yet.
    pub(crate) fn begin(&self) -> Held {
        self.memory.try_enter(0).expect("a reservation of 0 bytes always fits")
    }

    /// Grows a body's reservation to this many bytes. If the memory is full, it ends other bodies that are still
    /// arriving. Returns false if that does not free enough memory.
    pub(crate) async fn grow(&self, share: &mut Held, bytes: usize) -> bool {
        if self.memory.most() < bytes {
            return false;
        }
        loop {
            if self.memory.try_grow(share, bytes) {
                return true;
            }
            if !self.receiving.end_longest() {
                return false;
            }
            // An ended body releases its memory as soon as its own task notices.
            self.metrics.body_ended(Limit::Bodies);
            if timeout(RELEASE_TIMEOUT, self.memory.grow(share, bytes)).await.is_ok() {
                return true;
            }
        }
    }
}
