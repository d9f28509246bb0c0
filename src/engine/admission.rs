//! What is let in, and what is not: every limit on work at once, in one list.
//!
//! A request meets the limits in the order of [`Limit::ALL`]. Each has a setting, or is a constant here; those that refuse are
//! counted by their name. Most are a [`Gate`]; connections, bodies that are still coming and untaken answers are counted by
//! `http::connection`, which ends one for another.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies of one connection that may come at once where they take longer than a second.
pub const BODIES_OF_CONNECTION: usize = 32;

/// What one connection may leave untaken before its requests are refused, in bytes.
pub const ANSWERS_OF_CONNECTION: usize = 4 << 20;

/// Portions in hand of all requests of many images: with the most images of each, they leave places for pairs.
pub const PORTIONS: NonZeroUsize = NonZeroUsize::new(4).expect("not 0");

/// What bytes are counted in.
const KIBIBYTE: usize = 1 << 10;

/// A limit on work at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Connections.
    Connections,
    /// Bodies that have not come whole.
    Receiving,
    /// Those of one connection.
    Connection,
    /// Bytes of all bodies.
    Bodies,
    /// Requests that are worked on.
    Requests,
    /// Images of requests with many, and such requests.
    Bulk,
    /// Portions of such requests.
    Portions,
    /// Images in a lane of decode workers, and bytes of their uploads.
    Decodes,
    /// Images decoded at once, in each lane and on threads; those of many have half of it.
    Decoders,
    /// Images that the model's queue holds: being decoded, waiting or in the model.
    Places,
    /// Bytes of answers that clients have not taken.
    Answers,
}

/// What happens where a limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The request is refused as overloaded.
    Refuse,
    /// Another that has been at it for longest is ended for it; where there is none, the request is refused.
    EndAnother,
    /// It waits for its turn.
    Wait,
}

impl Limit {
    /// All of them, in the order in which a request meets them.
    pub const ALL: [Self; 11] = [
        Self::Connections,
        Self::Receiving,
        Self::Connection,
        Self::Bodies,
        Self::Requests,
        Self::Bulk,
        Self::Portions,
        Self::Places,
        Self::Decodes,
        Self::Decoders,
        Self::Answers,
    ];

    /// Its name in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Receiving => "receiving",
            Self::Connection => "connection",
            Self::Bodies => "bodies",
            Self::Requests => "requests",
            Self::Bulk => "bulk",
            Self::Portions => "portions",
            Self::Decodes => "decodes",
            Self::Decoders => "decoders",
            Self::Places => "places",
            Self::Answers => "answers",
        }
    }

    /// The setting that it is; `None` for a constant of the program's.
    pub const fn setting(self) -> Option<&'static str> {
        match self {
            Self::Connections => Some("server.max_connections"),
            Self::Receiving => Some("server.max_receiving"),
            Self::Bodies => Some("server.max_bodies_bytes"),
            Self::Requests => Some("server.max_in_flight"),
            Self::Bulk => Some("tower.bulk_queue"),
            Self::Decodes => Some("picture.queue"),
            Self::Decoders => Some("picture.decodes"),
            Self::Places => Some("tower.queue"),
            Self::Answers => Some("server.max_answers_bytes"),
            Self::Connection | Self::Portions => None,
        }
    }

    /// What happens where it is reached.
    pub const fn when_full(self) -> WhenFull {
        match self {
            Self::Connections
            | Self::Receiving
            | Self::Connection
            | Self::Bodies
            | Self::Answers => WhenFull::EndAnother,
            Self::Requests | Self::Bulk | Self::Decodes | Self::Places => WhenFull::Refuse,
            Self::Portions | Self::Decoders => WhenFull::Wait,
        }
    }
}

/// Room for so much work at once, counted in units.
#[derive(Clone, Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
    most: u32,
    unit: usize,
}

/// Room that was taken; it is free again once this is dropped.
#[derive(Debug)]
pub struct Held(OwnedSemaphorePermit);

impl Gate {
    /// Room for so many.
    pub fn new(most: NonZeroUsize) -> Self {
        Self::in_units(most.get(), 1)
    }

    /// Room for so many bytes, counted in units of a kibibyte.
    pub fn of_bytes(most: usize) -> Self {
        Self::in_units(most, KIBIBYTE)
    }

    fn in_units(most: usize, unit: usize) -> Self {
        // More than this no semaphore of a 32-bit machine has.
        let most = u32::try_from(most / unit).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 3);
        Self { permits: Arc::new(Semaphore::new(most as usize)), most, unit }
    }

    /// Room for so much, or none. What is larger than all of it is let in alone.
    pub fn try_enter(&self, amount: usize) -> Option<Held> {
        self.permits.clone().try_acquire_many_owned(self.units(amount)).ok().map(Held)
    }

    /// Waits for room for so much, in the order of asking.
    #[expect(clippy::missing_panics_doc, reason = "the gate is never closed")]
    pub async fn enter(&self, amount: usize) -> Held {
        let permits = self.permits.clone().acquire_many_owned(self.units(amount)).await;
        Held(permits.expect("never closed"))
    }

    /// Lets room grow to so much in all, or tells that there is none.
    pub fn try_grow(&self, held: &mut Held, amount: usize) -> bool {
        let permits = self.permits.clone().try_acquire_many_owned(self.missing(held, amount));
        permits.map(|permits| held.0.merge(permits)).is_ok()
    }

    /// Waits for room to grow to so much in all.
    #[expect(clippy::missing_panics_doc, reason = "the gate is never closed")]
    pub async fn grow(&self, held: &mut Held, amount: usize) {
        let permits = self.permits.clone().acquire_many_owned(self.missing(held, amount)).await;
        held.0.merge(permits.expect("never closed"));
    }

    /// Whether there is room for one more.
    pub fn is_full(&self) -> bool {
        self.permits.available_permits() == 0
    }

    /// How much is taken, in whole units.
    pub fn taken(&self) -> usize {
        (self.most as usize - self.permits.available_permits()) * self.unit
    }

    /// How much there is.
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
    /// Takes room for so many bytes out of it, or all that there is.
    #[expect(clippy::missing_panics_doc, reason = "no more is taken than there is")]
    pub fn split_bytes(&mut self, bytes: usize) -> Self {
        let units = bytes.div_ceil(KIBIBYTE).min(self.units());
        Self(self.0.split(units).expect("no more than there is"))
    }

    /// Takes all of it.
    pub fn take(&mut self) -> Self {
        self.split_bytes(usize::MAX)
    }

    fn units(&self) -> usize {
        self.0.num_permits()
    }
}

/// A quarter of so many, rounded up.
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
    fn the_largest_is_let_in_alone() {
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
    fn each_limit_stands_in_the_list_once_and_has_a_name_of_its_own() {
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
        let defaults = include_str!("../../config/default.toml");
        let defaults: toml::Table = defaults.parse().expect("TOML");
        for setting in Limit::ALL.iter().filter_map(|limit| limit.setting()) {
            let (section, key) = setting.split_once('.').expect("a section and a key");
            assert!(defaults[section].get(key).is_some(), "{setting}");
        }
    }
}
