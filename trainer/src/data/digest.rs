//! Digests as text.

use std::fmt::Write;

use sha2::Sha256;
use sha2::digest::Digest;

/// `sha256:` and the digest's hex digits.
pub(super) fn text(digest: Sha256) -> String {
    let mut text = String::from("sha256:");
    for byte in digest.finalize() {
        write!(text, "{byte:02x}").expect("a String takes all that is written");
    }
    text
}
