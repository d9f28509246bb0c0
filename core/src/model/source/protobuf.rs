//! Reads the framing of protobuf messages, so that a few fields can be changed and all others stay byte for byte the
//! same, whether this program knows them or not.
//!
//! A message is a sequence of fields. Each field has a number and a kind that determines its end
//! (protobuf.dev/programming-guides/encoding). The fields may come in any order; only repeated fields of one number
//! keep their order.
//!
//! Generated messages, such as those in the trainer, are unsuitable. They lose unknown fields when they are written
//! again. Reading them copies weights of up to 2 GiB. An empty message of two bytes becomes a value of hundreds of
//! bytes, which a hostile file can exploit.

use thiserror::Error;

const LENGTH_DELIMITED: u64 = 2;

/// The bytes are not a protobuf message, so they are not an ONNX file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the file is not an ONNX model: its protobuf is truncated or malformed")]
pub struct NotOnnx;

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// The field's number in the message's definition.
    pub number: u64,
    /// The bytes of a string, a byte field or a message; `None` for numbers.
    pub body: Option<&'a [u8]>,
    /// The value of a varint; `None` for other kinds.
    pub value: Option<u64>,
    /// The whole field with its framing, for copying.
    pub whole: &'a [u8],
}

/// The fields of a message, in order.
pub fn fields(message: &[u8]) -> Result<Vec<Field<'_>>, NotOnnx> {
    each(message).collect()
}

/// The fields of a message, in order, one at a time: a graph may have as many fields as it has weights.
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

/// Appends a field that contains bytes, a string or a message.
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
    fn fields_are_read_back_whole() {
        let mut message = vec![0x08, 0x96, 0x01];
        put(&mut message, 300, &[7; 200]);
        message.extend([0x15, 1, 2, 3, 4]);

        let fields = fields(&message).expect("a message");

        let found: Vec<_> =
            fields.iter().map(|field| (field.number, field.body.map(<[u8]>::len))).collect();
        assert_eq!(found, [(1, None), (300, Some(200)), (2, None)]);
        assert_eq!(
            fields.iter().flat_map(|field| field.whole).copied().collect::<Vec<_>>(),
            message
        );
    }
}
