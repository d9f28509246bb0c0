//! `siamese embed`

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::compare::prepare;
use super::{Failure, Outcome, TowerArgs, load};
use crate::model::Tower;
use crate::npy;
use crate::score::Embedding;
use crate::telemetry;

/// Pictures held at once, however many are asked for.
const CHUNK: usize = 64;

#[derive(Debug, Args)]
pub(super) struct Embed {
    /// Pictures, or folders whose pictures are taken in the order of their names.
    #[arg(required = true, value_name = "PICTURE|FOLDER")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    tower: TowerArgs,
    /// Write to a .npy file (float32, one row a picture) or a .jsonl file; else .jsonl is printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Line<'a> {
    path: &'a Path,
    embedding: &'a [f32],
    digest: &'a str,
}

enum Sink {
    Lines(Box<dyn Write>),
    Npy(BufWriter<File>),
}

impl Embed {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let settings = self.tower.settings(None)?;
        telemetry::start(settings.log.format, "error");
        let pictures = pictures(&self.paths)?;
        let mut tower = load(&settings)?;
        let description = tower.description().clone();
        let limits = settings.picture.limits();
        let mut sink = self.sink(pictures.len(), description.width)?;
        for chunk in pictures.chunks(CHUNK) {
            let pixels = chunk
                .iter()
                .map(|path| prepare(path, &tower, &limits))
                .collect::<Result<Vec<_>, _>>()?;
            let embedded = tower.embed(&pixels).map_err(|err| Failure::machine(&err))?;
            for (path, embedded) in chunk.iter().zip(embedded) {
                let embedding = embedded
                    .map_err(|err| Failure::Caller(format!("{}: {err}", path.display())))?;
                sink.put(path, &embedding, &description.digest)
                    .map_err(|err| self.unwritable(&err))?;
            }
        }
        sink.finish().map_err(|err| self.unwritable(&err))?;
        Ok(Outcome::Done)
    }

    fn sink(&self, rows: usize, columns: usize) -> Result<Sink, Failure> {
        let Some(out) = &self.out else { return Ok(Sink::Lines(Box::new(io::stdout().lock()))) };
        let create = || File::create(out).map(BufWriter::new).map_err(|err| self.unwritable(&err));
        match out.extension().and_then(|it| it.to_str()) {
            Some("npy") => {
                let mut file = create()?;
                file.write_all(&npy::header(&[rows, columns]))
                    .map_err(|err| self.unwritable(&err))?;
                Ok(Sink::Npy(file))
            }
            Some("jsonl") => Ok(Sink::Lines(Box::new(create()?))),
            _ => Err(Failure::Caller(format!("{}: name a .npy or a .jsonl file", out.display()))),
        }
    }

    fn unwritable(&self, err: &io::Error) -> Failure {
        let out = self.out.as_deref().unwrap_or(Path::new("standard output"));
        Failure::Machine(format!("{} can't be written: {err}", out.display()))
    }
}

impl Sink {
    fn put(&mut self, path: &Path, embedding: &Embedding, digest: &str) -> io::Result<()> {
        let embedding = embedding.coordinates();
        match self {
            Self::Lines(lines) => {
                serde_json::to_writer(&mut *lines, &Line { path, embedding, digest })?;
                lines.write_all(b"\n")
            }
            Self::Npy(file) => {
                embedding.iter().try_for_each(|number| file.write_all(&number.to_le_bytes()))
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Lines(mut lines) => lines.flush(),
            Self::Npy(mut file) => file.flush(),
        }
    }
}

/// All pictures named, and those in the folders named, which are not searched deeper.
fn pictures(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut pictures = Vec::new();
    for path in paths {
        let named = |err: &io::Error| Failure::Caller(format!("{}: {err}", path.display()));
        if !path.is_dir() {
            pictures.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in path.read_dir().map_err(|err| named(&err))? {
            let entry = entry.map_err(|err| named(&err))?.path();
            if entry.is_file() {
                inside.push(entry);
            }
        }
        if inside.is_empty() {
            return Err(Failure::Caller(format!("{}: the folder has no files", path.display())));
        }
        inside.sort();
        pictures.append(&mut inside);
    }
    Ok(pictures)
}
