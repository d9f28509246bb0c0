//! The worker's side: what the process does from its start to its end.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::panic;

use memmap2::{Mmap, MmapOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;
use siamese_core::{memory, picture};

use super::confine::{Confined, close_all_but_standard, confine};
use super::message::{Hello, Job, Outcome, PREFIX, encode, lengths};

/// Serves the socket that is its standard input, until the other side closes it. Its standard output is a file in which large
/// uploads stand.
///
/// It is no use at a terminal: there it ends at once.
pub fn run() -> io::Result<()> {
    // Nobody reads what it would write, and a panic comes back as an error.
    panic::set_hook(Box::new(|panic| {
        picture::catches(panic);
    }));
    close_all_but_standard();
    memory::give_back_large_blocks();
    let mut socket = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let confined = confine()?;
    say(&mut socket, &Hello { is_filtered: confined.is_filtered() }, &[])?;
    while let Some((job, upload)) = hear::<Job>(&mut socket)? {
        let planes = match job.in_file {
            None => work(&confined, &job, &upload)?,
            Some(length) => work(&confined, &job, &map(&file, length)?)?,
        };
        drop(upload);
        match planes {
            Ok(planes) => say(&mut socket, &Outcome::Ok(()), planes.bytes())?,
            Err(err) => say(&mut socket, &Outcome::Err(err), &[])?,
        }
    }
    Ok(())
}

/// Decodes within the allowance: beyond its CPU time or memory the system ends this process.
fn work(
    confined: &Confined,
    Job { preparation, limits, allowance, .. }: &Job,
    upload: &[u8],
) -> io::Result<Result<picture::Planes, picture::PictureError>> {
    confined.allow(*allowance, upload.len())?;
    let planes = preparation.planes(upload, limits);
    confined.disarm()?;
    Ok(planes)
}

/// The first bytes of the shared file, where they are.
fn map(file: &File, length: usize) -> io::Result<Mmap> {
    #[expect(unsafe_code, reason = "it spares a copy of each photograph")]
    // SAFETY: the other side writes to the file before it sends the job, and then not until it has heard of its outcome. Were
    // it cut short meanwhile, this process would end, which is what it is for.
    unsafe {
        MmapOptions::new().len(length).populate().map(file)
    }
}

fn say(socket: &mut File, head: &impl Serialize, bytes: &[u8]) -> io::Result<()> {
    socket.write_all(&encode(head, bytes.len()))?;
    socket.write_all(bytes)
}

/// The next message; `None` where the other side has closed the socket.
fn hear<H: DeserializeOwned>(socket: &mut File) -> io::Result<Option<(H, Vec<u8>)>> {
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
