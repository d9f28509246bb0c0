//! Reads the files that the program itself names: models, keys and certificates. It reads regular files only, up to a
//! size limit, and with a timeout. It also knows the names of files.

mod limited;
mod name;
mod reserve;
mod stamp;

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub use limited::Limited;
pub use name::{is_left_by_desktop, path_of, shown};
pub use reserve::Reserve;
pub use stamp::{FileStamps, Stamp};

/// Reads a whole regular file of at most `most` bytes.
///
/// # Errors
///
/// The system's errors; also if the path is not a regular file (a directory, a pipe or a device) or if the file is
/// larger.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_stamped(path, most).map(|(bytes, _)| bytes)
}

/// Reads a whole regular file and returns its stamp. Another file may have replaced it since.
pub fn read_stamped(path: &Path, most: u64) -> io::Result<(Vec<u8>, Stamp)> {
    // Opening a pipe blocks until a writer appears, unless the flags say not to block.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    if metadata.len() <= most {
        let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        bytes.try_reserve_exact(length).map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
        file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= most {
            return Ok((bytes, Stamp::of(&metadata)));
        }
    }
    let why = format!("it is larger than the limit of {most} bytes");
    Err(io::Error::new(ErrorKind::FileTooLarge, why))
}

/// Converts the bytes of a text file to a string.
pub fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    #[test]
    fn only_regular_files_up_to_a_size_are_read() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "four").expect("written");
        assert_eq!(read(&file, 4).expect("a file"), b"four");
        assert_eq!(read(&file, 3).expect_err("too large").kind(), ErrorKind::FileTooLarge);

        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("the program").success());
        for path in [&pipe, folder.path(), Path::new("/dev/zero")] {
            let message = read(path, 1000).expect_err("not a regular file").to_string();
            assert_eq!(message, "it is not a regular file", "{}", path.display());
        }
        assert_eq!(
            read(&folder.path().join("none"), 4).expect_err("none").kind(),
            ErrorKind::NotFound
        );
    }
}
