//! The self-test: whether a model still reproduces its golden pairs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use siamese_core::causes;
use siamese_core::model::GoldenCheck;

use super::batch::{Batcher, Priority};

/// The result of a model's last self-test.
#[derive(Debug)]
pub struct SelfTest(Mutex<Last>);

#[derive(Debug)]
struct Last {
    succeeded: Instant,
    /// Why the last self-test failed; `None` if it succeeded.
    failure: Option<String>,
}

/// The shortest time between two self-tests, so that a model that fails in each run is not tested in a loop.
const PAUSE: Duration = Duration::from_secs(1);

impl SelfTest {
    /// Starts with a success, because loading a model checks its golden pairs.
    #[expect(clippy::new_without_default, reason = "it records the current time")]
    pub fn new() -> Self {
        Self(Mutex::new(Last { succeeded: Instant::now(), failure: None }))
    }

    /// Why the last self-test failed, if it did.
    pub fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    /// The time since the last successful self-test.
    pub fn age(&self) -> Duration {
        self.lock().succeeded.elapsed()
    }

    /// Runs the self-test in a loop, through the queue that all images use. Runs it soon after a failed run.
    ///
    /// Under overload it waits for its turn, because a full queue is no fault of the model.
    pub async fn watch(&self, batcher: &Batcher, golden: &GoldenCheck, interval: Duration) {
        loop {
            let pause = PAUSE.min(interval);
            tokio::time::sleep(pause).await;
            // A failed run and the end of the interval have the same effect.
            let _ = tokio::time::timeout(interval.saturating_sub(pause), batcher.failure()).await;
            let images = golden.pixels().to_vec();
            let failure =
                match batcher.wait(images.len()).await.embed(images, Priority::Interactive).await {
                    Ok(output) => golden.check(&output.outputs).err().map(|err| causes(&err)),
                    Err(err) => Some(causes(&err)),
                };
            self.record(failure);
        }
    }

    fn record(&self, failure: Option<String>) {
        let mut last = self.lock();
        if let Some(failure) = &failure {
            tracing::error!(failure, "the self-test failed");
        } else {
            if last.failure.is_some() {
                tracing::info!("the self-test succeeds again");
            }
            last.succeeded = Instant::now();
        }
        last.failure = failure;
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_reported_until_a_self_test_succeeds() {
        let test = SelfTest::new();
        assert_eq!(test.failure(), None);
        test.record(Some("drift".to_owned()));
        assert_eq!(test.failure().as_deref(), Some("drift"));
        test.record(None);
        assert_eq!(test.failure(), None);
    }

    #[test]
    fn only_a_success_resets_the_age() {
        let test = SelfTest::new();
        let before = test.lock().succeeded;
        test.record(Some("drift".to_owned()));
        assert_eq!(test.lock().succeeded, before);
        test.record(None);
        assert!(before < test.lock().succeeded);
    }
}
