//! Waits of async tests. Their limits are by the machine's clock, in a runtime whose time is paused too.

use std::process::Command;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::waits::PATIENCE;
use crate::waits::clock::{Alarm, TEST_SECONDS, watch};
use crate::waits::process::output;

/// What comes of something that must end.
///
/// # Cancel safety
///
/// As safe as what it waits for.
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

/// The same, within [`PATIENCE`].
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    within(PATIENCE, what, work).await
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !soon(what, is_so()).await {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        // Neither a sleep nor a timer: paused time would go on by it.
        tokio::task::yield_now().await;
    }
}

/// Set where this test is in a process of its own, and hangs.
const HANGS: &str = "SIAMESE_TEST_HANGS";

#[test]
fn a_test_that_hangs_is_ended_by_its_name() {
    const NAME: &str = "patience::a_test_that_hangs_is_ended_by_its_name";
    if std::env::var_os(HANGS).is_some() {
        watch();
        std::thread::sleep(PATIENCE);
        return;
    }
    let mut itself = Command::new(std::env::current_exe().expect("a path"));
    // Of two threads, as one runs its tests on the program's own.
    itself.args(["--exact", NAME, "--test-threads", "2"]).env(HANGS, "").env(TEST_SECONDS, "2");
    let ended = output(PATIENCE, &mut itself);
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success(), "it was not ended: {stderr}");
    assert!(stderr.contains(&format!("test {NAME} did not end within 2s")), "{stderr}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_paused_time_ends_by_the_machines_clock() {
    let forever = within(Duration::from_millis(1), "nothing", std::future::pending::<()>());
    let ended = tokio::spawn(forever).await;
    assert!(ended.expect_err("it panics").is_panic());
}
