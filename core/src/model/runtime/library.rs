//! Where ONNX Runtime's shared library is, and the one environment made of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use ort::environment::Environment;
use ort::logging::LogLevel;
use thiserror::Error;

/// The oldest ONNX Runtime that serves, 1.N.
const OLDEST: u32 = ort::MINOR_VERSION;

const FILE: &str =
    if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };

/// Why ONNX Runtime can't be had. Each message says the way out.
#[derive(Debug, Error)]
pub enum LibraryError {
    /// It is nowhere.
    #[error(
        "ONNX Runtime is missing: no file at {}; put {FILE} 1.{OLDEST} or newer beside the program, or name it by \
         ORT_DYLIB_PATH (the Python package onnxruntime holds one under onnxruntime/capi)",
        .0.display()
    )]
    Missing(PathBuf),
    /// It is there, and is older than this program can use, or is another library.
    #[error(
        "{} is no ONNX Runtime of 1.{OLDEST} or newer; name such a one by ORT_DYLIB_PATH (the Python package \
         onnxruntime holds one under onnxruntime/capi)",
        .path.display()
    )]
    Unusable {
        /// The library's file.
        path: PathBuf,
        /// What the loader says.
        #[source]
        source: ort::LoadDynamicError,
    },
    /// It does not start.
    #[error("ONNX Runtime does not start")]
    Start(#[source] ort::Error),
}

/// Names the library: by `ORT_DYLIB_PATH`, else in the program's place, else where the build put it.
///
/// The working directory is no such place, as anybody may have put a file there; only who names a relative path by
/// the variable means that directory.
fn locate() -> Result<PathBuf, LibraryError> {
    if let Some(named) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        let named = PathBuf::from(named);
        // What loads it would take a relative path for one beside the program first: another file than was found.
        return existing(std::path::absolute(&named).unwrap_or(named));
    }
    let program = std::env::current_exe().ok();
    if let Some(found) = places(program.as_deref()).find(|path| path.is_file()) {
        return Ok(found);
    }
    match option_env!("BUILT_ONNX_RUNTIME") {
        Some(built) => existing(PathBuf::from(built)),
        None => Err(LibraryError::Missing(
            places(program.as_deref()).next().unwrap_or_else(|| FILE.into()),
        )),
    }
}

/// Where the library may stand beside the program: in its folder.
fn places(program: Option<&Path>) -> impl Iterator<Item = PathBuf> {
    program.and_then(Path::parent).into_iter().map(|folder| folder.join(FILE))
}

fn existing(path: PathBuf) -> Result<PathBuf, LibraryError> {
    if path.is_file() { Ok(path) } else { Err(LibraryError::Missing(path)) }
}

/// Keeps ONNX Runtime from gathering telemetry at all, in this process: for the start, before there are threads.
///
/// Official builds begin with it as they are loaded, before `environment` can tell them not to: nothing is sent, but a
/// number for the machine and a database are written into the user's cache.
#[expect(unsafe_code, reason = "the library listens to nothing else before it begins")]
pub fn forbid_telemetry() {
    // SAFETY: no other thread reads the environment, as there is none yet.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}

/// The process's one environment: made at the first call, the same ever after.
///
/// Official builds send telemetry unless told not to; this one is told.
pub(super) fn environment() -> Result<Environment, LibraryError> {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    static MAKING: Mutex<()> = Mutex::new(());

    let _alone = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment.clone());
    }
    let path = locate()?;
    let environment = start(&path)?;
    Ok(ENVIRONMENT.get_or_init(|| environment).clone())
}

fn start(path: &Path) -> Result<Environment, LibraryError> {
    let environment = ort::init_from(path)
        .map_err(|source| LibraryError::Unusable { path: path.to_owned(), source })?
        .with_name("siamese")
        .with_telemetry(false)
        // What fails comes back as an error too, and is told by whoever gets it.
        .with_logger(Arc::new(|_level, _category, _id, _place, message| {
            tracing::debug!("ONNX Runtime: {}", message.trim_end());
        }))
        .build()
        .map_err(LibraryError::Start)?;
    environment.set_log_level(LogLevel::Warning);
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_looked_for_in_the_program_s_place_alone() {
        let found: Vec<PathBuf> = places(Some(Path::new("/opt/bin/siamese"))).collect();
        assert_eq!(found, [Path::new("/opt/bin").join(FILE)]);
        assert_eq!(places(None).count(), 0);
    }
}
