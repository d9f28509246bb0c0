//! The file that `siamese embed` writes, and how an interrupted run is resumed.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use siamese_core::file::shown;
use siamese_core::model::Face;
use siamese_core::output::{Destination, OutputError, is_closed};

use super::rows::{Rows, check, foreign, names};
use crate::cli::Failure;
use crate::cli::images::files::PathInJson;
use crate::engine::cache::EmbeddedImage;

/// One line of a `.jsonl` file.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    path: PathInJson,
    embedding: &'a [f32],
    /// The face that was embedded, if the model aligns faces.
    #[serde(skip_serializing_if = "Option::is_none")]
    face: Option<Face>,
    /// How much the image is like those that the model was calibrated on, in `(0, 1]`, if the card describes these.
    #[serde(skip_serializing_if = "Option::is_none")]
    familiarity: Option<f64>,
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

impl Output {
    /// Writes lines of JSON to standard output.
    pub(super) fn printed(digest: &str) -> Self {
        let sink = Sink::Lines(Box::new(io::stdout().lock()));
        Self { file: None, sink, digest: digest.to_owned(), held: HashSet::new() }
    }

    /// Opens a file of the format that its name says; a pipe or a device of another name gets lines of JSON. With
    /// `resume`, an existing file is continued.
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
            (Destination::File(_), Some("npy")) if is_resumed => {
                Rows::resumed(out, width, digest).map(|(rows, held)| (Sink::Rows(rows), held))
            }
            (_, Some("npy")) => {
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
        image: &EmbeddedImage,
    ) -> Result<ControlFlow<()>, OutputError> {
        let written = self.sink.put(path, image, &self.digest);
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
    fn put(&mut self, path: &Path, image: &EmbeddedImage, digest: &str) -> io::Result<()> {
        let embedding = image.embedding.coordinates();
        match self {
            Self::Lines(lines) => {
                let EmbeddedImage { face, familiarity, .. } = *image;
                let line = Line { path: path.into(), embedding, face, familiarity, digest };
                serde_json::to_writer(&mut *lines, &line)?;
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
