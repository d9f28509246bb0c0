//! What the allocator gives back to the system.
//!
//! glibc's is kept, as measured: others fault an image's pages in anew for each decode, which costs half as much
//! again as decoding it. But glibc learns from each large block that is freed to keep all up to 32 MiB, and bodies of
//! many clients then add up to several times what is in use.
//!
//! Both are for the start, before there are threads. Other allocators have their own ways.

/// For the server: large blocks go back to the system when they are freed.
pub fn give_back_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Above what decoding takes again and again.
        const LARGE: libc::c_int = 8 << 20;
        set(&[(libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, LARGE)]);
    }
}

/// For training, whose every step takes the same blocks: what is freed is kept for the next. Where the system must
/// make pages for them each time, a step of the `baseline` network takes three quarters as long again, for 14 % less memory.
pub fn keep_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Larger than any size, for glibc.
        const NEVER: libc::c_int = -1;
        set(&[(libc::M_MMAP_MAX, 0), (libc::M_TRIM_THRESHOLD, NEVER)]);
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator has no other way to be told")]
fn set(settings: &[(libc::c_int, libc::c_int)]) {
    for &(name, value) in settings {
        // SAFETY: numbers for glibc's own settings, which it checks.
        unsafe { libc::mallopt(name, value) };
    }
}
