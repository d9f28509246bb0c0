//! The memory that request bodies use, from the first byte until the response.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::receiving::Receiving;
use crate::engine::admission::{Gate, Held, Limit, Share, SharedGate, Sharers};
use crate::http::metrics::Metrics;
use crate::ops::settings::Server;

/// How long a body that was ended may take to release its memory.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(20);

/// All request bodies, complete or still arriving.
pub(crate) struct Bodies {
    memory: Gate,
    /// The same memory as models share it.
    shares: SharedGate,
    pub(crate) receiving: Arc<Receiving>,
    metrics: Arc<Metrics>,
}

/// The memory that one body uses.
pub(crate) struct BodyMemory {
    held: Held,
    share: Share,
}

impl Bodies {
    pub(crate) fn new(settings: &Server, sharers: Sharers, metrics: Arc<Metrics>) -> Self {
        let most = settings.max_bodies_bytes.get();
        Self {
            memory: Gate::of_bytes(most),
            shares: SharedGate::new(most, sharers),
            receiving: Receiving::new(settings.max_receiving.get()),
            metrics,
        }
    }

    /// The memory of all bodies, in bytes, rounded up to whole units.
    pub(crate) fn bytes(&self) -> usize {
        self.memory.taken()
    }

    /// The reservation of a body without a byte yet, of a request to the model with this digest.
    pub(crate) fn begin(&self, model: &str) -> BodyMemory {
        const FITS: &str = "a reservation of 0 bytes always fits";
        let held = self.memory.try_enter(0).expect(FITS);
        BodyMemory { held, share: self.shares.try_enter(model, 0).expect(FITS) }
    }

    /// Grows a body's reservation to this many bytes. If the memory is full, it ends other bodies that are still
    /// arriving. Returns false if that does not free enough memory, or if the rest is kept for other models.
    pub(crate) async fn grow(&self, memory: &mut BodyMemory, bytes: usize) -> bool {
        self.grow_held(&mut memory.held, bytes).await
            && self.shares.try_grow(&mut memory.share, bytes)
    }

    async fn grow_held(&self, held: &mut Held, bytes: usize) -> bool {
        if self.memory.most() < bytes {
            return false;
        }
        loop {
            if self.memory.try_grow(held, bytes) {
                return true;
            }
            if !self.receiving.end_longest() {
                return false;
            }
            // An ended body releases its memory as soon as its own task notices.
            self.metrics.body_ended(Limit::Bodies);
            if timeout(RELEASE_TIMEOUT, self.memory.grow(held, bytes)).await.is_ok() {
                return true;
            }
        }
    }
}
