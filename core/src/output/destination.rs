//! Where a file is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::OutputError;

/// The most links that lead to a file: the limit of Linux.
const MAX_LINKS: usize = 40;

/// Where a file is written. Links are followed: they stay, and what they lead to is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A regular file, or none yet. Another file may take its place.
    File(PathBuf),
    /// A device, a pipe or an open file such as `/dev/stdout`. It is written into, because a file that took its place
    /// would not reach the reader.
    Stream(PathBuf),
}

impl Destination {
    /// Finds out what a path names. Nothing is opened: the reader of a pipe would notice.
    pub fn of(path: &Path) -> Result<Self, OutputError> {
        let failed = |cause| OutputError::Written { path: path.to_owned(), cause };
        let kind = match fs::metadata(path) {
            Ok(metadata) => metadata.file_type(),
            Err(err) if err.kind() == ErrorKind::NotFound => {
                // Only a folder could have this name.
                let is_folder = path.as_os_str().as_bytes().ends_with(b"/");
                return if is_folder {
                    Err(OutputError::Folder(path.to_owned()))
                } else {
                    Ok(Self::File(followed(path)))
                };
            }
            Err(err) => return Err(failed(err)),
        };
        if kind.is_dir() {
            Err(OutputError::Folder(path.to_owned()))
        } else if kind.is_socket() {
            Err(OutputError::Socket(path.to_owned()))
        } else if kind.is_file() && !is_open_file(path) {
            fs::canonicalize(path).map(Self::File).map_err(failed)
        } else {
            Ok(Self::Stream(path.to_owned()))
        }
    }

    /// Opens it for writing. A regular file is emptied; the start of a pipe waits for a reader.
    pub fn open(&self) -> io::Result<File> {
        match self {
            Self::File(path) => File::create(path),
            // Whoever prints after this continues behind it.
            Self::Stream(_) if self.is_stdout() => {
                Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
            }
            Self::Stream(path) => OpenOptions::new().append(true).open(path),
        }
    }

    /// Whether it is what standard output writes to. Text would then spoil the file.
    pub fn is_stdout(&self) -> bool {
        let Self::Stream(path) = self else { return false };
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        let stdout = stdout.and_then(|stdout| File::from(stdout).metadata());
        let number = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
        matches!((fs::metadata(path), stdout), (Ok(one), Ok(other)) if number(&one) == number(&other))
    }
}

/// Checks that a path can be the path of a folder. Commands call it before the long work begins.
pub fn check_folder(path: &Path) -> Result<(), OutputError> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_dir() => Err(OutputError::NoFolder(path.to_owned())),
        _ => Ok(()),
    }
}

/// Creates a folder and those above it, if they do not exist.
pub fn create_folder(path: &Path) -> Result<(), OutputError> {
    check_folder(path)?;
    fs::create_dir_all(followed(path))
        .map_err(|cause| OutputError::Written { path: path.to_owned(), cause })
}

/// The path that links lead to, even if it has no file.
fn followed(path: &Path) -> PathBuf {
    steps(path).last().unwrap_or_else(|| path.to_owned())
}

/// A path, and those that its links lead to, one after another.
fn steps(path: &Path) -> impl Iterator<Item = PathBuf> {
    let next = |path: &PathBuf| Some(path.parent()?.join(fs::read_link(path).ok()?));
    std::iter::successors(Some(path.to_owned()), next).take(MAX_LINKS)
}

/// Whether a path names an open file of a process, such as `/dev/stdout` and `/dev/fd/3`, and not its place on a disk.
fn is_open_file(path: &Path) -> bool {
    let folder = |step: PathBuf| step.parent().and_then(|folder| folder.canonicalize().ok());
    steps(path).filter_map(folder).any(|folder| folder.starts_with("/proc"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn links_are_followed_to_a_file_that_may_not_exist() {
        let folder = TempDir::new().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        fs::create_dir(root.join("deep")).expect("a folder");
        symlink("deep/one", root.join("two")).expect("a link");
        symlink("two", root.join("three")).expect("a link");
        let target = root.join("deep/one");
        for is_there in [false, true] {
            for name in ["deep/one", "two", "three"] {
                let found = Destination::of(&root.join(name)).expect("a file");
                assert_eq!(found, Destination::File(target.clone()), "{name} {is_there}");
            }
            fs::write(&target, "").expect("a file");
        }
        symlink("round", root.join("round")).expect("a link");
        let round = Destination::of(&root.join("round")).expect_err("a cycle");
        assert!(!round.is_of_machine(), "{round}");
    }

    #[test]
    fn devices_and_pipes_are_written_into_and_folders_and_sockets_refused() {
        let folder = TempDir::new().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        symlink("/dev/null", at("null")).expect("a link");
        for path in ["/dev/null".into(), "/dev/fd/0".into(), at("null")] {
            let found = Destination::of(&path).expect("a stream");
            assert_eq!(found, Destination::Stream(path));
        }
        for path in [folder.path().to_owned(), at("new/")] {
            let refused = Destination::of(&path).expect_err("a folder");
            assert!(matches!(refused, OutputError::Folder(_)), "{refused}");
        }
        let _socket = UnixListener::bind(at("socket")).expect("a socket");
        let refused = Destination::of(&at("socket")).expect_err("a socket");
        assert!(matches!(refused, OutputError::Socket(_)));
    }

    #[test]
    fn a_folder_is_created_where_a_link_leads() {
        let folder = TempDir::new().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        symlink("real/deep", at("link")).expect("a link");
        for _ in 0..2 {
            create_folder(&at("link")).expect("created");
            assert!(at("real/deep").is_dir() && at("link").is_symlink());
        }
        fs::write(at("file"), "").expect("a file");
        assert!(matches!(create_folder(&at("file")), Err(OutputError::NoFolder(_))));
    }

    #[test]
    fn a_stream_is_not_replaced() {
        let mut full =
            Destination::of(Path::new("/dev/full")).expect("a device").open().expect("open");
        let refused = io::Write::write_all(&mut full, b"1").expect_err("it is full");
        assert!(super::super::is_of_machine(&refused), "{refused}");
    }
}
