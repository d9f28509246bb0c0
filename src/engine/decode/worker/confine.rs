//! What a worker gives up before it reads its first upload, and what it may take of the rest.
//!
//! A decoder that was taken over by an upload finds a process that can compute and answer, and nothing else: it can open
//! no file, reach no network, start no process and signal none but itself. A system-call filter holds that; file rules
//! (Landlock) would add nothing, as no call that takes a path is let through. Of a descriptor it has the one socket.

use std::io;
use std::time::Duration;

use super::{Allowance, filter};

/// A process that is confined, for good.
pub(super) struct Confined {
    is_filtered: bool,
    /// Its address space without any upload, in bytes.
    own_memory: u64,
    /// The most address space that this process may have at all, where there is a limit.
    most_memory: Option<u64>,
}

/// Closes what a library of the server's may have left open: descriptors of our own close by themselves when a program is
/// run.
pub(super) fn close_all_but_standard() {
    system::close_all_but_standard();
}

/// Gives up what decoding does not need.
pub(super) fn confine() -> io::Result<Confined> {
    // First, as it is read from a file.
    let own_memory = system::address_space();
    system::limit_files()?;
    system::end_by_segmentation_fault();
    let most_memory = system::most_memory();
    let is_filtered = filter::enforce()?;
    Ok(Confined { is_filtered, own_memory, most_memory })
}

impl Confined {
    /// Whether the system's filter of calls is in force.
    pub(super) fn is_filtered(&self) -> bool {
        self.is_filtered
    }

    /// Begins a decode: beyond this allowance, the process ends by SIGPROF for its time, by SIGABRT for its memory.
    pub(super) fn allow(&self, allowance: Allowance, upload: usize) -> io::Result<()> {
        // The upload is held, and what it was read into may still lie free beside it.
        let memory = self.own_memory + 2 * upload as u64 + allowance.memory;
        system::limit_memory(memory, self.most_memory)?;
        system::limit_cpu(allowance.cpu)
    }

    /// Ends it: what waits for the next upload may wait for ever.
    #[expect(clippy::unused_self, reason = "only what is confined has an allowance")]
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

    /// No file can be opened, none can grow, and no memory is left behind in one.
    pub(super) fn limit_files() -> io::Result<()> {
        for resource in [Resource::Nofile, Resource::Fsize, Resource::Core] {
            setrlimit(resource, Rlimit { current: Some(0), maximum: Some(0) })?;
        }
        Ok(())
    }

    /// A stack that overflows ends the process as any fault of memory does. The standard library's own end is SIGABRT,
    /// which here means that memory ran out.
    pub(super) fn end_by_segmentation_fault() {
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            #[expect(unsafe_code, reason = "the standard library has no such call")]
            // SAFETY: the default action runs no code of ours.
            unsafe {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }

    /// The process's address space as it is, in bytes.
    pub(super) fn address_space() -> u64 {
        /// More than the program takes; for systems that do not tell.
        const USUAL: u64 = 256 << 20;
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages = pages.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
        pages.map_or(USUAL, |pages| pages * rustix::param::page_size() as u64)
    }

    pub(super) fn most_memory() -> Option<u64> {
        getrlimit(Resource::As).maximum
    }

    /// Beyond so many bytes of address space, an allocation fails.
    pub(super) fn limit_memory(bytes: u64, maximum: Option<u64>) -> io::Result<()> {
        let current = maximum.map_or(bytes, |maximum| maximum.min(bytes));
        setrlimit(Resource::As, Rlimit { current: Some(current), maximum })?;
        Ok(())
    }

    /// Ends the process by SIGPROF once it has run for so long from now; zero is never.
    pub(super) fn limit_cpu(time: Duration) -> io::Result<()> {
        let zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let value = libc::timeval {
            tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_usec: libc::suseconds_t::from(time.subsec_micros().cast_signed()),
        };
        let timer = libc::itimerval { it_interval: zero, it_value: value };
        #[expect(unsafe_code, reason = "no crate of ours has a timer of CPU time")]
        // SAFETY: the timer is read during the call, and the old one is not asked for.
        let answer =
            unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const timer, std::ptr::null_mut()) };
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus};

    use super::*;

    const DEED: &str = "SIAMESE_TEST_DEED";

    /// Runs this test again in a process of its own, which does the deed once it is confined.
    fn confined(test: &str, deed: &str) -> ExitStatus {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program);
        child
            .args(["--exact", &format!("engine::decode::worker::confine::tests::{test}")])
            .env(DEED, deed);
        // A backtrace is read from files.
        child.env_remove("RUST_BACKTRACE");
        child.output().expect("a process").status
    }

    #[test]
    fn what_is_confined_can_compute_and_nothing_else() {
        if let Ok(deed) = std::env::var(DEED) {
            confine().expect("confined");
            match deed.as_str() {
                "compute" => drop(std::hint::black_box(vec![1_u8; 1 << 20])),
                "open" => drop(std::fs::File::open("/etc/passwd")),
                "connect" => drop(std::net::TcpStream::connect("127.0.0.1:9")),
                "run" => drop(Command::new("/bin/true").status()),
                _ => drop(std::thread::spawn(|| ()).join()),
            }
            std::process::exit(0);
        }
        let test = "what_is_confined_can_compute_and_nothing_else";
        assert_eq!(confined(test, "compute").code(), Some(0));
        for deed in ["open", "connect", "run", "thread"] {
            assert_eq!(confined(test, deed).signal(), Some(libc::SIGSYS), "{deed}");
        }
    }

    #[test]
    fn what_takes_more_than_its_allowance_is_ended() {
        if let Ok(deed) = std::env::var(DEED) {
            let allowance = Allowance { cpu: Duration::from_millis(300), memory: 64 << 20 };
            let confined = confine().expect("confined");
            confined.allow(allowance, 0).expect("an allowance");
            match deed.as_str() {
                "little" => drop(std::hint::black_box(vec![1_u8; 32 << 20])),
                "time" => {
                    // It would go on for a minute, if nothing ended it.
                    let begun = std::time::Instant::now();
                    while begun.elapsed() < Duration::from_mins(1) {}
                }
                _ => drop(std::hint::black_box(vec![1_u8; 128 << 20])),
            }
            std::process::exit(0);
        }
        let test = "what_takes_more_than_its_allowance_is_ended";
        assert_eq!(confined(test, "little").code(), Some(0));
        assert_eq!(confined(test, "time").signal(), Some(libc::SIGPROF));
        assert_eq!(confined(test, "memory").signal(), Some(libc::SIGABRT));
    }
}
