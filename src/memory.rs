//! What the allocator gives back to the system.
//!
//! glibc's is kept, as measured: others fault a picture's pages in anew for each decode, which costs half as much
//! again as decoding it. But glibc learns from each large block that is freed to keep all up to 32 MiB, and bodies of
//! many clients then add up to several times what is in use.

/// Blocks of so many bytes and more go back to the system at once: above what decoding takes again and again.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: libc::c_int = 8 << 20;

/// Lets large blocks go back to the system when they are freed. For the start, before there are threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator has no other way to be told")]
pub fn give_back_large_blocks() {
    // SAFETY: two numbers for glibc's own settings, which it checks.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
    }
}

/// Other allocators have their own ways.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back_large_blocks() {}
