//! The outputs of an ONNX file.
//!
//! A model may have more outputs than its embedding, such as a map. ONNX Runtime runs every node of a file, whatever
//! outputs are asked for. So a session of one output gets a file without the nodes of the others.

use std::collections::HashSet;

use super::onnx::attribute::{G, GRAPHS};
use super::onnx::graph::{NODE, OUTPUT};
use super::onnx::model::GRAPH;
use super::onnx::node::{self, ATTRIBUTE, INPUT};
use super::onnx::value_info::NAME;
use super::protobuf::{Field, NotOnnx, each, fields, put};

/// The name of the embedding among several outputs.
pub const EMBEDDING: &str = "embedding";
/// The name of the map among several outputs.
pub const MAP: &str = "map";

/// Returns the file with one of several outputs, and with the nodes that this output needs. `None` if the file has one
/// output, or none of this name.
pub(in crate::model) fn alone(onnx: &[u8], output: &str) -> Result<Option<Vec<u8>>, NotOnnx> {
    let names = names(onnx)?;
    if names.len() < 2 || !names.contains(&output.as_bytes()) {
        return Ok(None);
    }
    let mut written = Vec::with_capacity(onnx.len());
    for field in each(onnx) {
        let field = field?;
        match field.body {
            Some(graph) if field.number == GRAPH => {
                put(&mut written, GRAPH, &reduced(graph, output)?);
            }
            _ => written.extend_from_slice(field.whole),
        }
    }
    Ok(Some(written))
}

fn reduced(graph: &[u8], output: &str) -> Result<Vec<u8>, NotOnnx> {
    let parts = fields(graph)?;
    // The nodes are in the order of execution, so each is seen before those that it needs.
    let mut needed: HashSet<&[u8]> = HashSet::from([output.as_bytes()]);
    let mut is_needed = vec![true; parts.len()];
    let mut contains_graphs = false;
    for (part, is_needed) in parts.iter().zip(&mut is_needed).rev() {
        let Some(body) = part.body else { continue };
        match part.number {
            OUTPUT => *is_needed = name(body)? == output.as_bytes(),
            NODE => {
                let of_node = fields(body)?;
                let named = |number| {
                    of_node.iter().filter(move |it| it.number == number).filter_map(|it| it.body)
                };
                *is_needed = named(node::OUTPUT).any(|it| needed.contains(it));
                contains_graphs |= contains_graph(&of_node)?;
                if *is_needed {
                    needed.extend(named(INPUT));
                }
            }
            _ => {}
        }
    }
    let mut kept = Vec::with_capacity(graph.len());
    for (part, is_needed) in parts.iter().zip(is_needed) {
        // A graph within a node may read any tensor of this one, so no node is removed then.
        if is_needed || (contains_graphs && part.number == NODE) {
            kept.extend_from_slice(part.whole);
        }
    }
    Ok(kept)
}

fn contains_graph(of_node: &[Field<'_>]) -> Result<bool, NotOnnx> {
    for attribute in of_node.iter().filter(|it| it.number == ATTRIBUTE).filter_map(|it| it.body) {
        for field in each(attribute) {
            if matches!(field?.number, G | GRAPHS) {
                return Ok(true);
            }
        }
    }
    Ok(false)
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

    fn node(input: &str, output: &str, attribute: Option<u64>) -> Vec<u8> {
        let mut node = Vec::new();
        put(&mut node, INPUT, input.as_bytes());
        put(&mut node, node::OUTPUT, output.as_bytes());
        if let Some(number) = attribute {
            let mut attribute = Vec::new();
            put(&mut attribute, number, &[]);
            put(&mut node, ATTRIBUTE, &attribute);
        }
        node
    }

    fn graph(nodes: &[Vec<u8>], outputs: &[&str]) -> Vec<u8> {
        let mut graph = Vec::new();
        for node in nodes {
            put(&mut graph, NODE, node);
        }
        for output in outputs {
            let mut value = Vec::new();
            put(&mut value, NAME, output.as_bytes());
            put(&mut graph, OUTPUT, &value);
        }
        graph
    }

    #[test]
    fn nodes_that_the_embedding_does_not_need_are_removed() {
        let shared = || node("pixels", "shared", None);
        let own = || node("shared", "embedding", None);
        let both = ["embedding", "map"];
        let other = node("shared", "map", None);
        let reduced_graph =
            reduced(&graph(&[shared(), other, own()], &both), EMBEDDING).expect("a graph");
        assert_eq!(reduced_graph, graph(&[shared(), own()], &["embedding"]));
        // A node with a graph of its own may read tensors that it does not name.
        let other = || node("shared", "map", Some(G));
        let kept = reduced(&graph(&[shared(), other(), own()], &both), EMBEDDING).expect("a graph");
        assert_eq!(kept, graph(&[shared(), other(), own()], &["embedding"]));
    }

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
    fn one_output_is_kept_alone() {
        let file_of = |outputs| alone(&file(outputs), EMBEDDING).expect("a message");
        assert_eq!(file_of(&["embedding", "map"]), Some(file(&["embedding"])));
        assert_eq!(file_of(&["map", "embedding"]), Some(file(&["embedding"])));
        assert_eq!(file_of(&["embedding"]), None);
        assert_eq!(file_of(&["a", "b"]), None);
        let map = alone(&file(&["embedding", "map"]), MAP).expect("a message");
        assert_eq!(map, Some(file(&["map"])));
    }

    #[test]
    fn a_truncated_file_is_no_model() {
        let whole = file(&["embedding", "map"]);
        for length in 3..whole.len() {
            assert_eq!(alone(&whole[..length], EMBEDDING), Err(NotOnnx), "{length} bytes");
        }
    }
}
