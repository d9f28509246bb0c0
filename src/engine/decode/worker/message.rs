//! What a server and its workers say to each other: two lengths, a head as JSON, and bytes.

use serde::{Deserialize, Serialize};
use siamese_core::picture::{Limits, PictureError, Preparation};

use super::Allowance;

/// What a worker says once it is confined.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    /// Whether it can make no system call but those that decoding needs.
    pub(super) is_filtered: bool,
}

/// What is to be made of an upload, whose bytes follow, or stand in the file that both sides share.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) preparation: Preparation,
    pub(super) limits: Limits,
    pub(super) allowance: Allowance,
    /// How many bytes stand in the file, where they do.
    pub(super) in_file: Option<usize>,
}

/// What became of it; the planes' bytes follow where there are any.
pub(super) type Outcome = Result<(), PictureError>;

/// What goes before a head: its length, and that of the bytes behind it.
pub(super) const PREFIX: usize = 8;

/// The longest head that is read, in bytes: a worker that was taken over may claim anything.
const LONGEST_HEAD: usize = 64 << 10;

/// The prefix and the head of a message with so many bytes behind it.
pub(super) fn encode(head: &impl Serialize, bytes: usize) -> Vec<u8> {
    let mut message = vec![0; PREFIX];
    serde_json::to_writer(&mut message, head).expect("a head has text keys and finite numbers");
    let lengths =
        [message.len() - PREFIX, bytes].map(|length| u32::try_from(length).unwrap_or(u32::MAX));
    message[..PREFIX].copy_from_slice(lengths.map(u32::to_le_bytes).as_flattened());
    message
}

/// The lengths of a head and of the bytes behind it, of which there are at most so many.
pub(super) fn lengths(prefix: [u8; PREFIX], most: usize) -> std::io::Result<[usize; 2]> {
    let (lengths, _) = prefix.as_chunks::<4>();
    let [head, bytes] = [lengths[0], lengths[1]].map(|length| u32::from_le_bytes(length) as usize);
    if LONGEST_HEAD < head || most < bytes {
        return Err(std::io::Error::other("a message is longer than it can be"));
    }
    Ok([head, bytes])
}
