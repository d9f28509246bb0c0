//! A thread that rings alarms by the machine's clock, whatever a runtime's paused time says, and ends tests that do not end.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::process;

/// How long a test may take, in seconds; by default longer than any takes on a busy machine.
pub(crate) const TEST_SECONDS: &str = "SIAMESE_TEST_SECONDS";

type Ring = Box<dyn FnOnce() + Send>;

/// What is to be rung, by its time and a number.
type Alarms = BTreeMap<(Instant, u64), Ring>;

static ALARMS: Mutex<Alarms> = Mutex::new(BTreeMap::new());
static SET: Condvar = Condvar::new();

/// Rings once, unless it is dropped before.
pub(crate) struct Alarm((Instant, u64));

impl Alarm {
    pub(crate) fn after(time: Duration, ring: impl FnOnce() + Send + 'static) -> Self {
        static THREAD: Once = Once::new();
        THREAD.call_once(|| drop(thread::spawn(run)));
        let mut alarms = alarms();
        let time = Instant::now() + time;
        // Two may be set for the same time.
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
    /// The alarm of the test that this thread runs, until the thread ends.
    static TEST_ALARM: Option<Alarm> = test_alarm();
}

/// Has the test of this thread end within ten minutes, or [`TEST_SECONDS`].
///
/// A thread can't be ended, and so all tests of the program end with it; the last line names it.
pub(crate) fn watch() {
    TEST_ALARM.with(|_| ());
}

fn test_alarm() -> Option<Alarm> {
    // Each test has a thread of its name, but where they run one by one: then that of `main`, whose last line names it.
    let name = thread::current().name().filter(|name| *name != "main")?.to_owned();
    let seconds = std::env::var(TEST_SECONDS).ok();
    let limit = seconds.map_or(600, |text| text.parse().expect("whole seconds"));
    let limit = Duration::from_secs(limit);
    Some(Alarm::after(limit, move || {
        // Past what captures the output of tests.
        let _ = writeln!(std::io::stderr(), "\ntest {name} did not end within {limit:?}");
        process::kill_all();
        std::process::abort();
    }))
}
