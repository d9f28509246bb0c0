//! Finds ONNX Runtime's shared library and creates the process's environment.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use ort::environment::Environment;
use ort::logging::LogLevel;
use thiserror::Error;

/// The oldest usable minor version: ONNX Runtime 1.N.
const OLDEST: u32 = ort::MINOR_VERSION;

const FILE: &str =
    if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };

/// Why ONNX Runtime can't be loaded. Each message names a remedy.
#[derive(Debug, Error)]
pub enum LibraryError {
    /// No library was found.
    #[error(
        "ONNX Runtime is missing: there is no file {}; put {FILE} 1.{OLDEST} or newer beside the program, or set \
         ORT_DYLIB_PATH to one (the Python package onnxruntime contains it under onnxruntime/capi)",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file is not ONNX Runtime, or its version is too old.
    #[error(
        "{} is not ONNX Runtime 1.{OLDEST} or newer; set ORT_DYLIB_PATH to such a library (the Python package \
         onnxruntime contains it under onnxruntime/capi)",
        .path.display()
    )]
    Unusable {
        /// The library's file.
        path: PathBuf,
        /// The loader's error.
        #[source]
        source: ort::LoadDynamicError,
    },
    /// ONNX Runtime fails to start.
    #[error("ONNX Runtime failed to start")]
    Start(#[source] ort::Error),
}

/// Finds the library: first `ORT_DYLIB_PATH`, then the program's folder, then the path that the build stored.
///
/// The working directory is not searched, because anybody may have put a file there. A relative path in the variable
/// is relative to the working directory.
fn locate() -> Result<PathBuf, LibraryError> {
    if let Some(named) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        let named = PathBuf::from(named);
        // The loader looks for a relative path beside the program first, and would find another file.
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

/// The paths beside the program where the library may be: one in its folder.
fn places(program: Option<&Path>) -> impl Iterator<Item = PathBuf> {
    program.and_then(Path::parent).into_iter().map(|folder| folder.join(FILE))
}

fn existing(path: PathBuf) -> Result<PathBuf, LibraryError> {
    if path.is_file() { Ok(path) } else { Err(LibraryError::Missing(path)) }
}

/// Disables the telemetry of ONNX Runtime in this process. Call it at the start, before the process creates threads.
///
/// Official builds initialise telemetry while they are loaded, before `environment` can disable it. Nothing is sent,
/// but a machine identifier and a database are written into the user's cache.
#[expect(unsafe_code, reason = "the library reads only this variable before it starts")]
pub fn forbid_telemetry() {
    // SAFETY: no other thread reads the environment, because there is none yet.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}

/// Returns the environment of the process. The first call creates it.
///
/// Official builds send telemetry unless it is disabled; this function disables it.
pub(in crate::model) fn environment() -> Result<Environment, LibraryError> {
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
        // A failure is also returned as an error, and the caller reports it. So the log needs it at debug level only.
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
    fn the_library_is_searched_in_the_program_s_folder_only() {
        let found: Vec<PathBuf> = places(Some(Path::new("/opt/bin/siamese"))).collect();
        assert_eq!(found, [Path::new("/opt/bin").join(FILE)]);
        assert_eq!(places(None).count(), 0);
    }
}
