//! Networks that read their images in another way.

use siamese_core::model::onnx::{graph, model};
use siamese_core::model::protobuf::{Field, fields, put};

use super::{F32, INPUT, U8, axis, call, number, numbers, port};

/// How a network reads its images. The default is `[n, channels, height, width]` in single precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) bytes: bool,
    pub(crate) channels_last: bool,
    /// Whether the file leaves height and width open.
    pub(crate) any_size: bool,
}

impl Reading {
    /// Makes a network read its images, `[channels, height, width]`, in this way. The network
    /// behind the input stays the same.
    pub(crate) fn by(self, onnx: &[u8], image: [u8; 3]) -> Vec<u8> {
        let mut changed = Vec::new();
        for field in fields(onnx).expect("ONNX") {
            match field.body {
                Some(body) if field.number == model::GRAPH => {
                    put(&mut changed, model::GRAPH, &self.graph(body, image));
                }
                _ => changed.extend(field.whole),
            }
        }
        changed
    }

    fn graph(self, old: &[u8], image: [u8; 3]) -> Vec<u8> {
        let (inputs, rest): (Vec<Field<'_>>, Vec<_>) =
            fields(old).expect("a graph").into_iter().partition(|field| field.number == INPUT);
        let input = fields(inputs[0].body.expect("an input")).expect("an input");
        let name = input.iter().find(|field| field.number == 1).and_then(|field| field.body);
        let name = std::str::from_utf8(name.expect("a name")).expect("a name");

        let order: &[u8] = if self.channels_last { &[0, 3, 1, 2] } else { &[0, 1, 2, 3] };
        let cast = call("Cast", &["upload"], "upload/f32", &[number("to", F32)]);
        let transpose = call("Transpose", &["upload/f32"], name, &[numbers("perm", order)]);
        let mut new = Vec::new();
        put(&mut new, graph::NODE, &cast);
        put(&mut new, graph::NODE, &transpose);
        put(&mut new, INPUT, &self.input(image));
        new.extend(rest.iter().flat_map(|field| field.whole));
        new
    }

    fn input(self, [channels, height, width]: [u8; 3]) -> Vec<u8> {
        // A varint has seven bits in each byte.
        let fixed = |length: u8| match length {
            ..128 => vec![0x08, length],
            128.. => vec![0x08, length, 1],
        };
        let side = |name: &str, length: u8| if self.any_size { axis(name) } else { fixed(length) };
        let (height, width) = (side("height", height), side("width", width));
        let axes = if self.channels_last {
            [axis("n"), height, width, fixed(channels)]
        } else {
            [axis("n"), fixed(channels), height, width]
        };
        port("upload", if self.bytes { U8 } else { F32 }, &axes.each_ref().map(Vec::as_slice))
    }
}
