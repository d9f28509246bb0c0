//! The connections of a port: how many there are, and which of them ends where another comes and there is no room.
//!
//! Who opens connections and says nothing, or asks once and stays, must not lock others out: the one that has idled for
//! longest makes room. Those that have never asked for anything go first, as a balancer keeps idle ones for use. Where none
//! idles, one goes that has nothing but bodies that do not come. Whoever has only guessed at keys goes as those do that never asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::life::Life;
use crate::http::metrics::Ended;

/// How often it is looked for one that has come to idle, while all are busy.
const LOOK: Duration = Duration::from_millis(100);

/// All connections of a port.
pub(crate) struct Crowd {
    room: Arc<Semaphore>,
    most: u32,
    lives: Mutex<HashMap<u64, Arc<Life>>>,
    next: AtomicU64,
}

/// Room for a connection.
pub(crate) type Room = OwnedSemaphorePermit;

/// A connection's place among the others, until this is dropped.
pub(crate) struct Place {
    crowd: Arc<Crowd>,
    number: u64,
    _room: Room,
}

impl Crowd {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        let most = u32::try_from(most).unwrap_or(u32::MAX).min(u32::MAX >> 3);
        Arc::new(Self {
            room: Arc::new(Semaphore::new(most as usize)),
            most,
            lives: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    /// Room for one more, where there is any.
    pub(crate) fn try_room(&self) -> Option<Room> {
        self.room.clone().try_acquire_owned().ok()
    }

    /// Room for one more: where there is none, the one that has idled for longest ends; where all are busy, it waits.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but an idle connection.
    pub(crate) async fn room(&self) -> Room {
        loop {
            if let Some(room) = self.try_room() {
                return room;
            }
            if let Some(life) = self.idlest() {
                life.end(Ended::Crowded);
            }
            if let Ok(Ok(room)) = timeout(LOOK, self.room.clone().acquire_owned()).await {
                return room;
            }
        }
    }

    /// Lets a connection in.
    pub(crate) fn place(self: &Arc<Self>, room: Room, life: Arc<Life>) -> Place {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.lives().insert(number, life);
        Place { crowd: self.clone(), number, _room: room }
    }

    /// How many there are.
    pub(crate) fn size(&self) -> usize {
        self.most as usize - self.room.available_permits()
    }

    /// Waits until there are none.
    pub(crate) async fn gone(&self) {
        let _ = self.room.acquire_many(self.most).await;
    }

    fn idlest(&self) -> Option<Arc<Life>> {
        let now = Instant::now();
        let lives = self.lives();
        let idle = lives.values().filter(|life| life.may_make_room(now));
        idle.min_by_key(|life| life.worth()).cloned()
    }

    fn lives(&self) -> MutexGuard<'_, HashMap<u64, Arc<Life>>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.lives().remove(&self.number);
    }
}
