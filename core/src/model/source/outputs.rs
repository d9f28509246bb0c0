//! The outputs of an ONNX file.
//!
//! A model may have more outputs than its embedding, such as a map. A session of a file with one output computes only
//! what that output needs.

use super::onnx::graph::OUTPUT;
use super::onnx::model::GRAPH;
use super::onnx::value_info::NAME;
use super::protobuf::{NotOnnx, each, put};

/// The name of the embedding among several outputs.
pub const EMBEDDING: &str = "embedding";

/// Returns the file without its outputs other than [`EMBEDDING`]. `None` if that would not change it, or if it has no
/// output of this name.
pub(in crate::model) fn embedding_alone(onnx: &[u8]) -> Result<Option<Vec<u8>>, NotOnnx> {
    let names = names(onnx)?;
    if names.len() < 2 || !names.contains(&EMBEDDING.as_bytes()) {
        return Ok(None);
    }
    let mut written = Vec::with_capacity(onnx.len());
    for field in each(onnx) {
        let field = field?;
        match field.body {
            Some(graph) if field.number == GRAPH => {
                let mut kept = Vec::with_capacity(graph.len());
                for part in each(graph) {
                    let part = part?;
                    let is_kept = match part.body {
                        Some(output) if part.number == OUTPUT => {
                            name(output)? == EMBEDDING.as_bytes()
                        }
                        _ => true,
                    };
                    if is_kept {
                        kept.extend_from_slice(part.whole);
                    }
                }
                put(&mut written, GRAPH, &kept);
            }
            _ => written.extend_from_slice(field.whole),
        }
    }
    Ok(Some(written))
}

fn names(onnx: &[u8]) -> Result<Vec<&[u8]>, NotOnnx> {
    let mut names = Vec::new();
    for field in each(onnx) {
        let field = field?;
        let Some(graph) = field.body.filter(|_| field.number == GRAPH) else { continue };
        for part in each(graph) {
            let part = part?;
            if let Some(output) = part.body.filter(|_| part.number == OUTPUT) {
                names.push(name(output)?);
            }
        }
    }
    Ok(names)
}

fn name(output: &[u8]) -> Result<&[u8], NotOnnx> {
    for field in each(output) {
        let field = field?;
        if let Some(name) = field.body.filter(|_| field.number == NAME) {
            return Ok(name);
        }
    }
    Ok(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(outputs: &[&str]) -> Vec<u8> {
        let mut graph = vec![0x08, 0x01];
        for output in outputs {
            let mut value = Vec::new();
            put(&mut value, NAME, output.as_bytes());
            put(&mut graph, OUTPUT, &value);
        }
        let mut file = vec![0x08, 0x08];
        put(&mut file, GRAPH, &graph);
        file
    }

    #[test]
    fn the_embedding_is_kept_alone() {
        let file_of = |outputs| embedding_alone(&file(outputs)).expect("a message");
        assert_eq!(file_of(&["embedding", "map"]), Some(file(&["embedding"])));
        assert_eq!(file_of(&["map", "embedding"]), Some(file(&["embedding"])));
        assert_eq!(file_of(&["embedding"]), None);
        assert_eq!(file_of(&["a", "b"]), None);
    }

    #[test]
    fn a_truncated_file_is_no_model() {
        let whole = file(&["embedding", "map"]);
        for length in 3..whole.len() {
            assert_eq!(embedding_alone(&whole[..length]), Err(NotOnnx), "{length} bytes");
        }
    }
}
