//! Weights that lie in files beside an ONNX file, taken into it, so that a model is one piece of memory.
//!
//! A tensor says in `data_location` that its bytes lie elsewhere, and in `external_data` where (onnx/onnx.proto in the
//! ONNX project). ONNX Runtime would open these files by itself, and another time than the model's.

use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use super::onnx::tensor::{DATA_LOCATION, EXTERNAL_DATA, RAW_DATA};
use super::onnx::{
    attribute, function, graph, model, node, sparse_tensor, string_string_entry, training_info,
};
use super::protobuf::{Field, NotOnnx, each, put};

/// How deep messages may be nested: as deep as protobuf's own readers go.
const DEEPEST: usize = 100;

/// What a message is, so far as tensors are in it.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Training,
    Graph,
    Function,
    Node,
    Attribute,
    SparseTensor,
    Tensor,
}

impl Kind {
    /// What a field holds, if there may be tensors in it.
    #[expect(
        clippy::match_same_arms,
        reason = "in the order of the messages, as ONNX defines them"
    )]
    fn of_field(self, number: u64) -> Option<Self> {
        Some(match (self, number) {
            (Self::Model, model::GRAPH) => Self::Graph,
            (Self::Model, model::TRAINING_INFO) => Self::Training,
            (Self::Model, model::FUNCTIONS) => Self::Function,
            (Self::Training, training_info::INITIALIZATION | training_info::ALGORITHM) => {
                Self::Graph
            }
            (Self::Graph, graph::NODE) | (Self::Function, function::NODE) => Self::Node,
            (Self::Graph, graph::INITIALIZER) => Self::Tensor,
            (Self::Graph, graph::SPARSE_INITIALIZER) => Self::SparseTensor,
            (Self::Node, node::ATTRIBUTE) | (Self::Function, function::ATTRIBUTE_PROTO) => {
                Self::Attribute
            }
            (Self::Attribute, attribute::G | attribute::GRAPHS) => Self::Graph,
            (Self::Attribute, attribute::T | attribute::TENSORS) => Self::Tensor,
            (Self::Attribute, attribute::SPARSE_TENSOR | attribute::SPARSE_TENSORS) => {
                Self::SparseTensor
            }
            (Self::SparseTensor, sparse_tensor::VALUES | sparse_tensor::INDICES) => Self::Tensor,
            _ => return None,
        })
    }
}

/// Why weights can't be taken into a model.
#[derive(Debug)]
pub(super) enum ExternalError {
    /// It is no ONNX file.
    NotOnnx(NotOnnx),
    /// A file that it names is not what it says, or not where it may be.
    File(PathBuf, io::Error),
}

impl From<NotOnnx> for ExternalError {
    fn from(err: NotOnnx) -> Self {
        Self::NotOnnx(err)
    }
}

/// The files that a model names, as `read` gives them, in the order that it names them first.
pub(super) struct Files<R> {
    read: R,
    /// How many bytes may still be read, and how many be taken in: many tensors may name the same.
    room: [u64; 2],
    found: Vec<(PathBuf, Vec<u8>)>,
}

impl<R: FnMut(&Path, u64) -> io::Result<Vec<u8>>> Files<R> {
    /// Files that `read` gives, by their name and the most bytes they may have; all of them together, and all that is
    /// taken in of them, have at most as many.
    pub(super) fn new(most: u64, read: R) -> Self {
        Self { read, room: [most; 2], found: Vec::new() }
    }

    /// The names of the files that were read, and what they hold.
    pub(super) fn into_found(self) -> Vec<(PathBuf, Vec<u8>)> {
        self.found
    }

    /// The model with all weights in it; `None` where they are there already.
    pub(super) fn inline(&mut self, onnx: &[u8]) -> Result<Option<Vec<u8>>, ExternalError> {
        self.rewrite(Kind::Model, onnx, DEEPEST)
    }

    fn rewrite(
        &mut self,
        kind: Kind,
        message: &[u8],
        depth: usize,
    ) -> Result<Option<Vec<u8>>, ExternalError> {
        if let Kind::Tensor = kind {
            return self.tensor(message);
        }
        let depth = depth.checked_sub(1).ok_or(NotOnnx)?;
        let mut written: Option<Vec<u8>> = None;
        let mut copied = 0;
        for field in each(message) {
            let Field { number, body, whole, .. } = field?;
            let inner = match (kind.of_field(number), body) {
                (Some(kind), Some(body)) => self.rewrite(kind, body, depth)?,
                _ => None,
            };
            match (inner, &mut written) {
                (Some(inner), written) => {
                    let out = written.get_or_insert_with(|| message[..copied].to_vec());
                    put(out, number, &inner);
                }
                (None, Some(out)) => out.extend_from_slice(whole),
                (None, None) => {}
            }
            copied += whole.len();
        }
        Ok(written)
    }

    fn tensor(&mut self, tensor: &[u8]) -> Result<Option<Vec<u8>>, ExternalError> {
        let mut lies_elsewhere = false;
        for field in each(tensor) {
            let field = field?;
            if let (DATA_LOCATION, Some(value)) = (field.number, field.value) {
                lies_elsewhere = value != 0;
            }
        }
        if !lies_elsewhere {
            return Ok(None);
        }
        let mut written = Vec::new();
        let mut place = Place::default();
        for field in each(tensor) {
            let field = field?;
            match (field.number, field.body) {
                (EXTERNAL_DATA, Some(entry)) => place.note(entry)?,
                (RAW_DATA | DATA_LOCATION, _) => {}
                _ => written.extend_from_slice(field.whole),
            }
        }
        put(&mut written, RAW_DATA, self.part(&place)?);
        Ok(Some(written))
    }

    /// The bytes of one tensor.
    fn part(&mut self, place: &Place) -> Result<&[u8], ExternalError> {
        let name = inside(&place.file)
            .map_err(|err| ExternalError::File(PathBuf::from(&place.file), err))?;
        let known = self.found.iter().position(|(found, _)| *found == name);
        let at = known.unwrap_or(self.found.len());
        if known.is_none() {
            let bytes = (self.read)(&name, self.room[0])
                .map_err(|err| ExternalError::File(name.clone(), err))?;
            self.room[0] = self.room[0].saturating_sub(bytes.len() as u64);
            self.found.push((name, bytes));
        }
        let (name, whole) = &self.found[at];
        let end = place.length.map_or(whole.len(), |length| place.offset.saturating_add(length));
        let failed = |kind, why| ExternalError::File(name.clone(), io::Error::new(kind, why));
        let part = whole
            .get(place.offset..end)
            .ok_or_else(|| failed(ErrorKind::UnexpectedEof, "it is shorter than the model says"))?;
        self.room[1] = self.room[1].checked_sub(part.len() as u64).ok_or_else(|| {
            failed(
                ErrorKind::FileTooLarge,
                "the model takes more bytes of it than a model may have",
            )
        })?;
        Ok(part)
    }
}

/// Where a tensor's bytes lie.
#[derive(Default)]
struct Place {
    file: String,
    offset: usize,
    length: Option<usize>,
}

impl Place {
    fn note(&mut self, entry: &[u8]) -> Result<(), NotOnnx> {
        let (key, value) = text_entry(entry)?;
        match key.as_str() {
            "location" => self.file = value,
            "offset" => self.offset = value.parse().map_err(|_| NotOnnx)?,
            "length" => self.length = Some(value.parse().map_err(|_| NotOnnx)?),
            _ => {}
        }
        Ok(())
    }
}

/// A key and its value, as ONNX writes them in several places.
pub(super) fn text_entry(entry: &[u8]) -> Result<(String, String), NotOnnx> {
    let (mut key, mut value) = (String::new(), String::new());
    for field in each(entry) {
        let Field { number, body, .. } = field?;
        let text = || String::from_utf8_lossy(body.unwrap_or_default()).into_owned();
        match number {
            string_string_entry::KEY => key = text(),
            string_string_entry::VALUE => value = text(),
            _ => {}
        }
    }
    Ok((key, value))
}

/// The name without what changes nothing, such as `./`. A model may name files in its own folder, and below it.
fn inside(name: &str) -> io::Result<PathBuf> {
    let mut inside = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => inside.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                let why = "it lies outside of the model's folder";
                return Err(io::Error::new(ErrorKind::PermissionDenied, why));
            }
        }
    }
    if inside.as_os_str().is_empty() {
        return Err(io::Error::new(ErrorKind::NotFound, "the model names no file for its weights"));
    }
    Ok(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: &[(u64, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, body) in fields {
            put(&mut out, *number, body);
        }
        out
    }

    /// A tensor whose bytes are two of a file's, from its third.
    fn tensor(file: &str) -> Vec<u8> {
        let entries = [("location", file), ("offset", "2"), ("length", "2")];
        let mut tensor = message(&[(8, b"w")]);
        for (key, value) in entries {
            let entry = message(&[(1, key.as_bytes()), (2, value.as_bytes())]);
            put(&mut tensor, EXTERNAL_DATA, &entry);
        }
        tensor.extend([0x70, 0x01]);
        tensor
    }

    fn read(name: &Path, most: u64) -> io::Result<Vec<u8>> {
        assert!(4 <= most, "there is room for one file");
        match name.to_str() {
            Some("w.data" | "folder/w.data") => Ok(b"0123".to_vec()),
            Some("short.data") => Ok(b"012".to_vec()),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    #[test]
    fn weights_are_taken_in_wherever_a_tensor_stands() {
        let inlined = message(&[(8, b"w"), (RAW_DATA, b"23")]);
        for (numbers, file) in [
            (&[7, 5][..], "w.data"),
            (&[7, 1, 5, 5], "./w.data"),
            (&[7, 1, 5, 6, 5], "folder/w.data"),
            (&[7, 1, 5, 10], "folder/./w.data"),
            (&[7, 15, 1], "w.data"),
            (&[25, 7, 5, 5], "w.data"),
            (&[20, 1, 5], "w.data"),
        ] {
            let around = |tensor: &[u8]| {
                numbers.iter().rev().fold(tensor.to_vec(), |inner, number| {
                    message(&[(100, b"before"), (*number, &inner), (101, b"behind")])
                })
            };
            let mut files = Files::new(7, read);
            let written = files.inline(&around(&tensor(file))).expect("a model");
            assert_eq!(written, Some(around(&inlined)), "{numbers:?}");
            assert_eq!(files.into_found().len(), 1);
        }
    }

    #[test]
    fn a_model_with_its_weights_stays_as_it_is() {
        let model = message(&[(7, &message(&[(5, &message(&[(8, b"w"), (RAW_DATA, b"23")]))]))]);
        assert!(Files::new(7, read).inline(&model).expect("a model").is_none());
    }

    #[test]
    fn files_that_are_elsewhere_missing_or_short_are_named() {
        for (file, why) in [
            ("../w.data", "outside"),
            ("/w.data", "outside"),
            ("folder/../../w.data", "outside"),
            ("", "names no file"),
            ("none.data", "not found"),
            ("short.data", "shorter"),
        ] {
            let model = message(&[(7, &message(&[(5, &tensor(file))]))]);
            match Files::new(7, read).inline(&model) {
                Err(ExternalError::File(name, err)) => {
                    assert_eq!(name, Path::new(file));
                    assert!(err.to_string().contains(why), "{file}: {err}");
                }
                other => panic!("{file}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_many_tensors_name_is_taken_in_up_to_a_limit() {
        let tensors = |many: usize| {
            let tensor = tensor("w.data");
            message(&[(7, &message(&vec![(5, &tensor[..]); many]))])
        };
        assert!(Files::new(7, read).inline(&tensors(3)).is_ok());
        match Files::new(7, read).inline(&tensors(4)) {
            Err(ExternalError::File(_, err)) => assert_eq!(err.kind(), ErrorKind::FileTooLarge),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_nested_without_end_is_no_model() {
        let deep = (0..200).fold(Vec::new(), |inner, at| message(&[([5, 1, 6][at % 3], &inner)]));
        let model = message(&[(7, &deep)]);
        assert!(matches!(Files::new(7, read).inline(&model), Err(ExternalError::NotOnnx(_))));
    }
}
