//! The worker's side: the main loop of the process.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::panic;

use memmap2::{Mmap, MmapOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;
use siamese_core::{memory, preprocessing};

use super::confine::{Confined, close_all_but_standard, confine};
use super::message::{Hello, Job, Outcome, PREFIX, encode, lengths};

/// Serves the socket on standard input until the server closes it. Standard output is the file for large uploads.
///
/// Started in a terminal, it ends at once.
pub fn run() -> io::Result<()> {
    // The worker has no output for messages, and a panic is returned as an error.
    panic::set_hook(Box::new(|panic| {
        preprocessing::catches(panic);
    }));
    close_all_but_standard();
    memory::give_back_large_blocks();
    let mut socket = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let confined = confine()?;
    send(&mut socket, &Hello { is_filtered: confined.is_filtered() }, &[])?;
    while let Some((job, upload)) = receive::<Job>(&mut socket)? {
        let decoded = match job.in_file {
            None => work(&confined, &job, &upload)?,
            Some(length) => work(&confined, &job, &map(&file, length)?)?,
        };
        drop(upload);
        match decoded {
            Ok(decoded) => send(&mut socket, &Outcome::Ok(decoded.form()), decoded.bytes())?,
            Err(err) => send(&mut socket, &Outcome::Err(err), &[])?,
        }
    }
    Ok(())
}

/// Decodes within the allowance. The system ends this process if it exceeds its CPU time or memory.
fn work(
    confined: &Confined,
    Job { decoding, limits, allowance, .. }: &Job,
    upload: &[u8],
) -> io::Result<Result<preprocessing::Decoded, preprocessing::DecodeError>> {
    confined.allow(*allowance, upload.len())?;
    let decoded = decoding.decode(upload, limits);
    confined.disarm()?;
    Ok(decoded)
}

/// Maps the first bytes of the shared file.
fn map(file: &File, length: usize) -> io::Result<Mmap> {
    #[expect(unsafe_code, reason = "it avoids a copy of each large upload")]
    // SAFETY: the server writes to the file before it sends the job, and not again until it has the result. If the
    // file were truncated meanwhile, only this process would end.
    unsafe {
        MmapOptions::new().len(length).populate().map(file)
    }
}

fn send(socket: &mut File, head: &impl Serialize, bytes: &[u8]) -> io::Result<()> {
    socket.write_all(&encode(head, bytes.len()))?;
    socket.write_all(bytes)
}

/// Receives the next message; `None` if the server has closed the socket.
fn receive<H: DeserializeOwned>(socket: &mut File) -> io::Result<Option<(H, Vec<u8>)>> {
    let mut prefix = [0; PREFIX];
    match socket.read(&mut prefix)? {
        0 => return Ok(None),
        read => socket.read_exact(&mut prefix[read..])?,
    }
    let [head, bytes] = lengths(prefix, usize::MAX)?;
    let mut message = vec![0; head + bytes];
    socket.read_exact(&mut message)?;
    let bytes = message.split_off(head);
    Ok(Some((serde_json::from_slice(&message)?, bytes)))
}
