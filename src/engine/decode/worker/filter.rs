//! The system calls that a worker may make. Any other call ends it.

use std::io;

/// Restricts the calling thread to these calls from now on. Returns false if the system has no such filter.
#[cfg(target_os = "linux")]
pub(super) fn enforce() -> io::Result<bool> {
    use seccompiler::{BpfProgram, Error, SeccompAction, SeccompFilter, apply_filter};

    let Ok(architecture) = std::env::consts::ARCH.try_into() else { return Ok(false) };
    let rules = linux::rules().map_err(io::Error::other)?;
    let (otherwise, matched) = (SeccompAction::KillProcess, SeccompAction::Allow);
    let filter =
        SeccompFilter::new(rules, otherwise, matched, architecture).map_err(io::Error::other)?;
    let program = BpfProgram::try_from(filter).map_err(io::Error::other)?;
    match apply_filter(&program) {
        Ok(()) => Ok(true),
        // The kernel, or the container around it, has no filter.
        Err(Error::Prctl(_) | Error::Seccomp(_)) => Ok(false),
        Err(err) => Err(io::Error::other(err)),
    }
}

/// Other systems have no such filter.
#[cfg(not(target_os = "linux"))]
pub(super) fn enforce() -> io::Result<bool> {
    Ok(false)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;

    use seccompiler::{
        BackendError, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule,
    };

    /// The calls of decoding and of the C library, allowed with any arguments.
    const CALLS: [libc::c_long; 23] = [
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_setitimer,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigaction,
        libc::SYS_sigaltstack,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];

    /// For each call, the rules of which one must hold; a call without rules is allowed.
    pub(super) fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            CALLS.into_iter().map(|call| (call, Vec::new())).collect();
        let rule = |argument, comparison, value| {
            let length = SeccompCmpArgLen::Qword;
            SeccompRule::new(vec![SeccompCondition::new(argument, length, comparison, value)?])
        };
        // Memory must never become executable.
        let executable = u64::try_from(libc::PROT_EXEC).expect("a bit");
        for call in [libc::SYS_mmap, libc::SYS_mprotect] {
            rules.insert(call, vec![rule(2, SeccompCmpOp::MaskedEq(executable), 0)?]);
        }
        // An abort signals this process, and limits are set for this process only.
        let own = u64::from(std::process::id());
        rules.insert(libc::SYS_tgkill, vec![rule(0, SeccompCmpOp::Eq, own)?]);
        rules.insert(libc::SYS_prlimit64, vec![rule(0, SeccompCmpOp::Eq, 0)?]);
        Ok(rules)
    }
}
