//! The files of a model. They are read once, so the session, the card and the digest all come from the same bytes.

pub(super) mod digest;
mod external;
mod metadata;
pub mod onnx;
mod outputs;
pub mod protobuf;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use external::{ExternalError, Files, text_entry};
use onnx::model::METADATA_PROPS;
use protobuf::{NotOnnx, each};

use super::card::{Card, PREFIX, sidecar_values};
use super::faces::InvalidDetector;
use super::load_error::LoadError;
use super::preprocessor::Preprocessor;
use crate::file::{self, FileStamps, Limited, Stamp};

pub use metadata::rewrite;
pub use outputs::{EMBEDDING, MAP};

/// The largest ONNX file including its weights: the size limit of a protobuf message.
const LARGEST_MODEL: u64 = (1 << 31) - 1;

/// The largest model, in bytes, of which several sessions are worth their memory.
pub const LARGEST_COPY: u64 = 32 << 20;

/// The largest sidecar: it may contain golden images.
const LARGEST_SIDECAR: u64 = 64 << 20;

/// How often the files are read again if they changed during the read.
const TRIES: usize = 3;

/// The reads with a timeout.
static READS: Limited = Limited::new();

/// The files of a model: the ONNX file, its weight files and the sidecar.
pub struct Source {
    path: PathBuf,
    /// The model with all its weights.
    onnx: Vec<u8>,
    /// The entries of the model's own metadata, keys without the prefix.
    metadata: BTreeMap<String, String>,
    sidecar: Option<String>,
    /// The digest of the ONNX file as it is on disk.
    file_digest: String,
    /// The external weight files: names and digests.
    weights: Vec<(PathBuf, String)>,
    /// Shared by all sessions of the model.
    preprocessor: OnceLock<Arc<Preprocessor>>,
}

impl Source {
    /// Reads a model's files.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        Self::read_steady(path, &mut FileStamps::default())
    }

    /// Takes a complete model in memory, with its card. `path` is used in messages only.
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
            preprocessor: OnceLock::new(),
        })
    }

    /// Reads a model's files with a timeout. Also returns the files it stamps at, even if the read failed; none after
    /// a timeout.
    pub fn read_within(path: &Path, limit: Duration) -> (FileStamps, Result<Self, LoadError>) {
        let file = path.to_owned();
        let read = move || {
            let mut stamps = FileStamps::default();
            let source = Self::read_steady(&file, &mut stamps);
            (stamps, source)
        };
        READS
            .run(limit, read)
            .unwrap_or_else(|err| (FileStamps::default(), Err(unreadable(path)(err))))
    }

    fn read_steady(path: &Path, stamps: &mut FileStamps) -> Result<Self, LoadError> {
        for _ in 0..TRIES {
            *stamps = FileStamps::default();
            let source = Self::read_once(path, stamps)?;
            // A single file is read at once. Several files must all have been in place at the same time.
            if source.is_one_file() || stamps.again() == *stamps {
                return Ok(source);
            }
        }
        Err(LoadError::Unsteady { path: path.to_owned() })
    }

    fn read_once(path: &Path, stamps: &mut FileStamps) -> Result<Self, LoadError> {
        stamps.note(path, Stamp::at(path));
        let (mut onnx, stamp) =
            file::read_stamped(path, LARGEST_MODEL).map_err(unreadable(path))?;
        stamps.note(path, Some(stamp));
        let sidecar = read_sidecar(&path.with_extension("toml"), stamps)?;
        let file_digest = digest::of(&onnx);
        let not_onnx = |source| LoadError::NotOnnx { path: path.to_owned(), source };
        let metadata = metadata(&onnx).map_err(not_onnx)?;

        let folder = path.parent().unwrap_or(Path::new(""));
        let mut files = Files::new(LARGEST_MODEL, |name: &Path, most| {
            let weights = folder.join(name);
            stamps.note(&weights, Stamp::at(&weights));
            check_links(&weights, path)?;
            let (bytes, stamp) = file::read_stamped(&weights, most)?;
            stamps.note(&weights, Some(stamp));
            Ok(bytes)
        });
        let whole = files.inline(&onnx).map_err(|err| match err {
            ExternalError::NotOnnx(source) => not_onnx(source),
            ExternalError::File(name, source) if name.as_os_str().is_empty() => {
                unreadable(path)(source)
            }
            ExternalError::File(name, source) => unreadable(&folder.join(name))(source),
        })?;
        let weights = files
            .into_found()
            .into_iter()
            .map(|(name, bytes)| (name, digest::of(&bytes)))
            .collect();
        if let Some(whole) = whole {
            if LARGEST_MODEL < whole.len() as u64 {
                let why = "with its external weights, it is larger than the limit of 2 GiB";
                return Err(unreadable(path)(io::Error::new(ErrorKind::FileTooLarge, why)));
            }
            onnx = whole;
        }
        Ok(Self {
            path: path.to_owned(),
            onnx,
            metadata,
            sidecar,
            file_digest,
            weights,
            preprocessor: OnceLock::new(),
        })
    }

    /// The ONNX file's path, for messages.
    pub(in crate::model) fn path(&self) -> &Path {
        &self.path
    }

    /// The model with all its weights.
    pub fn onnx(&self) -> &[u8] {
        &self.onnx
    }

    /// The model without outputs other than its embedding.
    pub(in crate::model) fn embedding_alone(&self) -> Result<Cow<'_, [u8]>, LoadError> {
        let alone = self.alone(EMBEDDING)?;
        Ok(alone.map_or(Cow::Borrowed(&self.onnx[..]), Cow::Owned))
    }

    /// The model without outputs other than its map; `None` if it has no map beside the embedding.
    pub(in crate::model) fn map_alone(&self) -> Result<Option<Vec<u8>>, LoadError> {
        self.alone(MAP)
    }

    fn alone(&self, output: &str) -> Result<Option<Vec<u8>>, LoadError> {
        outputs::alone(&self.onnx, output)
            .map_err(|source| LoadError::NotOnnx { path: self.path.clone(), source })
    }

    /// The size of the model with its weights, in bytes.
    pub fn size(&self) -> u64 {
        self.onnx.len() as u64
    }

    fn is_one_file(&self) -> bool {
        self.weights.is_empty() && self.sidecar.is_none()
    }

    /// The card from the file's metadata, or else from the sidecar.
    pub(in crate::model) fn card(&self) -> Result<Card, LoadError> {
        let path = &self.path;
        let stem =
            path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
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

    /// The preprocessing of the card, with its face detector. It is opened once.
    pub(in crate::model) fn preprocessor(
        &self,
        card: &Card,
    ) -> Result<Arc<Preprocessor>, InvalidDetector> {
        if let Some(preprocessor) = self.preprocessor.get() {
            return Ok(preprocessor.clone());
        }
        let preprocessor = Arc::new(Preprocessor::of(card)?);
        Ok(self.preprocessor.get_or_init(|| preprocessor).clone())
    }

    /// `sha256:` and the hex digest of everything that determines an embedding: see [`digest`].
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

/// Checks that links lead weights only to the model's folder, or to the folder of the file that a link to the model
/// leads to: caches of models consist of such links.
fn check_links(weights: &Path, model: &Path) -> io::Result<()> {
    let weights = weights.canonicalize()?;
    let file = model.canonicalize()?;
    let folder = model.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize()?;
    if weights.starts_with(folder)
        || file.parent().is_some_and(|folder| weights.starts_with(folder))
    {
        return Ok(());
    }
    Err(io::Error::new(
        ErrorKind::PermissionDenied,
        "it is a link that leads outside the model's folder",
    ))
}

fn read_sidecar(path: &Path, stamps: &mut FileStamps) -> Result<Option<String>, LoadError> {
    stamps.note(path, None);
    match file::read_stamped(path, LARGEST_SIDECAR) {
        Ok((bytes, stamp)) => {
            stamps.note(path, Some(stamp));
            file::text(bytes).map(Some).map_err(unreadable(path))
        }
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(None),
        Err(err) => {
            stamps.note(path, Stamp::at(path));
            Err(unreadable(path)(err))
        }
    }
}

/// The `siamese.*` entries of a model's metadata, keys without the prefix.
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
