//! Atomic writing of files: a file appears at its path only when it is complete.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{cfg, fs};

use siamese_core::model::{LoadError, OnnxModel, Options, Source};
use siamese_core::output::{Destination, OutputError, create_folder, is_closed};
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
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Checks that a model can be written to `out`. Commands call it before the long work begins.
pub fn check(out: &Path) -> Result<(), DraftError> {
    let destination = Destination::of(out)?;
    let Destination::File(target) = destination else { return Ok(()) };
    // A link may lead to another name or folder, and the server looks for a sidecar beside the path that it is given.
    if let Some(sidecar) = [out, &target]
        .map(|path| path.with_extension("toml"))
        .into_iter()
        .find(|path| path.exists())
    {
        return Err(DraftError::Sidecar(sidecar));
    }
    draft(&target).map(drop).map_err(|cause| unwritten(out, cause).into())
}

/// Writes a model to `out` and replaces an existing file. Returns the loaded model.
///
/// The server's code loads the model first and checks its golden pairs.
pub fn model(out: &Path, onnx: &[u8], options: &Options) -> Result<OnnxModel, DraftError> {
    check(out)?;
    let source = Source::of(out, onnx.to_vec()).map_err(DraftError::Load)?;
    let model = OnnxModel::open(&source, options).map_err(DraftError::Load)?;
    file(out, onnx)?;
    Ok(model)
}

/// Writes a file, and replaces an existing one. Links to it stay. A device or a pipe is written into; its reader may
/// stop early.
pub fn file(path: &Path, contents: &[u8]) -> Result<(), OutputError> {
    let written = match Destination::of(path)? {
        Destination::File(target) => replace(&target, contents),
        stream @ Destination::Stream(_) => {
            match stream.open().and_then(|mut stream| stream.write_all(contents)) {
                Err(cause) if is_closed(&cause) => Ok(()),
                written => written,
            }
        }
    };
    written.map_err(|cause| unwritten(path, cause))
}

/// Writes files into a folder; creates the folder if it does not exist.
pub fn folder<'a>(
    folder: &Path,
    files: impl IntoIterator<Item = (&'a str, String)>,
) -> Result<(), OutputError> {
    create_folder(folder)?;
    files.into_iter().try_for_each(|(name, text)| file(&folder.join(name), text.as_bytes()))
}

/// Syncs the entries of a folder to the disk, if the system can.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Writes a draft and renames it to its final path.
fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut draft = draft(path)?;
    // Not through the library's own writer, whose errors name the draft.
    draft.as_file_mut().write_all(contents)?;
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    sync_folder(folder_of(path))
}

/// Creates an empty file in the folder of `path`, with the permissions of a normal file. It is deleted unless it is
/// renamed.
fn draft(path: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().make_in(folder_of(path), |path| fs::File::create_new(path))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unwritten(path: &Path, cause: io::Error) -> OutputError {
    OutputError::Written { path: path.to_owned(), cause }
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
        assert!(matches!(check(&out), Err(DraftError::Output(OutputError::Folder(_)))));
        let nowhere = folder.path().join("nowhere/model.onnx");
        match check(&nowhere) {
            Err(DraftError::Output(OutputError::Written { path, cause })) => {
                assert_eq!(path, nowhere);
                assert_eq!(cause.to_string(), io::Error::from_raw_os_error(2).to_string());
            }
            other => panic!("{other:?}"),
        }
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

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_a_device_is_not_replaced() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let folder = TempDir::new().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("deep")).expect("a folder");
        symlink("deep/model.onnx", at("link.onnx")).expect("a link");
        for text in ["new", "replaced"] {
            file(&at("link.onnx"), text.as_bytes()).expect("written");
            assert_eq!(fs::read_to_string(at("deep/model.onnx")).expect("a file"), text);
        }
        assert!(at("link.onnx").is_symlink());
        assert_eq!(names(&at("deep")), ["model.onnx"]);
        fs::write(at("deep/model.toml"), "").expect("a file");
        assert!(matches!(check(&at("link.onnx")), Err(DraftError::Sidecar(_))));

        let full = Path::new("/dev/full");
        assert!(check(full).is_ok());
        let refused = file(full, b"1").expect_err("it is full");
        assert!(refused.is_of_machine(), "{refused}");
        assert!(fs::metadata(full).expect("a device").file_type().is_char_device());
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_written_into_and_its_reader_may_stop() {
        use std::io::Read;
        let folder = TempDir::new().expect("a folder");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        let reader = pipe.clone();
        let reader = std::thread::spawn(move || {
            let mut start = [0; 3];
            let mut pipe = fs::File::open(reader).expect("a pipe");
            pipe.read_exact(&mut start).expect("three bytes");
            start
        });
        assert!(check(&pipe).is_ok());
        file(&pipe, &vec![b'x'; 1 << 20]).expect("written");
        assert_eq!(&reader.join().expect("a reader"), b"xxx");
    }
}
