//! Atomic writing of files: a file appears at its path only when it is complete.

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::{cfg, fs};

use siamese_core::model::{LoadError, OnnxModel, Options};
use tempfile::NamedTempFile;
use thiserror::Error;

/// A model file could not be written.
#[derive(Debug, Error)]
pub enum DraftError {
    /// A sidecar would contradict the card in the model file.
    #[error(
        "{} describes the model that would be written: choose another --out, or remove it",
        .0.display()
    )]
    Sidecar(PathBuf),
    /// The server's code cannot load the model.
    #[error("the new model does not load, so it was not written")]
    Load(#[source] LoadError),
    /// The file cannot be written.
    #[error("{} cannot be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

/// A temporary file beside its final path. It is deleted unless it is [kept](Draft::keep).
struct Draft<'a> {
    file: NamedTempFile,
    path: &'a Path,
}

/// Checks that a model can be written to `out`. Commands call it before the long work begins.
pub fn check(out: &Path) -> Result<(), DraftError> {
    let sidecar = out.with_extension("toml");
    if sidecar.exists() {
        return Err(DraftError::Sidecar(sidecar));
    }
    let failed = |cause| DraftError::Write { path: out.to_owned(), cause };
    if out.is_dir() {
        return Err(failed(ErrorKind::IsADirectory.into()));
    }
    Draft::new(out).map(drop).map_err(failed)
}

/// Writes a model to `out` and replaces an existing file. Returns the loaded model.
///
/// The server's code loads the file first and checks its golden pairs.
pub fn model(out: &Path, onnx: &[u8], options: &Options) -> Result<OnnxModel, DraftError> {
    check(out)?;
    let failed = |cause| DraftError::Write { path: out.to_owned(), cause };
    let mut draft = Draft::new(out).map_err(failed)?;
    draft.write(onnx).map_err(failed)?;
    let model = OnnxModel::load(draft.file.path(), options).map_err(DraftError::Load)?;
    draft.keep().map_err(failed)?;
    Ok(model)
}

/// Writes a file, and replaces an existing one.
pub fn file(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut draft = Draft::new(path)?;
    draft.write(contents)?;
    draft.keep()
}

/// Writes files into a folder; creates the folder if it does not exist.
pub fn folder<'a>(
    folder: &Path,
    files: impl IntoIterator<Item = (&'a str, String)>,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    files.into_iter().try_for_each(|(name, text)| file(&folder.join(name), text.as_bytes()))
}

/// Syncs the entries of a folder to the disk, if the system can.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

impl<'a> Draft<'a> {
    /// Creates an empty file in the folder of `path`, with the permissions of a normal file.
    fn new(path: &'a Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder_of(path))?;
        Ok(Self { file, path })
    }

    fn write(&mut self, contents: &[u8]) -> io::Result<()> {
        self.file.write_all(contents)?;
        self.file.as_file().sync_all()
    }

    /// Renames the file to its final path, and replaces an existing file.
    fn keep(self) -> io::Result<()> {
        self.file.persist(self.path)?;
        sync_folder(folder_of(self.path))
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn an_invalid_model_does_not_replace_the_old_one() {
        let folder = TempDir::new().expect("a folder");
        let out = folder.path().join("model.onnx");
        fs::write(&out, "the old one").expect("a file");
        let refusal = model(&out, b"no ONNX", &Options::default()).err();
        assert!(matches!(refusal, Some(DraftError::Load(_))), "{refusal:?}");
        assert_eq!(fs::read(&out).expect("a file"), b"the old one");
        assert_eq!(names(folder.path()), ["model.onnx"]);
    }

    #[test]
    fn the_check_finds_a_path_that_cannot_be_written() {
        let folder = TempDir::new().expect("a folder");
        let out = folder.path().join("model.onnx");
        assert!(check(&out).is_ok());
        assert_eq!(names(folder.path()), [""; 0]);
        fs::create_dir(&out).expect("a folder");
        assert!(matches!(check(&out), Err(DraftError::Write { .. })));
        let nowhere = folder.path().join("nowhere/model.onnx");
        assert!(matches!(check(&nowhere), Err(DraftError::Write { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_written_file_has_the_permissions_of_a_normal_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = TempDir::new().expect("a folder");
        let [plain, staged] = ["plain", "staged"].map(|name| folder.path().join(name));
        fs::write(&plain, "1").expect("a file");
        file(&staged, b"1").expect("a file");
        let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode();
        assert_eq!(mode(&plain), mode(&staged));
    }
}
