//! Admission: all limits on concurrent work, in one list.
//!
//! A request meets the limits in the order of [`Limit::ALL`]. Each limit is a setting or a constant of this module. A
//! refusal is counted under the limit's name. Most limits are a [`Gate`]. Models share some of them: a [`SharedGate`] and
//! [`Turns`]. `http::connection` counts connections,
//! incomplete bodies and unsent responses, because it closes one to admit another.

mod sharing;

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use sharing::{Share, SharedGate, Sharers, Turn, Turns};

/// The most bodies of one connection that may be incomplete for longer than a second.
pub const BODIES_OF_CONNECTION: usize = 32;

/// The most bytes of unsent responses of one connection. Above it, the connection's requests are refused.
pub const UNSENT_OF_CONNECTION: usize = 4 << 20;

/// The most portions of bulk requests at once. With the largest portion, they still leave places for pairs.
pub const PORTIONS: NonZeroUsize = NonZeroUsize::new(4).expect("not 0");

/// The most pairs of images that are compared place by place at once: those of up to a megapixel each, and larger ones, which
/// take long and much memory.
pub const SCENES: [NonZeroUsize; 2] =
    [NonZeroUsize::new(4).expect("not 0"), NonZeroUsize::new(2).expect("not 0")];

/// The unit in which bytes are counted.
const KIBIBYTE: usize = 1 << 10;

/// A limit on concurrent work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Connections.
    Connections,
    /// Bodies that are not complete.
    Receiving,
    /// Incomplete bodies of one connection.
    Connection,
    /// The bytes of all bodies.
    Bodies,
    /// Requests in progress.
    Requests,
    /// Images of bulk requests, and the number of bulk requests.
    Bulk,
    /// Pairs of images that are compared place by place.
    Scenes,
    /// Portions of bulk requests.
    Portions,
    /// Images in a lane of decode workers, and the bytes of their uploads.
    Decodes,
    /// Images decoded at once, in each lane and on threads. Bulk images may use half of it.
    Decoders,
    /// Images reserved with the model: in decoding, in the queue or in a run.
    Queue,
    /// The bytes of responses that clients have not received.
    Unsent,
}

/// The action when a limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The request is refused as overloaded.
    Refuse,
    /// The oldest other user of the limit is closed. If there is none, the request is refused.
    EndAnother,
    /// The work waits for its turn.
    Wait,
}

impl Limit {
    /// All limits, in the order in which a request meets them.
    pub const ALL: [Self; 12] = [
        Self::Connections,
        Self::Receiving,
        Self::Connection,
        Self::Bodies,
        Self::Requests,
        Self::Bulk,
        Self::Scenes,
        Self::Portions,
        Self::Queue,
        Self::Decodes,
        Self::Decoders,
        Self::Unsent,
    ];

    /// The name in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Receiving => "receiving",
            Self::Connection => "connection",
            Self::Bodies => "bodies",
            Self::Requests => "requests",
            Self::Bulk => "bulk",
            Self::Scenes => "scenes",
            Self::Portions => "portions",
            Self::Decodes => "decodes",
            Self::Decoders => "decoders",
            Self::Queue => "queue",
            Self::Unsent => "unsent",
        }
    }

    /// The setting of the limit; `None` for a constant.
    pub const fn setting(self) -> Option<&'static str> {
        match self {
            Self::Connections => Some("server.max_connections"),
            Self::Receiving => Some("server.max_receiving"),
            Self::Bodies => Some("server.max_bodies_bytes"),
            Self::Requests => Some("server.max_in_flight"),
            Self::Bulk => Some("model.bulk_queue"),
            Self::Decodes => Some("image.queue"),
            Self::Decoders => Some("image.decodes"),
            Self::Queue => Some("model.queue"),
            Self::Unsent => Some("server.max_unsent_bytes"),
            Self::Connection | Self::Scenes | Self::Portions => None,
        }
    }

    /// The action when the limit is reached.
    pub const fn when_full(self) -> WhenFull {
        match self {
            Self::Connections
            | Self::Receiving
            | Self::Connection
            | Self::Bodies
            | Self::Unsent => WhenFull::EndAnother,
            Self::Requests | Self::Bulk | Self::Decodes | Self::Queue => WhenFull::Refuse,
            Self::Scenes | Self::Portions | Self::Decoders => WhenFull::Wait,
        }
    }
}

/// A counter of concurrent work with a limit, in units.
#[derive(Clone, Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
    most: u32,
    unit: usize,
}

/// An amount taken from a [`Gate`]. Dropping it returns the amount.
#[derive(Debug)]
#[must_use = "dropping it returns the amount"]
pub struct Held(OwnedSemaphorePermit);

impl Gate {
    /// Creates a gate for `most` units.
    pub fn new(most: NonZeroUsize) -> Self {
        Self::in_units(most.get(), 1)
    }

    /// Creates a gate for `most` bytes, counted in kibibytes.
    pub fn of_bytes(most: usize) -> Self {
        Self::in_units(most, KIBIBYTE)
    }

    fn in_units(most: usize, unit: usize) -> Self {
        // A semaphore on a 32-bit machine has at most this many permits.
        let most = u32::try_from(most / unit).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 3);
        Self { permits: Arc::new(Semaphore::new(most as usize)), most, unit }
    }

    /// Takes an amount at once, or nothing. An amount above the limit is admitted if the gate is empty.
    pub fn try_enter(&self, amount: usize) -> Option<Held> {
        self.permits.clone().try_acquire_many_owned(self.units(amount)).ok().map(Held)
    }

    /// Waits for an amount, in the order of the calls.
    #[expect(clippy::missing_panics_doc, reason = "the gate is never closed")]
    pub async fn enter(&self, amount: usize) -> Held {
        let permits = self.permits.clone().acquire_many_owned(self.units(amount)).await;
        Held(permits.expect("the gate is never closed"))
    }

    /// Raises the held amount to `amount` in all. Returns whether that was possible.
    pub fn try_grow(&self, held: &mut Held, amount: usize) -> bool {
        let permits = self.permits.clone().try_acquire_many_owned(self.missing(held, amount));
        permits.map(|permits| held.0.merge(permits)).is_ok()
    }

    /// Waits until the held amount can be raised to `amount` in all.
    #[expect(clippy::missing_panics_doc, reason = "the gate is never closed")]
    pub async fn grow(&self, held: &mut Held, amount: usize) {
        let permits = self.permits.clone().acquire_many_owned(self.missing(held, amount)).await;
        held.0.merge(permits.expect("the gate is never closed"));
    }

    /// Whether the limit is reached.
    pub fn is_full(&self) -> bool {
        self.permits.available_permits() == 0
    }

    /// The amount taken, rounded up to whole units.
    pub fn taken(&self) -> usize {
        (self.most as usize - self.permits.available_permits()) * self.unit
    }

    /// The limit.
    pub fn most(&self) -> usize {
        self.most as usize * self.unit
    }

    fn missing(&self, held: &Held, amount: usize) -> u32 {
        self.units(amount).saturating_sub(u32::try_from(held.units()).unwrap_or(u32::MAX))
    }

    fn units(&self, amount: usize) -> u32 {
        u32::try_from(amount.div_ceil(self.unit)).unwrap_or(u32::MAX).min(self.most)
    }
}

impl Held {
    /// Splits off an amount of bytes, or everything if less is held.
    #[expect(clippy::missing_panics_doc, reason = "no more is split off than is held")]
    pub fn split_bytes(&mut self, bytes: usize) -> Self {
        let units = bytes.div_ceil(KIBIBYTE).min(self.units());
        Self(self.0.split(units).expect("no more than is held"))
    }

    /// Takes the whole held amount.
    pub fn take(&mut self) -> Self {
        self.split_bytes(usize::MAX)
    }

    fn units(&self) -> usize {
        self.0.num_permits()
    }
}

/// A quarter of the number, rounded up.
pub(super) fn quarter(most: NonZeroUsize) -> NonZeroUsize {
    most.div_ceil(NonZeroUsize::new(4).expect("not 0"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn an_amount_above_the_limit_is_admitted_alone() {
        let gate = Gate::new(NonZeroUsize::new(10).expect("not 0"));
        let first = gate.try_enter(6).expect("room");
        assert!(gate.try_enter(5).is_none());
        assert_eq!(gate.taken(), 6);
        drop(first);
        let largest = gate.try_enter(1000).expect("room");
        assert!(gate.is_full() && gate.try_enter(1).is_none());
        drop(largest);
        assert_eq!(gate.taken(), 0);
    }

    #[test]
    fn bytes_are_counted_in_whole_units() {
        let gate = Gate::of_bytes(4096);
        let mut held = gate.try_enter(1).expect("room");
        assert_eq!((gate.taken(), gate.most()), (1024, 4096));
        assert!(gate.try_grow(&mut held, 2049) && gate.try_grow(&mut held, 1));
        assert_eq!((gate.taken(), held.units()), (3072, 3));
        drop(held.split_bytes(1025));
        assert_eq!(gate.taken(), 1024);
    }

    #[test]
    fn each_limit_is_listed_once_and_has_its_own_name() {
        let names: HashSet<&str> = Limit::ALL.iter().map(|limit| limit.name()).collect();
        assert_eq!(names.len(), Limit::ALL.len());
    }

    #[test]
    fn the_architecture_page_shows_the_limits_in_their_order() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
        let page = fs::read_to_string(page).expect("the page");
        let rows = page.lines().skip_while(|line| *line != "### Limits").filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
            Some([
                cells[0].trim_end_matches('`').to_owned(),
                cells[1].to_owned(),
                cells[2].to_owned(),
            ])
        });
        let shown: Vec<[String; 3]> = rows.take(Limit::ALL.len()).collect();
        let expected = Limit::ALL.map(|limit| {
            let setting = limit.setting().map_or("a constant".to_owned(), |key| format!("`{key}`"));
            let when_full = match limit.when_full() {
                WhenFull::Refuse => "refused",
                WhenFull::EndAnother => "another is ended, or refused",
                WhenFull::Wait => "waits",
            };
            [limit.name().to_owned(), setting, when_full.to_owned()]
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_settings_of_all_limits_exist() {
        let defaults = include_str!("../../../config/default.toml");
        let defaults: toml::Table = defaults.parse().expect("TOML");
        for setting in Limit::ALL.iter().filter_map(|limit| limit.setting()) {
            let (section, key) = setting.split_once('.').expect("a section and a key");
            assert!(defaults[section].get(key).is_some(), "{setting}");
        }
    }
}
