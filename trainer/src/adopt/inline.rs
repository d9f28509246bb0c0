//! Weights that lie in a file beside an ONNX file, as `PyTorch` writes them, taken into it: a tower
//! is one file.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use siamese_core::model::NotOnnx;
use siamese_core::model::onnx::graph::INITIALIZER;
use siamese_core::model::onnx::model::GRAPH;
use siamese_core::model::onnx::string_string_entry::{KEY, VALUE};
use siamese_core::model::onnx::tensor::{DATA_LOCATION, EXTERNAL_DATA, RAW_DATA};
use siamese_core::model::protobuf::{fields, put};

use super::AdoptError;

/// The file with all weights in it; as it is, where they are there already.
///
/// # Errors
///
/// If it is no ONNX file, or the files that it names aren't in `folder`.
pub(super) fn inline(onnx: Vec<u8>, folder: &Path) -> Result<Vec<u8>, AdoptError> {
    let mut files = Files { folder, read: BTreeMap::new() };
    let mut written = Vec::with_capacity(onnx.len());
    for field in fields(&onnx)? {
        match field.body.filter(|_| field.number == GRAPH) {
            Some(graph) => put(&mut written, GRAPH, &with_weights(graph, &mut files)?),
            None => written.extend_from_slice(field.whole),
        }
    }
    Ok(if files.read.is_empty() { onnx } else { written })
}

/// The files that were read, by their names.
struct Files<'a> {
    folder: &'a Path,
    read: BTreeMap<String, Vec<u8>>,
}

impl Files<'_> {
    fn part(&mut self, place: &Place) -> Result<&[u8], AdoptError> {
        let path = self.folder.join(&place.file);
        let failed = |cause: io::Error| AdoptError::Weights { path: path.clone(), cause };
        // A network may name files in its own folder alone.
        if place.file.contains(['/', '\\']) || place.file == ".." {
            return Err(failed(ErrorKind::PermissionDenied.into()));
        }
        if !self.read.contains_key(&place.file) {
            let bytes = fs::read(&path).map_err(failed)?;
            self.read.insert(place.file.clone(), bytes);
        }
        let whole = &self.read[&place.file];
        let end = match place.length {
            Some(length) => place.offset.saturating_add(length),
            None => whole.len(),
        };
        whole.get(place.offset..end).ok_or_else(|| failed(ErrorKind::UnexpectedEof.into()))
    }
}

fn with_weights(graph: &[u8], files: &mut Files<'_>) -> Result<Vec<u8>, AdoptError> {
    let mut written = Vec::with_capacity(graph.len());
    for field in fields(graph)? {
        match field.body.filter(|_| field.number == INITIALIZER) {
            Some(tensor) => put(&mut written, INITIALIZER, &with_bytes(tensor, files)?),
            None => written.extend_from_slice(field.whole),
        }
    }
    Ok(written)
}

fn with_bytes(tensor: &[u8], files: &mut Files<'_>) -> Result<Vec<u8>, AdoptError> {
    let Some(place) = Place::of(tensor)? else { return Ok(tensor.to_vec()) };
    let mut written = Vec::new();
    for field in fields(tensor)? {
        if ![EXTERNAL_DATA, DATA_LOCATION].contains(&field.number) {
            written.extend_from_slice(field.whole);
        }
    }
    put(&mut written, RAW_DATA, files.part(&place)?);
    Ok(written)
}

/// Where a tensor's bytes lie.
struct Place {
    file: String,
    offset: usize,
    length: Option<usize>,
}

impl Place {
    /// `None` for a tensor that holds its own.
    fn of(tensor: &[u8]) -> Result<Option<Self>, NotOnnx> {
        let mut place = Self { file: String::new(), offset: 0, length: None };
        for field in fields(tensor)? {
            let Some(entry) = field.body.filter(|_| field.number == EXTERNAL_DATA) else {
                continue;
            };
            let text = |number| -> Result<String, NotOnnx> {
                let found = fields(entry)?.into_iter().find(|it| it.number == number);
                let bytes = found.and_then(|it| it.body).unwrap_or_default();
                Ok(String::from_utf8_lossy(bytes).into_owned())
            };
            let (key, value) = (text(KEY)?, text(VALUE)?);
            match key.as_str() {
                "location" => place.file = value,
                "offset" => place.offset = value.parse().map_err(|_| NotOnnx)?,
                "length" => place.length = Some(value.parse().map_err(|_| NotOnnx)?),
                _ => {}
            }
        }
        Ok((!place.file.is_empty()).then_some(place))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn model(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut tensor = vec![0x10, 0x01];
        for (key, value) in entries {
            let mut entry = Vec::new();
            put(&mut entry, KEY, key.as_bytes());
            put(&mut entry, VALUE, value.as_bytes());
            put(&mut tensor, EXTERNAL_DATA, &entry);
        }
        if !entries.is_empty() {
            tensor.extend([0x70, 0x01]);
        }
        let (mut graph, mut model) = (Vec::new(), vec![0x08, 0x08]);
        put(&mut graph, INITIALIZER, &tensor);
        put(&mut graph, 2, b"name");
        put(&mut model, GRAPH, &graph);
        model
    }

    #[test]
    fn weights_beside_a_file_are_taken_into_it() {
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("w.data"), b"0123456789").expect("a file");
        let outside = model(&[("location", "w.data"), ("offset", "2"), ("length", "4")]);

        let inside = inline(outside, folder.path()).expect("a file");

        let graph = fields(&inside).expect("a model")[1].body.expect("a graph");
        let tensor = fields(graph).expect("a graph")[0].body.expect("a tensor");
        let found: Vec<_> = fields(tensor).expect("a tensor").iter().map(|it| it.number).collect();
        assert_eq!(found, [2, RAW_DATA]);
        assert_eq!(fields(tensor).expect("a tensor")[1].body, Some(&b"2345"[..]));
    }

    #[test]
    fn a_file_with_its_weights_stays_as_it_is() {
        let whole = model(&[]);
        let folder = Path::new("nowhere");
        assert_eq!(inline(whole.clone(), folder).expect("a file"), whole);
    }

    #[test]
    fn files_that_are_missing_short_or_elsewhere_are_named() {
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("w.data"), b"0123").expect("a file");
        for (place, offset) in [("none.data", "0"), ("w.data", "3"), ("../w.data", "0")] {
            let broken = model(&[("location", place), ("offset", offset), ("length", "2")]);
            let refusal = inline(broken, folder.path()).expect_err("no weights").to_string();
            assert!(refusal.contains(place), "{refusal}");
        }
    }
}
