//! Whether work should be sent here: told from a self-test off the probe's path.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::batch::Batcher;
use crate::model::GoldenCheck;

/// What is known of the service's health. Asking costs a lock held for a copy.
#[derive(Debug)]
pub struct Readiness {
    stopping: AtomicBool,
    self_test: Mutex<SelfTest>,
    max_age: Duration,
}

#[derive(Clone, Debug)]
struct SelfTest {
    succeeded: Instant,
    /// Why the last one was not right; `None` if it was.
    failure: Option<String>,
}

/// Why no work should be sent here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotReady {
    /// A stop was asked for.
    #[error("the server is stopping")]
    Stopping,
    /// The tower did not give what it must.
    #[error("the last self-test failed: {0}")]
    SelfTestFailed(String),
    /// The tower has not been proved right for too long.
    #[error("the last right self-test is {} s old", .0.as_secs())]
    SelfTestStale(Duration),
}

impl Readiness {
    /// Starts from a tower that was proved right just now, as loading does.
    pub fn new(max_age: Duration) -> Self {
        let self_test = SelfTest { succeeded: Instant::now(), failure: None };
        Self { stopping: AtomicBool::new(false), self_test: Mutex::new(self_test), max_age }
    }

    /// Whether a balancer may send work.
    pub fn check(&self) -> Result<(), NotReady> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err(NotReady::Stopping);
        }
        self.trust()?;
        match self.age() {
            age if self.max_age < age => Err(NotReady::SelfTestStale(age)),
            _ => Ok(()),
        }
    }

    /// Whether the tower's answers may be given out: its last self-test did not fail.
    pub fn trust(&self) -> Result<(), NotReady> {
        match self.lock().failure.clone() {
            Some(failure) => Err(NotReady::SelfTestFailed(failure)),
            None => Ok(()),
        }
    }

    /// How long ago the tower was last proved right.
    pub fn age(&self) -> Duration {
        self.lock().succeeded.elapsed()
    }

    /// Turns work away from now on; what comes all the same is still done.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Holds the tower to its golden pairs, again and again, through the queue that all work takes.
    ///
    /// Under overload it waits for its turn, as a full queue proves nothing about the tower.
    pub async fn watch(&self, batcher: &Batcher, golden: &GoldenCheck, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            let pictures = golden.pixels().to_vec();
            let failure = match batcher.wait(pictures.len()).await.embed(pictures).await {
                Ok(answer) => golden.hold(&answer.embedded).err().map(|err| err.to_string()),
                Err(err) => Some(err.to_string()),
            };
            self.note(failure);
        }
    }

    fn note(&self, failure: Option<String>) {
        if let Some(failure) = &failure {
            tracing::error!(failure, "the self-test failed");
        }
        let mut last = self.lock();
        if failure.is_none() {
            last.succeeded = Instant::now();
        }
        last.failure = failure;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SelfTest> {
        self.self_test.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_self_test_is_told_until_one_is_right_again() {
        let readiness = Readiness::new(Duration::from_mins(1));
        assert_eq!(readiness.check(), Ok(()));
        readiness.note(Some("drift".to_owned()));
        assert_eq!(readiness.check(), Err(NotReady::SelfTestFailed("drift".to_owned())));
        readiness.note(None);
        assert_eq!(readiness.check(), Ok(()));
    }

    #[test]
    fn an_old_success_is_no_success() {
        let readiness = Readiness::new(Duration::ZERO);
        assert!(matches!(readiness.check(), Err(NotReady::SelfTestStale(_))));
        assert_eq!(readiness.trust(), Ok(()), "what was not refuted may still be served");
    }

    #[test]
    fn a_stop_turns_work_away() {
        let readiness = Readiness::new(Duration::from_mins(1));
        readiness.stop();
        assert_eq!(readiness.check(), Err(NotReady::Stopping));
    }
}
