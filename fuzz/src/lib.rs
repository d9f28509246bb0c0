//! What the targets share: a heap that can be measured and soiled, and panics that may be caught.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};

#[global_allocator]
static HEAP: Heap = Heap;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static SOIL: AtomicU8 = AtomicU8::new(0);

/// The system's heap; fresh memory is filled with a byte that is known.
struct Heap;

unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let fresh = unsafe { System.alloc(layout) };
        if !fresh.is_null() {
            unsafe { fresh.write_bytes(SOIL.load(Relaxed), layout.size()) };
            took(layout.size());
        }
        fresh
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let fresh = unsafe { System.alloc_zeroed(layout) };
        if !fresh.is_null() {
            took(layout.size());
        }
        fresh
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(old, layout) }
    }
}

fn took(bytes: usize) {
    let now = NOW.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(now, Relaxed);
}

/// Does something on a heap whose fresh memory is full of `soil`; tells how many bytes it held at most.
pub fn measured<T>(soil: u8, work: impl FnOnce() -> T) -> (T, usize) {
    SOIL.store(soil, Relaxed);
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let done = work();
    (done, PEAK.load(Relaxed) - before)
}

/// Lets panics be caught, as the server does; each place that panics is told once.
///
/// A panic that nobody catches still ends the run: it reaches the fuzzer itself.
pub fn let_panics_be_caught() {
    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if SEEN.lock().is_ok_and(|mut it| it.insert(place)) {
            eprintln!("PANIC {panic}");
        }
    }));
}
