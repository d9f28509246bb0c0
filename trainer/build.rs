//! Notes which commit the trainer is built from, for its towers' provenance.

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
}

/// What git says, or nothing where there is no git or no repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
