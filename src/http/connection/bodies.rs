//! The memory that requests' bodies take, from their first byte until their requests are answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::receiving::Receiving;
use crate::engine::admission::{Gate, Held, Limit};
use crate::http::metrics::Metrics;
use crate::ops::settings::Server;

/// How long a body that was ended has to be gone.
const LOOK: Duration = Duration::from_millis(20);

/// All bodies, whole or still coming.
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

    /// How many bytes there are, in whole units.
    pub(crate) fn bytes(&self) -> usize {
        self.memory.taken()
    }

    /// The share of a body that has no byte yet.
    pub(crate) fn begin(&self) -> Held {
        self.memory.try_enter(0).expect("nothing can be had")
    }

    /// Lets a body's share grow to so many bytes; false where the memory is full, though other bodies that are still coming
    /// are ended for it.
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
            // What has been ended gives its bytes back as soon as its own task sees it.
            self.metrics.body_ended(Limit::Bodies);
            if timeout(LOOK, self.memory.grow(share, bytes)).await.is_ok() {
                return true;
            }
        }
    }
}
