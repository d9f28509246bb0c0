//! Whether a model still says of its golden pairs what it must.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use siamese_core::causes;
use siamese_core::model::GoldenCheck;

use super::batch::{Batcher, Priority};

/// What is known of one model's health. Asking costs a lock held for a copy.
#[derive(Debug)]
pub struct SelfTest(Mutex<Last>);

#[derive(Debug)]
struct Last {
    succeeded: Instant,
    /// Why the last one was not right; `None` if it was.
    failure: Option<String>,
}

/// The least time between two self-tests: a model that fails in each run is not tested without a pause.
const PAUSE: Duration = Duration::from_secs(1);

impl SelfTest {
    /// Starts from a model that was proved right just now, as loading does.
    #[expect(clippy::new_without_default, reason = "it begins to age at once")]
    pub fn new() -> Self {
        Self(Mutex::new(Last { succeeded: Instant::now(), failure: None }))
    }

    /// Why the last one was not right, if it was not.
    pub fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    /// How long ago the model was last proved right.
    pub fn age(&self) -> Duration {
        self.lock().succeeded.elapsed()
    }

    /// Holds the model to its golden pairs, again and again, through the queue that all work takes; soon, where a run
    /// has failed.
    ///
    /// Under overload it waits for its turn, as a full queue proves nothing about the model.
    pub async fn watch(&self, batcher: &Batcher, golden: &GoldenCheck, interval: Duration) {
        loop {
            let pause = PAUSE.min(interval);
            tokio::time::sleep(pause).await;
            // It makes no difference which of the two it was.
            let _ = tokio::time::timeout(interval.saturating_sub(pause), batcher.failure()).await;
            let images = golden.pixels().to_vec();
            let failure =
                match batcher.wait(images.len()).await.embed(images, Priority::Interactive).await {
                    Ok(answer) => golden.check(&answer.embedded).err().map(|err| causes(&err)),
                    Err(err) => Some(causes(&err)),
                };
            self.note(failure);
        }
    }

    fn note(&self, failure: Option<String>) {
        let mut last = self.lock();
        if let Some(failure) = &failure {
            tracing::error!(failure, "the self-test failed");
        } else {
            if last.failure.is_some() {
                tracing::info!("the self-test is right again");
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
    fn a_failed_self_test_is_told_until_one_is_right_again() {
        let test = SelfTest::new();
        assert_eq!(test.failure(), None);
        test.note(Some("drift".to_owned()));
        assert_eq!(test.failure().as_deref(), Some("drift"));
        test.note(None);
        assert_eq!(test.failure(), None);
    }

    #[test]
    fn only_what_is_right_is_young() {
        let test = SelfTest::new();
        let before = test.lock().succeeded;
        test.note(Some("drift".to_owned()));
        assert_eq!(test.lock().succeeded, before);
        test.note(None);
        assert!(before < test.lock().succeeded);
    }
}
