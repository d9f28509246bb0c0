//! A thread that triggers alarms by the real clock, even if a runtime's time is paused, and that ends hanging tests.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::process;

/// The time limit of a test, in seconds. The default is longer than any test takes on a busy machine.
pub(crate) const TEST_SECONDS: &str = "TEST_SECONDS";

type Ring = Box<dyn FnOnce() + Send>;

/// The alarms, by their time and a number.
type Alarms = BTreeMap<(Instant, u64), Ring>;

static ALARMS: Mutex<Alarms> = Mutex::new(BTreeMap::new());
static SET: Condvar = Condvar::new();

/// An alarm that triggers once, unless it is dropped before.
pub(crate) struct Alarm((Instant, u64));

impl Alarm {
    pub(crate) fn after(time: Duration, ring: impl FnOnce() + Send + 'static) -> Self {
        static THREAD: Once = Once::new();
        THREAD.call_once(|| drop(thread::spawn(run)));
        let mut alarms = alarms();
        let time = Instant::now() + time;
        // Two alarms can have the same time.
        let number = (0..u64::MAX).find(|number| !alarms.contains_key(&(time, *number)));
        let key = (time, number.expect("they are few"));
        alarms.insert(key, Box::new(ring));
        SET.notify_one();
        Self(key)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        alarms().remove(&self.0);
    }
}

fn alarms() -> MutexGuard<'static, Alarms> {
    ALARMS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run() {
    let mut alarms = alarms();
    loop {
        let Some((&key, _)) = alarms.first_key_value() else {
            alarms = SET.wait(alarms).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let left = key.0.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let ring = alarms.remove(&key).expect("it was just there");
            drop(alarms);
            ring();
            alarms = self::alarms();
        } else {
            alarms = SET.wait_timeout(alarms, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

thread_local! {
    /// The alarm of the test on this thread, until the thread ends.
    static TEST_ALARM: Option<Alarm> = test_alarm();
}

/// Limits the test on this thread to ten minutes, or to [`TEST_SECONDS`].
///
/// A thread cannot be ended, so all tests of the program end with it. The last line names the test.
pub(crate) fn watch() {
    TEST_ALARM.with(|_| ());
}

fn test_alarm() -> Option<Alarm> {
    // Each test has a thread with its name. If tests run one by one, they share the thread `main` and have no alarm.
    let name = thread::current().name().filter(|name| *name != "main")?.to_owned();
    let seconds = std::env::var(TEST_SECONDS).ok();
    let limit = seconds.map_or(600, |text| text.parse().expect("whole seconds"));
    let limit = Duration::from_secs(limit);
    Some(Alarm::after(limit, move || {
        // Written directly, so that the capture of test output does not hide it.
        let _ = writeln!(std::io::stderr(), "\ntest {name} did not end within {limit:?}");
        process::kill_all();
        std::process::abort();
    }))
}
