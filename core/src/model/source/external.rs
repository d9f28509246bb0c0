//! Reads weights from files beside an ONNX file and inserts them, so that a model is one block of memory.
//!
//! A tensor's `data_location` says whether its bytes are in another file, and its `external_data` says where
//! (onnx/onnx.proto in the ONNX project). ONNX Runtime would open these files itself, at another time than the model
//! file.

use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use super::onnx::tensor::{DATA_LOCATION, EXTERNAL_DATA, RAW_DATA};
use super::onnx::{
    attribute, function, graph, model, node, sparse_tensor, string_string_entry, training_info,
};
use super::protobuf::{Field, NotOnnx, each, put};

/// The deepest nesting of messages: the same limit as protobuf's own readers.
const DEEPEST: usize = 100;

/// The kind of a message that may contain tensors.
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
    /// The kind of message in a field, if it may contain tensors.
    #[expect(clippy::match_same_arms, reason = "the arms follow the order of ONNX's definitions")]
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

/// Why external weights can't be inserted.
#[derive(Debug)]
pub(super) enum ExternalError {
    /// The model is not an ONNX file.
    NotOnnx(NotOnnx),
    /// A named file is shorter than stated, unreadable, or outside the model's folder.
    File(PathBuf, io::Error),
}

impl From<NotOnnx> for ExternalError {
    fn from(err: NotOnnx) -> Self {
        Self::NotOnnx(err)
    }
}

/// The weight files that a model names, in the order of their first mention.
pub(super) struct Files<R> {
    read: R,
    /// The bytes that may still be read, and the bytes that may still be inserted. They differ because many tensors
    /// may name the same file.
    remaining: [u64; 2],
    found: Vec<(PathBuf, Vec<u8>)>,
}

impl<R: FnMut(&Path, u64) -> io::Result<Vec<u8>>> Files<R> {
    /// Creates an empty set. `read` reads a file by its name and size limit. All files together, and all inserted
    /// bytes together, are limited to `most` bytes.
    pub(super) fn new(most: u64, read: R) -> Self {
        Self { read, remaining: [most; 2], found: Vec::new() }
    }

    /// The names and contents of the files that were read.
    pub(super) fn into_found(self) -> Vec<(PathBuf, Vec<u8>)> {
        self.found
    }

    /// Returns the model with all weights inserted; `None` if it has no external weights.
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
                (EXTERNAL_DATA, Some(entry)) => place.note(text_entry(entry)?),
                (RAW_DATA | DATA_LOCATION, _) => {}
                _ => written.extend_from_slice(field.whole),
            }
        }
        put(&mut written, RAW_DATA, self.part(&place)?);
        Ok(Some(written))
    }

    /// Returns the bytes of one tensor.
    fn part(&mut self, place: &Place) -> Result<&[u8], ExternalError> {
        let named = |err| ExternalError::File(PathBuf::from(&place.file), err);
        let name = inside(&place.file).map_err(named)?;
        let (offset, length) = place.range().map_err(named)?;
        let known = self.found.iter().position(|(found, _)| *found == name);
        let at = known.unwrap_or(self.found.len());
        if known.is_none() {
            let bytes = (self.read)(&name, self.remaining[0])
                .map_err(|err| ExternalError::File(name.clone(), err))?;
            self.remaining[0] = self.remaining[0].saturating_sub(bytes.len() as u64);
            self.found.push((name, bytes));
        }
        let (name, whole) = &self.found[at];
        let end = length.map_or(whole.len(), |length| offset.saturating_add(length));
        let failed = |kind, why| ExternalError::File(name.clone(), io::Error::new(kind, why));
        let part = whole.get(offset..end).ok_or_else(|| {
            failed(ErrorKind::UnexpectedEof, "it is shorter than the model states")
        })?;
        self.remaining[1] = self.remaining[1].checked_sub(part.len() as u64).ok_or_else(|| {
            failed(
                ErrorKind::FileTooLarge,
                "the tensors that use it exceed the size limit of a model",
            )
        })?;
        Ok(part)
    }
}

/// The position of a tensor's bytes, as the model states it.
#[derive(Default)]
struct Place {
    file: String,
    offset: Option<String>,
    length: Option<String>,
}

impl Place {
    fn note(&mut self, (key, value): (String, String)) {
        match key.as_str() {
            "location" => self.file = value,
            "offset" => self.offset = Some(value),
            "length" => self.length = Some(value),
            _ => {}
        }
    }

    /// The offset and the length; without a length, the tensor ends with the file.
    fn range(&self) -> io::Result<(usize, Option<usize>)> {
        let number = |text: &Option<String>| text.as_ref().map(|text| text.parse()).transpose();
        let (Ok(offset), Ok(length)) = (number(&self.offset), number(&self.length)) else {
            let why =
                "the model states an offset or a length in it that is not a whole number of bytes";
            return Err(io::Error::new(ErrorKind::InvalidData, why));
        };
        Ok((offset.unwrap_or(0), length))
    }
}

/// Reads a key and its value from ONNX's `StringStringEntryProto`.
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

/// Normalises a file name, for example removes `./`. A model may name files only in its own folder and below it.
fn inside(name: &str) -> io::Result<PathBuf> {
    let mut inside = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => inside.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                let why = "it is outside the model's folder";
                return Err(io::Error::new(ErrorKind::PermissionDenied, why));
            }
        }
    }
    if inside.as_os_str().is_empty() {
        return Err(io::Error::new(
            ErrorKind::NotFound,
            "the model gives no file name for its weights",
        ));
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

    /// A tensor of two bytes, at offset 2 of the file.
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
        assert!(4 <= most, "one file fits the limit");
        match name.to_str() {
            Some("w.data" | "folder/w.data") => Ok(b"0123".to_vec()),
            Some("short.data") => Ok(b"012".to_vec()),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    #[test]
    fn weights_are_inserted_wherever_a_tensor_may_occur() {
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
    fn a_model_without_external_weights_is_unchanged() {
        let model = message(&[(7, &message(&[(5, &message(&[(8, b"w"), (RAW_DATA, b"23")]))]))]);
        assert!(Files::new(7, read).inline(&model).expect("a model").is_none());
    }

    #[test]
    fn the_error_names_a_file_whose_range_is_not_stated_in_bytes() {
        let entries = [("location", "w.data"), ("offset", "-2")];
        let entries =
            entries.map(|(key, value)| message(&[(1, key.as_bytes()), (2, value.as_bytes())]));
        let mut tensor: Vec<u8> =
            entries.iter().flat_map(|entry| message(&[(EXTERNAL_DATA, entry)])).collect();
        tensor.extend([0x70, 0x01]);
        let model = message(&[(7, &message(&[(5, &tensor)]))]);
        match Files::new(7, read).inline(&model) {
            Err(ExternalError::File(name, err)) => {
                assert_eq!(name, Path::new("w.data"));
                assert!(err.to_string().contains("whole number"), "{err}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_error_names_a_file_that_is_outside_missing_or_short() {
        for (file, why) in [
            ("../w.data", "outside"),
            ("/w.data", "outside"),
            ("folder/../../w.data", "outside"),
            ("", "no file name"),
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
    fn the_bytes_inserted_for_all_tensors_are_limited() {
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
    fn deeply_nested_messages_are_refused() {
        let deep = (0..200).fold(Vec::new(), |inner, at| message(&[([5, 1, 6][at % 3], &inner)]));
        let model = message(&[(7, &deep)]);
        assert!(matches!(Files::new(7, read).inline(&model), Err(ExternalError::NotOnnx(_))));
    }
}
