//! The connections of a port, and which of them is closed when a new one arrives at the limit.
//!
//! A client that opens connections and sends nothing, or sends one request and keeps the connection, must not lock out
//! others: the connection that has idled longest is closed. Connections without any request so far come first, because
//! load balancers keep idle connections for reuse. If none is idle, one that only waits for bodies is closed. A
//! connection whose requests never had a valid key counts as one without requests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::state::ConnectionState;
use crate::http::metrics::Ended;

/// How often to look for a connection that became idle, while all are busy.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// All connections of a port.
pub(crate) struct Registry {
    slot: Arc<Semaphore>,
    most: u32,
    states: Mutex<HashMap<u64, Arc<ConnectionState>>>,
    next: AtomicU64,
}

/// A free slot for one connection.
pub(crate) type Slot = OwnedSemaphorePermit;

/// The registration of a connection, until this is dropped.
pub(crate) struct Registered {
    registry: Arc<Registry>,
    number: u64,
    _slot: Slot,
}

impl Registry {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        let most = u32::try_from(most).unwrap_or(u32::MAX).min(u32::MAX >> 3);
        Arc::new(Self {
            slot: Arc::new(Semaphore::new(most as usize)),
            most,
            states: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    /// A slot for one more connection, if one is free.
    pub(crate) fn try_slot(&self) -> Option<Slot> {
        self.slot.clone().try_acquire_owned().ok()
    }

    /// A slot for one more connection. If none is free, the connection that has idled longest is closed; if all are
    /// busy, this waits.
    ///
    /// # Cancel safety
    ///
    /// At most, an idle connection was closed for nothing.
    pub(crate) async fn slot(&self) -> Slot {
        loop {
            if let Some(slot) = self.try_slot() {
                return slot;
            }
            if let Some(state) = self.idlest() {
                state.end(Ended::ConnectionsFull);
            }
            if let Ok(Ok(slot)) = timeout(POLL_INTERVAL, self.slot.clone().acquire_owned()).await {
                return slot;
            }
        }
    }

    /// Registers a connection.
    pub(crate) fn register(
        self: &Arc<Self>,
        slot: Slot,
        state: Arc<ConnectionState>,
    ) -> Registered {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.states().insert(number, state);
        Registered { registry: self.clone(), number, _slot: slot }
    }

    /// How many connections are open.
    pub(crate) fn size(&self) -> usize {
        self.most as usize - self.slot.available_permits()
    }

    /// Waits until no connection is open.
    pub(crate) async fn gone(&self) {
        let _ = self.slot.acquire_many(self.most).await;
    }

    fn idlest(&self) -> Option<Arc<ConnectionState>> {
        let now = Instant::now();
        let states = self.states();
        let idle = states.values().filter(|state| state.may_be_closed(now));
        idle.min_by_key(|state| state.keep_priority()).cloned()
    }

    fn states(&self) -> MutexGuard<'_, HashMap<u64, Arc<ConnectionState>>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.states().remove(&self.number);
    }
}
