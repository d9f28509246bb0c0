//! Digests as text.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::Sha256;
use sha2::digest::Digest;

/// Returns `sha256:` and the hex digits of a digest.
pub(crate) fn text(digest: impl AsRef<[u8]>) -> String {
    let mut text = String::from("sha256:");
    for byte in digest.as_ref() {
        write!(text, "{byte:02x}").expect("a String takes all that is written");
    }
    text
}

/// Returns `sha256:` and the hex digest of some bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    text(Sha256::digest(bytes))
}

/// Returns `sha256:` and the hex digest of a file. The file may be larger than memory.
///
/// # Errors
///
/// If the file cannot be read.
pub fn digest_of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(text(hasher.finalize())),
            length => hasher.update(&block[..length]),
        }
    }
}
