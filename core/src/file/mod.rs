//! Files that the program reads of its own accord: models, keys, certificates. Only regular ones are read, only up to
//! a size, and nobody waits for one without a limit.

mod limited;
mod reserve;
mod stamp;

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub use limited::Limited;
pub use reserve::Reserve;
pub use stamp::{Looked, Stamp};

/// Reads a whole regular file of at most `most` bytes.
///
/// # Errors
///
/// Besides the system's own, if it is something else, such as a directory, a pipe or a device, or if it is larger.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_stamped(path, most).map(|(bytes, _)| bytes)
}

/// Reads a whole regular file, and tells which one it was: another may stand in its place by now.
pub fn read_stamped(path: &Path, most: u64) -> io::Result<(Vec<u8>, Stamp)> {
    // To open a pipe waits for whoever writes to it, unless one asks not to wait.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
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
    let why = format!("it is larger than the {most} bytes that are read of such a file");
    Err(io::Error::new(ErrorKind::FileTooLarge, why))
}

/// Reads a whole regular file of text.
pub fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is no text in UTF-8"))
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
            let said = read(path, 1000).expect_err("no regular file").to_string();
            assert_eq!(said, "it is no regular file", "{}", path.display());
        }
        assert_eq!(
            read(&folder.path().join("none"), 4).expect_err("none").kind(),
            ErrorKind::NotFound
        );
    }
}
