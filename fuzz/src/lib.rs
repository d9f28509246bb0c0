//! Shared by the targets: a heap that measures its use and fills fresh memory, and caught panics.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};

#[global_allocator]
static HEAP: Heap = Heap;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static FILL: AtomicU8 = AtomicU8::new(0);

/// The system's heap. It fills fresh memory with a known byte.
struct Heap;

unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let fresh = unsafe { System.alloc(layout) };
        if !fresh.is_null() {
            unsafe { fresh.write_bytes(FILL.load(Relaxed), layout.size()) };
            record(layout.size());
        }
        fresh
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let fresh = unsafe { System.alloc_zeroed(layout) };
        if !fresh.is_null() {
            record(layout.size());
        }
        fresh
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(old, layout) }
    }
}

fn record(bytes: usize) {
    let now = NOW.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(now, Relaxed);
}

/// Runs `work` on a heap that fills fresh memory with `fill`. Returns the peak number of bytes it held.
pub fn measured<T>(fill: u8, work: impl FnOnce() -> T) -> (T, usize) {
    FILL.store(fill, Relaxed);
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = work();
    (result, PEAK.load(Relaxed) - before)
}

/// Allows panics to be caught, as in the server. Each location that panics is printed once.
///
/// A panic that is not caught still ends the run, because it reaches the fuzzer.
pub fn let_panics_be_caught() {
    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if SEEN.lock().is_ok_and(|mut seen| seen.insert(place)) {
            eprintln!("PANIC {panic}");
        }
    }));
}
