//! The frame of protobuf messages, so that a few fields can be changed and all others stay byte for byte what they
//! were, whether this program knows them or not.
//!
//! A message is one field after the other, each with a number and a kind that says where it ends
//! (protobuf.dev/programming-guides/encoding). Fields of a message may come in any order; those of one number
//! that repeats keep theirs.
//!
//! Own code, as generated messages, such as those that the trainer writes, can't do this: what they don't know is
//! lost when they are written again, reading them copies weights of up to 2 GiB, and each empty message of two bytes that a
//! hostile file holds becomes a value of hundreds.

use thiserror::Error;

const LENGTH_DELIMITED: u64 = 2;

/// Bytes that are no protobuf message, so no ONNX file either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the file is no ONNX model: its protobuf breaks off or is malformed")]
pub struct NotOnnx;

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// What the message's definition calls it by.
    pub number: u64,
    /// The bytes of a text, of bytes, or of a message; `None` for numbers.
    pub body: Option<&'a [u8]>,
    /// A whole number that is not of a fixed length; `None` for all else.
    pub value: Option<u64>,
    /// The field with all that frames it, to be copied.
    pub whole: &'a [u8],
}

/// The fields of a message, in order.
pub fn fields(message: &[u8]) -> Result<Vec<Field<'_>>, NotOnnx> {
    each(message).collect()
}

/// The fields of a message, in order, one at a time: there may be as many of them as there are weights.
pub fn each(message: &[u8]) -> impl Iterator<Item = Result<Field<'_>, NotOnnx>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let next = next_field(rest);
        rest = next.as_ref().map_or(&[], |(_, after)| *after);
        Some(next.map(|(field, _)| field))
    })
}

/// Appends a field that holds bytes, a text or a message.
#[expect(clippy::missing_panics_doc, reason = "every length fits 64 bits")]
pub fn put(out: &mut Vec<u8>, number: u64, body: &[u8]) {
    let length = u64::try_from(body.len()).expect("a length fits 64 bits");
    for mut value in [number << 3 | LENGTH_DELIMITED, length] {
        while 0x80 <= value {
            out.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        out.push(value.to_le_bytes()[0]);
    }
    out.extend_from_slice(body);
}

fn next_field(bytes: &[u8]) -> Result<(Field<'_>, &[u8]), NotOnnx> {
    let (tag, rest) = varint(bytes)?;
    let mut value = None;
    let (body, rest) = match tag & 7 {
        0 => {
            let (number, rest) = varint(rest)?;
            value = Some(number);
            (None, rest)
        }
        1 => (None, rest.get(8..).ok_or(NotOnnx)?),
        LENGTH_DELIMITED => {
            let (length, rest) = varint(rest)?;
            let length = usize::try_from(length).map_err(|_| NotOnnx)?;
            let (body, rest) = rest.split_at_checked(length).ok_or(NotOnnx)?;
            (Some(body), rest)
        }
        5 => (None, rest.get(4..).ok_or(NotOnnx)?),
        _ => return Err(NotOnnx),
    };
    let whole = &bytes[..bytes.len() - rest.len()];
    Ok((Field { number: tag >> 3, body, value, whole }, rest))
}

fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), NotOnnx> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok((value, &bytes[at + 1..]));
        }
    }
    Err(NotOnnx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_again_whole() {
        let mut message = vec![0x08, 0x96, 0x01];
        put(&mut message, 300, &[7; 200]);
        message.extend([0x15, 1, 2, 3, 4]);

        let fields = fields(&message).expect("a message");

        let found: Vec<_> = fields.iter().map(|it| (it.number, it.body.map(<[u8]>::len))).collect();
        assert_eq!(found, [(1, None), (300, Some(200)), (2, None)]);
        assert_eq!(fields.iter().flat_map(|it| it.whole).copied().collect::<Vec<_>>(), message);
    }
}
