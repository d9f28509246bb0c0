//! Notes which commit the trainer is built from, and with what, for its models' provenance.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A worktree's HEAD lies elsewhere than a clone's; git knows.
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    if let Some(commit) = git(&["rev-parse", "HEAD"]) {
        println!("cargo::rustc-env=SIAMESE_COMMIT={commit}");
    }
    println!("cargo::rerun-if-changed=../Cargo.lock");
    if let Some(version) = burn() {
        println!("cargo::rustc-env=SIAMESE_BURN={version}");
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    if let Ok(output) = Command::new(rustc).arg("--version").output() {
        let version = String::from_utf8_lossy(&output.stdout);
        println!("cargo::rustc-env=SIAMESE_RUSTC={}", version.trim());
    }
}

/// burn's version, by the lock file.
fn burn() -> Option<String> {
    let lock = std::fs::read_to_string("../Cargo.lock").ok()?;
    let (_, after) = lock.split_once("name = \"burn\"\nversion = \"")?;
    Some(after.split_once('"')?.0.to_owned())
}

/// What git says, or nothing where there is no git or no repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
