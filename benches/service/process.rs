//! The resources used by a process, from Linux's `/proc`.

use std::fs;
use std::time::Duration;

/// A process, by its id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(u32);

/// Resident memory, in MiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

impl Process {
    pub(crate) fn new(id: u32) -> Self {
        Self(id)
    }

    pub(crate) fn this() -> Self {
        Self(std::process::id())
    }

    /// User and system time of all its threads, including those that have ended, in steps of 10 ms.
    pub(crate) fn cpu(self) -> Duration {
        self.times(2)
    }

    /// The same, including its children that have ended.
    pub(crate) fn cpu_with_children(self) -> Duration {
        self.times(4)
    }

    /// The same, including all processes below it: those that run, such as the workers of a server, and those that have ended.
    pub(crate) fn cpu_of_all(self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0)).into_iter().flatten().flatten();
        let children = tasks.map(|task| fs::read_to_string(task.path().join("children")));
        let children = children.filter_map(Result::ok).collect::<Vec<_>>().join(" ");
        let children = children.split_whitespace().filter_map(|id| id.parse().ok());
        self.cpu_with_children() + children.map(|id| Self(id).cpu_of_all()).sum::<Duration>()
    }

    /// The sum of the first `count` times: two of the process, then two of its children.
    fn times(self, count: usize) -> Duration {
        let stat = self.read("stat");
        // The name, in brackets, may contain blanks. The times are the fields from the 14th on.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        ticks(fields.split_whitespace().skip(11).take(count))
    }

    /// The CPU time since an earlier measurement by [`Self::cpu`].
    pub(crate) fn cpu_since(self, before: Duration) -> Duration {
        self.cpu().saturating_sub(before)
    }

    /// The CPU time since an earlier measurement by [`Self::cpu_of_all`].
    pub(crate) fn cpu_of_all_since(self, before: Duration) -> Duration {
        self.cpu_of_all().saturating_sub(before)
    }

    pub(crate) fn memory(self) -> Memory {
        let status = self.read("status");
        let mebibytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let kibibytes =
                line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            kibibytes.unwrap_or(0) / 1024
        };
        Memory { now: mebibytes("VmRSS:"), peak: mebibytes("VmHWM:") }
    }

    /// The ONNX Runtime library that it has loaded: the last two components of the path.
    pub(crate) fn onnx_runtime(self) -> String {
        let maps = self.read("maps");
        let mut paths = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
        let library = paths.find(|path| path.contains("libonnxruntime")).unwrap_or("unknown");
        let parts: Vec<&str> = library.rsplit('/').take(2).collect();
        parts.into_iter().rev().collect::<Vec<_>>().join("/")
    }

    fn read(self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.0)).unwrap_or_default()
    }
}

/// CPU time of the whole machine, including the time that a hypervisor took.
pub(crate) fn busy() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let times = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    // The fields: user, nice, system, idle, waiting for I/O, interrupts, soft interrupts, stolen.
    let used = times.enumerate().filter(|(index, _)| ![3, 4].contains(index));
    ticks(used.map(|(_, time)| time).take(6))
}

/// The kernel reports times in ticks of 10 ms.
fn ticks<'a>(times: impl Iterator<Item = &'a str>) -> Duration {
    Duration::from_millis(10 * times.filter_map(|time| time.parse::<u64>().ok()).sum::<u64>())
}

/// CPU time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}
