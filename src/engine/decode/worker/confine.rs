//! Confines a worker before its first upload, and sets its resource limits.
//!
//! If an upload takes over the decoder, the process can compute and respond, and nothing else. It can open no file,
//! use no network, start no process and signal no other process. A system-call filter enforces that. File rules
//! (Landlock) would add nothing, because the filter allows no call that takes a path. The only descriptors are the
//! socket and the upload's file.

use std::io;
use std::time::Duration;

use super::{Allowance, filter};

/// A process that is confined permanently.
pub(super) struct Confined {
    is_filtered: bool,
    /// Its address space without any upload, in bytes.
    own_memory: u64,
    /// The most address space that this process may ever have, if there is a limit.
    most_memory: Option<u64>,
}

/// Closes descriptors that a library of the server may have left open. Our own descriptors close when a program is
/// executed.
pub(super) fn close_all_but_standard() {
    system::close_all_but_standard();
}

/// Gives up all rights that decoding does not need.
pub(super) fn confine() -> io::Result<Confined> {
    // This comes first, because it reads a file.
    let own_memory = system::address_space();
    system::limit_files()?;
    system::end_by_segmentation_fault();
    let most_memory = system::most_memory();
    let is_filtered = filter::enforce()?;
    Ok(Confined { is_filtered, own_memory, most_memory })
}

impl Confined {
    /// Whether the system-call filter is active.
    pub(super) fn is_filtered(&self) -> bool {
        self.is_filtered
    }

    /// Starts a decode. The system ends the process by SIGPROF for excess CPU time, and by SIGABRT for excess memory.
    pub(super) fn allow(&self, allowance: Allowance, upload: usize) -> io::Result<()> {
        // The upload is in memory, and its read buffer may not be reused yet.
        let memory = self.own_memory + 2 * upload as u64 + allowance.memory;
        system::limit_memory(memory, self.most_memory)?;
        system::limit_cpu(allowance.cpu)
    }

    /// Ends a decode: the wait for the next upload has no limit.
    #[expect(clippy::unused_self, reason = "only a confined process has an allowance")]
    pub(super) fn disarm(&self) -> io::Result<()> {
        system::limit_cpu(Duration::ZERO)
    }
}

mod system {
    use std::io;
    use std::time::Duration;

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    pub(super) fn close_all_but_standard() {
        #[cfg(target_os = "linux")]
        {
            const FIRST: libc::c_uint = 3;
            #[expect(unsafe_code, reason = "the standard library has no such call")]
            // SAFETY: nothing in this process has opened a descriptor of its own yet.
            unsafe {
                libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0);
            }
        }
    }

    /// Forbids opening files, growing files and writing core dumps.
    pub(super) fn limit_files() -> io::Result<()> {
        for resource in [Resource::Nofile, Resource::Fsize, Resource::Core] {
            setrlimit(resource, Rlimit { current: Some(0), maximum: Some(0) })?;
        }
        Ok(())
    }

    /// Makes a stack overflow end the process like any memory fault. The standard library would end it by SIGABRT,
    /// which here means that memory is exhausted.
    pub(super) fn end_by_segmentation_fault() {
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            #[expect(unsafe_code, reason = "the standard library has no such call")]
            // SAFETY: the default action runs no code of ours.
            unsafe {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }

    /// The process's current address space, in bytes.
    pub(super) fn address_space() -> u64 {
        /// More than the program uses; for systems that do not report it.
        const USUAL: u64 = 256 << 20;
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages = pages.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
        pages.map_or(USUAL, |pages| pages * rustix::param::page_size() as u64)
    }

    pub(super) fn most_memory() -> Option<u64> {
        getrlimit(Resource::As).maximum
    }

    /// Limits the address space: above it, allocations fail.
    pub(super) fn limit_memory(bytes: u64, maximum: Option<u64>) -> io::Result<()> {
        let current = maximum.map_or(bytes, |maximum| maximum.min(bytes));
        setrlimit(Resource::As, Rlimit { current: Some(current), maximum })?;
        Ok(())
    }

    /// Ends the process by SIGPROF after this much CPU time from now on; zero means never.
    pub(super) fn limit_cpu(time: Duration) -> io::Result<()> {
        let zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let value = libc::timeval {
            tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_usec: libc::suseconds_t::from(time.subsec_micros().cast_signed()),
        };
        let timer = libc::itimerval { it_interval: zero, it_value: value };
        #[expect(unsafe_code, reason = "none of our crates offers a timer of CPU time")]
        // SAFETY: the timer is read during the call, and the old value is not requested.
        let status =
            unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const timer, std::ptr::null_mut()) };
        if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus};

    use super::*;

    const ACTION: &str = "SIAMESE_TEST_ACTION";

    /// Runs this test again in its own process, which performs the action once it is confined.
    fn confined(test: &str, action: &str) -> ExitStatus {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program);
        child
            .args(["--exact", &format!("engine::decode::worker::confine::tests::{test}")])
            .env(ACTION, action);
        // A backtrace would read files.
        child.env_remove("RUST_BACKTRACE");
        child.output().expect("a process").status
    }

    #[test]
    fn a_confined_process_can_only_compute() {
        if let Ok(action) = std::env::var(ACTION) {
            confine().expect("confined");
            match action.as_str() {
                "compute" => drop(std::hint::black_box(vec![1_u8; 1 << 20])),
                "open" => drop(std::fs::File::open("/etc/passwd")),
                "connect" => drop(std::net::TcpStream::connect("127.0.0.1:9")),
                "run" => drop(Command::new("/bin/true").status()),
                _ => drop(std::thread::spawn(|| ()).join()),
            }
            std::process::exit(0);
        }
        let test = "a_confined_process_can_only_compute";
        assert_eq!(confined(test, "compute").code(), Some(0));
        for action in ["open", "connect", "run", "thread"] {
            assert_eq!(confined(test, action).signal(), Some(libc::SIGSYS), "{action}");
        }
    }

    #[test]
    fn a_process_that_exceeds_its_allowance_is_ended() {
        if let Ok(action) = std::env::var(ACTION) {
            let allowance = Allowance { cpu: Duration::from_millis(300), memory: 64 << 20 };
            let confined = confine().expect("confined");
            confined.allow(allowance, 0).expect("an allowance");
            match action.as_str() {
                "little" => drop(std::hint::black_box(vec![1_u8; 32 << 20])),
                "time" => {
                    // Without a limit it would run for a minute.
                    let begun = std::time::Instant::now();
                    while begun.elapsed() < Duration::from_mins(1) {}
                }
                _ => drop(std::hint::black_box(vec![1_u8; 128 << 20])),
            }
            std::process::exit(0);
        }
        let test = "a_process_that_exceeds_its_allowance_is_ended";
        assert_eq!(confined(test, "little").code(), Some(0));
        assert_eq!(confined(test, "time").signal(), Some(libc::SIGPROF));
        assert_eq!(confined(test, "memory").signal(), Some(libc::SIGABRT));
    }
}
