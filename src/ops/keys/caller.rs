//! Who sends requests with a key: its name, and its rate limits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The client that a key belongs to.
#[derive(Debug, Default)]
pub struct Caller {
    name: Arc<str>,
    limits: Limits,
    requests: Option<Bucket>,
    images: Option<Bucket>,
}

/// The rate limits of a key. Without a rate there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Limits {
    pub(super) requests_per_second: Option<f64>,
    /// The most requests at once. By default, those of one second, at least one.
    pub(super) burst: Option<u32>,
    pub(super) images_per_second: Option<f64>,
}

/// What a rate limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Requests.
    Requests,
    /// Images of requests.
    Images,
}

/// A rate limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// What it counts.
    pub rate: Rate,
    /// How long it takes until the next request is admitted, if no other request precedes it.
    pub wait: Duration,
}

/// A bucket of tokens that returns spent tokens at a rate. It may owe tokens: the number of images of a request is known
/// only after the request was admitted.
///
/// It needs no library, because its state is one instant: when all spent tokens are back. The crate `governor` refuses an
/// amount above the burst in place of owing it.
#[derive(Debug)]
struct Bucket {
    /// The time in which one token comes back.
    interval: Duration,
    /// The time in which all tokens but one come back.
    tolerance: Duration,
    full: Mutex<Instant>,
}

impl Rate {
    /// Its name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Images => "images",
        }
    }
}

impl Caller {
    pub(super) fn new(name: &str, limits: Limits) -> Self {
        let Limits { requests_per_second, burst, images_per_second } = limits;
        Self {
            name: name.into(),
            limits,
            requests: requests_per_second.map(|rate| Bucket::new(rate, burst)),
            images: images_per_second.map(|rate| Bucket::new(rate, None)),
        }
    }

    /// The name of the key; empty if it has none. It is no secret.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Admits a request, and counts it.
    pub fn admit(&self) -> Result<(), Limited> {
        if let Some(bucket) = &self.images {
            bucket.take(0).map_err(|wait| Limited { rate: Rate::Images, wait })?;
        }
        if let Some(bucket) = &self.requests {
            bucket.take(1).map_err(|wait| Limited { rate: Rate::Requests, wait })?;
        }
        Ok(())
    }

    /// Counts the images of an admitted request. Further requests wait until the rate has made up for all of them.
    pub fn count_images(&self, images: usize) {
        if let Some(bucket) = &self.images {
            bucket.spend(images);
        }
    }
}

impl Bucket {
    /// A full bucket.
    fn new(per_second: f64, burst: Option<u32>) -> Self {
        let interval = Duration::from_secs_f64(1.0 / per_second);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let burst = burst.unwrap_or(per_second as u32).max(1);
        Self { interval, tolerance: interval * (burst - 1), full: Mutex::new(Instant::now()) }
    }

    /// Spends tokens if there is at least one, or else returns the time until there is one.
    fn take(&self, tokens: u32) -> Result<(), Duration> {
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let wait = full.saturating_duration_since(now).saturating_sub(self.tolerance);
        if !wait.is_zero() {
            return Err(wait);
        }
        *full = now.max(*full) + self.interval * tokens;
        Ok(())
    }

    /// Spends tokens, also those that are not there.
    fn spend(&self, tokens: usize) {
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        *full = Instant::now().max(*full) + self.interval * tokens;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn caller(requests: Option<f64>, burst: Option<u32>, images: Option<f64>) -> Caller {
        let limits = Limits { requests_per_second: requests, burst, images_per_second: images };
        Caller::new("team", limits)
    }

    /// How many requests are admitted at once.
    fn admitted(caller: &Caller) -> usize {
        (0..1000).take_while(|_| caller.admit().is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_admitted_and_then_the_rate() {
        let caller = caller(Some(50.0), Some(80), None);
        assert_eq!(admitted(&caller), 80);
        let limited = caller.admit().expect_err("the burst is over");
        assert_eq!(limited, Limited { rate: Rate::Requests, wait: Duration::from_millis(20) });
        advance(limited.wait - Duration::from_nanos(1)).await;
        assert_eq!(admitted(&caller), 0);
        advance(Duration::from_nanos(1)).await;
        assert_eq!(admitted(&caller), 1);
        advance(Duration::from_secs(1)).await;
        assert_eq!(admitted(&caller), 50);
        advance(Duration::from_hours(1)).await;
        assert_eq!(admitted(&caller), 80);
    }

    #[tokio::test(start_paused = true)]
    async fn the_burst_is_that_of_one_second_by_default() {
        assert_eq!(admitted(&caller(Some(5.0), None, None)), 5);
        let slow = caller(Some(0.1), None, None);
        assert_eq!(admitted(&slow), 1);
        assert_eq!(slow.admit().expect_err("limited").wait, Duration::from_secs(10));
        assert_eq!(admitted(&caller(None, None, None)), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn many_images_of_one_request_count_one_by_one() {
        let caller = caller(None, None, Some(100.0));
        caller.admit().expect("nothing is spent");
        caller.count_images(1000);
        let limited = caller.admit().expect_err("the images of nine seconds are owed");
        assert_eq!((limited.rate, limited.wait), (Rate::Images, Duration::from_millis(9010)));
        advance(limited.wait).await;
        caller.admit().expect("one token");
        caller.count_images(1);
        assert!(caller.admit().is_err());
        advance(Duration::from_secs(1)).await;
        for _ in 0..100 {
            caller.admit().expect("a token for each");
            caller.count_images(1);
        }
        assert!(caller.admit().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_owes_images_costs_no_request() {
        let caller = caller(Some(1.0), None, Some(1.0));
        caller.count_images(3);
        assert_eq!(admitted(&caller), 0);
        advance(Duration::from_secs(3)).await;
        assert_eq!(admitted(&caller), 1);
    }
}
