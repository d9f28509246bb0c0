//! Files in the making: whatever a command leaves stands at its place only once it is whole.

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::{cfg, fs};

use siamese_core::model::{LoadError, OnnxModel, Options};
use tempfile::NamedTempFile;
use thiserror::Error;

/// Why a model's file does not stand where it was asked for.
#[derive(Debug, Error)]
pub enum DraftError {
    /// Two files would say different things of the model.
    #[error(
        "{} describes the model that would be written: choose another --out, or remove it",
        .0.display()
    )]
    Sidecar(PathBuf),
    /// The server's code can't load it.
    #[error("the new model does not load, so it was not written")]
    Load(#[source] LoadError),
    /// It can't be written there.
    #[error("{} can't be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

/// A file beside its place, which is gone if it is not [kept](Draft::keep).
struct Draft<'a> {
    file: NamedTempFile,
    place: &'a Path,
}

/// Whether a model can be written to `out`: to be asked before the work that makes it.
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

/// Writes a model to `out`, whatever is there, once the code that serves has loaded the file with its golden pairs; gives
/// the model that was loaded.
pub fn model(out: &Path, onnx: &[u8], options: &Options) -> Result<OnnxModel, DraftError> {
    check(out)?;
    let failed = |cause| DraftError::Write { path: out.to_owned(), cause };
    let mut draft = Draft::new(out).map_err(failed)?;
    draft.write(onnx).map_err(failed)?;
    let model = OnnxModel::load(draft.file.path(), options).map_err(DraftError::Load)?;
    draft.keep().map_err(failed)?;
    Ok(model)
}

/// Writes a file, in place of what is there.
pub fn file(place: &Path, contents: &[u8]) -> io::Result<()> {
    let mut draft = Draft::new(place)?;
    draft.write(contents)?;
    draft.keep()
}

/// Writes files into a folder, which is made if it isn't there.
pub fn folder<'a>(
    folder: &Path,
    files: impl IntoIterator<Item = (&'a str, String)>,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    files.into_iter().try_for_each(|(name, text)| file(&folder.join(name), text.as_bytes()))
}

/// Brings a folder's list of names to the disk, where the system can.
pub fn sync_names(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

impl<'a> Draft<'a> {
    /// An empty file beside `place`, readable to whoever a plainly written one would be.
    fn new(place: &'a Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder_of(place))?;
        Ok(Self { file, place })
    }

    fn write(&mut self, contents: &[u8]) -> io::Result<()> {
        self.file.write_all(contents)?;
        self.file.as_file().sync_all()
    }

    /// Puts the file into its place, whatever is there.
    fn keep(self) -> io::Result<()> {
        self.file.persist(self.place)?;
        sync_names(folder_of(self.place))
    }
}

fn folder_of(place: &Path) -> &Path {
    place.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        entries.map(|it| it.file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_is_no_model_leaves_what_was_there() {
        let folder = TempDir::new().expect("a folder");
        let out = folder.path().join("model.onnx");
        fs::write(&out, "the old one").expect("a file");
        let refusal = model(&out, b"no ONNX", &Options::default()).err();
        assert!(matches!(refusal, Some(DraftError::Load(_))), "{refusal:?}");
        assert_eq!(fs::read(&out).expect("a file"), b"the old one");
        assert_eq!(names(folder.path()), ["model.onnx"]);
    }

    #[test]
    fn a_place_that_can_not_be_written_is_told_of_beforehand() {
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
    fn a_file_is_readable_to_whoever_a_plainly_written_one_is() {
        use std::os::unix::fs::PermissionsExt;
        let folder = TempDir::new().expect("a folder");
        let [plain, staged] = ["plain", "staged"].map(|it| folder.path().join(it));
        fs::write(&plain, "1").expect("a file");
        file(&staged, b"1").expect("a file");
        let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode();
        assert_eq!(mode(&plain), mode(&staged));
    }
}
