//! Waits of async tests. Their limits use the real clock, even if the runtime's time is paused.

use std::process::Command;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::waits::TEST_TIMEOUT;
use crate::waits::clock::{Alarm, TEST_SECONDS, watch};
use crate::waits::process::output;

/// The result of work that must end within a limit.
///
/// # Cancel safety
///
/// The same as for the work.
pub(crate) async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = T>) -> T {
    watch();
    let (ring, alarm) = oneshot::channel();
    let _alarm = Alarm::after(limit, move || {
        let _ = ring.send(());
    });
    tokio::select! {
        biased;
        done = work => done,
        _ = alarm => panic!("not within {limit:?}: {what}"),
    }
}

/// The result of work that must end within [`TEST_TIMEOUT`].
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    within(TEST_TIMEOUT, what, work).await
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !soon(what, is_so()).await {
        assert!(begun.elapsed() < TEST_TIMEOUT, "not within {TEST_TIMEOUT:?}: {what}");
        // A sleep or a timer would advance the paused time.
        tokio::task::yield_now().await;
    }
}

/// Set in a process that runs only this test, and makes it hang.
const HANGS: &str = "SIAMESE_TEST_HANGS";

#[test]
fn a_hanging_test_is_ended_and_named() {
    const NAME: &str = "patience::a_hanging_test_is_ended_and_named";
    if std::env::var_os(HANGS).is_some() {
        watch();
        std::thread::sleep(TEST_TIMEOUT);
        return;
    }
    let mut itself = Command::new(std::env::current_exe().expect("a path"));
    // With two threads, because a single one would run the test on the main thread.
    itself.args(["--exact", NAME, "--test-threads", "2"]).env(HANGS, "").env(TEST_SECONDS, "2");
    let ended = output(TEST_TIMEOUT, &mut itself);
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success(), "it was not ended: {stderr}");
    assert!(stderr.contains(&format!("test {NAME} did not end within 2s")), "{stderr}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_paused_time_uses_the_real_clock() {
    let forever = within(Duration::from_millis(1), "nothing", std::future::pending::<()>());
    let ended = tokio::spawn(forever).await;
    assert!(ended.expect_err("it panics").is_panic());
}
