//! The messages between the server and its workers: two lengths, a head as JSON, and bytes.

use serde::{Deserialize, Serialize};
use siamese_core::preprocessing::{DecodeError, Decoding, Form, Limits};

use super::Allowance;

/// A worker's first message, once it is confined.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    /// Whether the system filters its calls.
    pub(super) is_filtered: bool,
}

/// A decode job. The upload's bytes follow, or are in the shared file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) decoding: Decoding,
    pub(super) limits: Limits,
    pub(super) allowance: Allowance,
    /// The number of bytes in the file, if they are there.
    pub(super) in_file: Option<usize>,
}

/// The result of a job; its bytes follow if it succeeded.
pub(super) type Outcome = Result<Form, DecodeError>;

/// The bytes before a head: its length, and that of the bytes after it.
pub(super) const PREFIX: usize = 8;

/// The longest head that is accepted, in bytes: a compromised worker may state any length.
const LONGEST_HEAD: usize = 64 << 10;

/// The prefix and the head of a message with `bytes` bytes after it.
pub(super) fn encode(head: &impl Serialize, bytes: usize) -> Vec<u8> {
    let mut message = vec![0; PREFIX];
    serde_json::to_writer(&mut message, head).expect("a head has text keys and finite numbers");
    let lengths =
        [message.len() - PREFIX, bytes].map(|length| u32::try_from(length).unwrap_or(u32::MAX));
    message[..PREFIX].copy_from_slice(lengths.map(u32::to_le_bytes).as_flattened());
    message
}

/// The lengths of a head and of the bytes after it, which are at most `most`.
pub(super) fn lengths(prefix: [u8; PREFIX], most: usize) -> std::io::Result<[usize; 2]> {
    let (lengths, _) = prefix.as_chunks::<4>();
    let [head, bytes] = [lengths[0], lengths[1]].map(|length| u32::from_le_bytes(length) as usize);
    if LONGEST_HEAD < head || most < bytes {
        return Err(std::io::Error::other("a message is longer than it can be"));
    }
    Ok([head, bytes])
}
