//! The files of a model, read once: whatever is made of them is made of the same bytes, and has one digest.

mod digest;
mod external;
mod metadata;
pub mod onnx;
pub mod protobuf;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use external::{ExternalError, Files, text_entry};
use onnx::model::METADATA_PROPS;
use protobuf::{NotOnnx, each};

use super::card::{Card, PREFIX, sidecar_values};
use super::load_error::LoadError;
use crate::file::{self, Limited, Looked, Stamp};

pub use metadata::rewrite;

/// The largest ONNX file, with its weights: protobuf has no larger messages.
const LARGEST_MODEL: u64 = (1 << 31) - 1;

/// The largest sidecar: golden pictures stand in it.
const LARGEST_SIDECAR: u64 = 64 << 20;

/// How often files are read again that were exchanged between the read of one and of the next.
const TRIES: usize = 3;

/// The reads of models for which there is a limit.
static READS: Limited = Limited::new();

/// The files of a model: the ONNX file, those of its weights, and the sidecar.
pub struct Source {
    path: PathBuf,
    /// The model with all its weights in it.
    onnx: Vec<u8>,
    /// The keys of its own metadata, without prefix.
    metadata: BTreeMap<String, String>,
    sidecar: Option<String>,
    /// The digest of the ONNX file as it is read.
    file_digest: String,
    /// The files of weights beside it: names and digests.
    weights: Vec<(PathBuf, String)>,
}

impl Source {
    /// Reads a model's files.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        Self::read_looking(path, &mut Looked::default())
    }

    /// Takes a model that stands in memory alone, whole and with its card in it; `path` is for people.
    pub fn of(path: &Path, onnx: Vec<u8>) -> Result<Self, LoadError> {
        let metadata = metadata(&onnx)
            .map_err(|source| LoadError::NotOnnx { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            file_digest: digest::of(&onnx),
            onnx,
            metadata,
            sidecar: None,
            weights: Vec::new(),
        })
    }

    /// Reads a model's files, waiting no longer than the limit, and tells which files were looked at, also where the
    /// read failed; none where it did not end.
    pub fn read_within(path: &Path, limit: Duration) -> (Looked, Result<Self, LoadError>) {
        let file = path.to_owned();
        let read = move || {
            let mut looked = Looked::default();
            let source = Self::read_looking(&file, &mut looked);
            (looked, source)
        };
        READS.run(limit, read).unwrap_or_else(|err| (Looked::default(), Err(unreadable(path)(err))))
    }

    fn read_looking(path: &Path, looked: &mut Looked) -> Result<Self, LoadError> {
        for _ in 0..TRIES {
            *looked = Looked::default();
            let source = Self::read_once(path, looked)?;
            // One file is one model whatever becomes of its place. Several must have stood there at one time.
            if source.is_one_file() || looked.again() == *looked {
                return Ok(source);
            }
        }
        Err(LoadError::Unsteady { path: path.to_owned() })
    }

    fn read_once(path: &Path, looked: &mut Looked) -> Result<Self, LoadError> {
        looked.note(path, Stamp::at(path));
        let (mut onnx, stamp) =
            file::read_stamped(path, LARGEST_MODEL).map_err(unreadable(path))?;
        looked.note(path, Some(stamp));
        let sidecar = read_sidecar(&path.with_extension("toml"), looked)?;
        let file_digest = digest::of(&onnx);
        let not_onnx = |source| LoadError::NotOnnx { path: path.to_owned(), source };
        let metadata = metadata(&onnx).map_err(not_onnx)?;

        let folder = path.parent().unwrap_or(Path::new(""));
        let mut files = Files::new(LARGEST_MODEL, |name: &Path, most| {
            let path = folder.join(name);
            looked.note(&path, Stamp::at(&path));
            let (bytes, stamp) = file::read_stamped(&path, most)?;
            looked.note(&path, Some(stamp));
            Ok(bytes)
        });
        let whole = files.inline(&onnx).map_err(|err| match err {
            ExternalError::NotOnnx(source) => not_onnx(source),
            ExternalError::File(name, source) => unreadable(&folder.join(name))(source),
        })?;
        let weights = files
            .into_found()
            .into_iter()
            .map(|(name, bytes)| (name, digest::of(&bytes)))
            .collect();
        if let Some(whole) = whole {
            if LARGEST_MODEL < whole.len() as u64 {
                let why =
                    "with the weights beside it, it is larger than the 2 GiB that a model may have";
                return Err(unreadable(path)(io::Error::new(ErrorKind::FileTooLarge, why)));
            }
            onnx = whole;
        }
        Ok(Self { path: path.to_owned(), onnx, metadata, sidecar, file_digest, weights })
    }

    /// The ONNX file's path, for people.
    pub(in crate::model) fn path(&self) -> &Path {
        &self.path
    }

    /// The model with all its weights in it.
    pub fn onnx(&self) -> &[u8] {
        &self.onnx
    }

    /// The size of the model with its weights.
    pub fn size(&self) -> u64 {
        self.onnx.len() as u64
    }

    fn is_one_file(&self) -> bool {
        self.weights.is_empty() && self.sidecar.is_none()
    }

    /// The card in the file, or else in the sidecar beside it.
    pub(in crate::model) fn card(&self) -> Result<Card, LoadError> {
        let path = &self.path;
        let stem =
            path.file_stem().map_or_else(String::new, |it| it.to_string_lossy().into_owned());
        let beside = || path.with_extension("toml");
        match (self.metadata.is_empty(), &self.sidecar) {
            (true, None) => Err(LoadError::NoCard { path: path.clone(), sidecar: beside() }),
            (false, Some(_)) => Err(LoadError::TwoCards { path: path.clone(), sidecar: beside() }),
            (false, None) => Card::parse(&self.metadata, &stem)
                .map_err(|source| LoadError::Card { path: path.clone(), source }),
            (true, Some(text)) => {
                let values = sidecar_values(text)
                    .map_err(|source| LoadError::Sidecar { sidecar: beside(), source })?;
                Card::parse(&values, &stem)
                    .map_err(|source| LoadError::Card { path: beside(), source })
            }
        }
    }

    /// `sha256:` and the hex digest over everything that determines an embedding: see [`digest`].
    pub(in crate::model) fn digest(&self, card: &Card) -> String {
        if self.is_one_file() {
            return self.file_digest.clone();
        }
        let beside = self.sidecar.as_ref().map(|_| card);
        digest::of_several(&self.file_digest, &self.weights, beside)
    }
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> LoadError {
    let path = path.to_owned();
    move |source| LoadError::Unreadable { path, source }
}

fn read_sidecar(path: &Path, looked: &mut Looked) -> Result<Option<String>, LoadError> {
    looked.note(path, None);
    match file::read_stamped(path, LARGEST_SIDECAR) {
        Ok((bytes, stamp)) => {
            looked.note(path, Some(stamp));
            file::text(bytes).map(Some).map_err(unreadable(path))
        }
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(None),
        Err(err) => {
            looked.note(path, Stamp::at(path));
            Err(unreadable(path)(err))
        }
    }
}

/// The keys of a model's own metadata that are ours, without prefix.
fn metadata(onnx: &[u8]) -> Result<BTreeMap<String, String>, NotOnnx> {
    let mut metadata = BTreeMap::new();
    for field in each(onnx) {
        let field = field?;
        if let (METADATA_PROPS, Some(entry)) = (field.number, field.body) {
            let (key, value) = text_entry(entry)?;
            if let Some(key) = key.strip_prefix(PREFIX) {
                metadata.insert(key.to_owned(), value);
            }
        }
    }
    Ok(metadata)
}
