//! The file that `siamese embed` writes, and how an interrupted run is resumed.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use siamese_core::file::shown;
use siamese_core::output::{Destination, OutputError, is_closed};
use siamese_core::score::Embedding;

use crate::cli::Failure;
use crate::cli::files::PathInJson;
use crate::ops::npy;

/// One line of a `.jsonl` file.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    path: PathInJson,
    embedding: &'a [f32],
    digest: &'a str,
}

/// The fields of a line that a resumed run needs.
#[derive(Deserialize)]
struct WrittenLine {
    #[serde(flatten)]
    path: PathInJson,
    digest: String,
}

/// The destination of the embeddings.
pub(super) struct Output {
    /// The file as the user names it; `None` is standard output.
    file: Option<PathBuf>,
    sink: Sink,
    digest: String,
    /// The paths whose embeddings an earlier run wrote; in a `.txt` file, as they are shown.
    held: HashSet<PathBuf>,
}

enum Sink {
    Lines(Box<dyn Write>),
    Rows(Rows),
}

/// A `.npy` file, and a `.txt` file beside it: first the model's digest, then the path of each row's image.
struct Rows {
    numbers: BufWriter<File>,
    names: BufWriter<File>,
    count: usize,
    width: usize,
}

impl Output {
    /// Writes lines of JSON to standard output.
    pub(super) fn printed(digest: &str) -> Self {
        let sink = Sink::Lines(Box::new(io::stdout().lock()));
        Self { file: None, sink, digest: digest.to_owned(), held: HashSet::new() }
    }

    /// Opens a file of the format that its name says; a pipe or a device gets lines of JSON. With `resume`, an existing
    /// file is continued.
    pub(super) fn file(
        out: &Path,
        width: usize,
        digest: &str,
        resume: bool,
    ) -> Result<Self, Failure> {
        let destination = Destination::of(out)?;
        let format = out.extension().and_then(OsStr::to_str);
        let wrong = |why: &str| Err(Failure::Caller(format!("{}: {why}", shown(out))));
        let is_resumed = resume && out.exists();
        let opened = match (&destination, format) {
            (Destination::Stream(_), _) if resume => {
                return wrong("only a regular file can be resumed: omit --resume");
            }
            (Destination::Stream(_), Some("npy")) => {
                return wrong(
                    "the start of a .npy file is written last, so it must be a regular file: name one, or a .jsonl file",
                );
            }
            (Destination::File(_), Some("npy")) if is_resumed => Rows::resumed(out, width, digest),
            (Destination::File(_), Some("npy")) => {
                let names = Destination::of(&names(out))?;
                Rows::new(&destination, &names, width, digest)
                    .map(|rows| (Sink::Rows(rows), HashSet::new()))
            }
            (Destination::File(_), Some("jsonl")) if is_resumed => lines_resumed(out, digest),
            (Destination::Stream(_), _) | (Destination::File(_), Some("jsonl")) => destination
                .open()
                .map(|file| (Sink::Lines(Box::new(BufWriter::new(file))), HashSet::new())),
            (Destination::File(_), _) => return wrong("the file name must end in .npy or .jsonl"),
        };
        match opened {
            Ok((sink, held)) => {
                Ok(Self { file: Some(out.to_owned()), sink, digest: digest.to_owned(), held })
            }
            Err(err) if err.kind() == io::ErrorKind::InvalidData => wrong(&err.to_string()),
            Err(cause) => Err(OutputError::Written { path: out.to_owned(), cause }.into()),
        }
    }

    /// Whether an earlier run wrote this image's embedding.
    pub(super) fn holds(&self, path: &Path) -> bool {
        match self.sink {
            Sink::Lines(_) => self.held.contains(path),
            Sink::Rows(_) => self.held.contains(Path::new(&shown(path))),
        }
    }

    /// Writes one embedding. Breaks if the reader of a pipe closed it.
    pub(super) fn put(
        &mut self,
        path: &Path,
        embedding: &Embedding,
    ) -> Result<ControlFlow<()>, OutputError> {
        let written = self.sink.put(path, embedding.coordinates(), &self.digest);
        outcome(self.file.as_deref(), written)
    }

    /// Writes what is still in memory. Breaks if the reader of a pipe closed it.
    pub(super) fn finish(self) -> Result<ControlFlow<()>, OutputError> {
        let written = match self.sink {
            Sink::Lines(mut lines) => lines.flush(),
            Sink::Rows(rows) => rows.finish(),
        };
        outcome(self.file.as_deref(), written)
    }
}

/// What a write means for the run.
fn outcome(file: Option<&Path>, written: io::Result<()>) -> Result<ControlFlow<()>, OutputError> {
    match (written, file) {
        (Ok(()), _) => Ok(ControlFlow::Continue(())),
        (Err(err), _) if is_closed(&err) => Ok(ControlFlow::Break(())),
        (Err(cause), Some(path)) => Err(OutputError::Written { path: path.to_owned(), cause }),
        (Err(cause), None) => Err(OutputError::Printed(cause)),
    }
}

impl Sink {
    fn put(&mut self, path: &Path, embedding: &[f32], digest: &str) -> io::Result<()> {
        match self {
            Self::Lines(lines) => {
                serde_json::to_writer(&mut *lines, &Line { path: path.into(), embedding, digest })?;
                lines.write_all(b"\n")
            }
            Self::Rows(rows) => rows.put(path, embedding),
        }
    }
}

/// Opens a `.jsonl` file to append to it. An incomplete last line is cut off.
fn lines_resumed(out: &Path, digest: &str) -> io::Result<(Sink, HashSet<PathBuf>)> {
    let mut file = OpenOptions::new().read(true).write(true).open(out)?;
    let mut reader = BufReader::new(&file);
    let (mut held, mut whole, mut line) = (HashSet::new(), 0, Vec::new());
    while 0 < reader.read_until(b'\n', &mut line)? && line.ends_with(b"\n") {
        let written: WrittenLine = serde_json::from_slice(&line).map_err(|_| foreign())?;
        check(&written.digest, digest)?;
        held.insert(written.path.to_path());
        whole += line.len() as u64;
        line.clear();
    }
    file.set_len(whole)?;
    file.seek(SeekFrom::End(0))?;
    Ok((Sink::Lines(Box::new(BufWriter::new(file))), held))
}

impl Rows {
    fn new(
        numbers: &Destination,
        names: &Destination,
        width: usize,
        digest: &str,
    ) -> io::Result<Self> {
        let [mut numbers, mut names] = [numbers.open()?, names.open()?].map(BufWriter::new);
        numbers.write_all(&npy::header(&[0, width]))?;
        writeln!(names, "# {digest}")?;
        Ok(Self { numbers, names, count: 0, width })
    }

    /// Opens a `.npy` file to append to it. Rows that lack their numbers or their path are cut off.
    fn resumed(out: &Path, width: usize, digest: &str) -> io::Result<(Sink, HashSet<PathBuf>)> {
        let header_length = npy::header(&[0, width]).len();
        let mut numbers = OpenOptions::new().read(true).write(true).open(out)?;
        let mut header = vec![0; header_length];
        numbers.read_exact(&mut header).map_err(|_| foreign())?;
        if !header.starts_with(&npy::header(&[0, width])[..10]) {
            return Err(foreign());
        }
        let row_length = 4 * width as u64;
        let n_rows = (numbers.metadata()?.len() - header_length as u64) / row_length;

        let names = OpenOptions::new().read(true).write(true).open(names(out))?;
        let mut reader = BufReader::new(&names);
        let (mut held, mut whole, mut line) = (HashSet::new(), 0, String::new());
        let mut count = 0;
        let mut is_first = true;
        while (is_first || count < n_rows)
            && 0 < reader.read_line(&mut line)?
            && line.ends_with('\n')
        {
            let text = line.trim_end_matches('\n');
            if is_first {
                check(text.strip_prefix("# ").unwrap_or_default(), digest)?;
                is_first = false;
            } else {
                held.insert(PathBuf::from(text));
                count += 1;
            }
            whole += line.len() as u64;
            line.clear();
        }
        if is_first {
            return Err(foreign());
        }
        let (mut names, mut numbers) = (names, numbers);
        names.set_len(whole)?;
        names.seek(SeekFrom::End(0))?;
        numbers.set_len(header_length as u64 + count * row_length)?;
        numbers.seek(SeekFrom::End(0))?;
        let count = usize::try_from(count).map_err(|_| foreign())?;
        let (numbers, names) = (BufWriter::new(numbers), BufWriter::new(names));
        Ok((Sink::Rows(Self { numbers, names, count, width }), held))
    }

    fn put(&mut self, path: &Path, embedding: &[f32]) -> io::Result<()> {
        for number in embedding {
            self.numbers.write_all(&number.to_le_bytes())?;
        }
        writeln!(self.names, "{}", shown(path))?;
        self.count += 1;
        Ok(())
    }

    /// Writes the number of rows into the header. The header is padded: its length does not depend on that number.
    fn finish(self) -> io::Result<()> {
        let mut numbers = self.numbers.into_inner().map_err(io::IntoInnerError::into_error)?;
        numbers.seek(SeekFrom::Start(0))?;
        numbers.write_all(&npy::header(&[self.count, self.width]))?;
        self.names.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(())
    }
}

/// The file with the paths of a `.npy` file's rows.
fn names(out: &Path) -> PathBuf {
    out.with_extension("txt")
}

fn check(found: &str, digest: &str) -> io::Result<()> {
    if found == digest {
        return Ok(());
    }
    let why = "the file holds another model's embeddings: choose another file, or overwrite it without --resume";
    Err(io::Error::new(io::ErrorKind::InvalidData, why))
}

fn foreign() -> io::Error {
    let why = "`siamese embed` did not write this file: choose another file, or overwrite it without --resume";
    io::Error::new(io::ErrorKind::InvalidData, why)
}
