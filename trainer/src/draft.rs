//! A tower's file in the making.

use std::io;
use std::path::{Path, PathBuf};

use siamese_core::model::{LoadError, OnnxTower, Options};
use tempfile::NamedTempFile;
use thiserror::Error;

/// A file beside the place asked for. It takes that place only once it is [kept](Draft::keep), and is
/// gone if it is not.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    out: PathBuf,
}

/// Why a tower's file does not stand where it was asked for.
#[derive(Debug, Error)]
pub enum DraftError {
    /// Two files would say different things of the tower.
    #[error(
        "{} describes the tower that would be written: choose another --out, or remove it",
        .0.display()
    )]
    Sidecar(PathBuf),
    /// The server's code can't load it.
    #[error("the new tower does not load, so it was not written")]
    Load(#[source] LoadError),
    /// The folder for it can't be written to.
    #[error("{} can't be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

impl Draft {
    /// An empty file beside `out`.
    pub fn new(out: &Path) -> Result<Self, DraftError> {
        let sidecar = out.with_extension("toml");
        if sidecar.exists() {
            return Err(DraftError::Sidecar(sidecar));
        }
        let folder = out.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file =
            new_file(folder).map_err(|cause| DraftError::Write { path: out.to_owned(), cause })?;
        Ok(Self { file, out: out.to_owned() })
    }

    /// Puts `onnx` into the file, in place of what is there, and loads it as the server does: with
    /// its golden pairs, if it carries any.
    pub fn write(&self, onnx: &[u8], options: &Options) -> Result<OnnxTower, DraftError> {
        std::fs::write(self.file.path(), onnx).map_err(|cause| self.failed(cause))?;
        OnnxTower::load(self.file.path(), options).map_err(DraftError::Load)
    }

    /// Puts the file into the place asked for, whatever is there.
    pub fn keep(self) -> Result<(), DraftError> {
        self.file.as_file().sync_all().map_err(|cause| self.failed(cause))?;
        let Self { file, out } = self;
        match file.persist(&out) {
            Ok(_) => Ok(()),
            Err(err) => Err(DraftError::Write { path: out, cause: err.error }),
        }
    }

    fn failed(&self, cause: io::Error) -> DraftError {
        DraftError::Write { path: self.out.clone(), cause }
    }
}

/// A file that will be readable to whoever a plainly written one would be.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.suffix(".onnx").tempfile_in(folder)
}
