//! Handmade WebP files: chunks, and lossless data with code tables.

/// A file with these chunks.
pub(crate) fn riff(chunks: &[u8]) -> Vec<u8> {
    let length = u32::try_from(chunks.len() + 4).expect("a length").to_le_bytes();
    [&b"RIFF"[..], &length, b"WEBP", chunks].concat()
}

/// A chunk, padded to an even length.
pub(crate) fn chunk(name: &[u8], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a length").to_le_bytes();
    let mut chunk = [name, &length, content].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// The beginning of a lossy frame, followed by zeros.
pub(crate) fn vp8(side: u16) -> Vec<u8> {
    let side = side.to_le_bytes();
    [&[0x10, 0x20, 0, 0x9d, 1, 0x2a][..], &side, &side, &[0; 2000]].concat()
}

/// A lossless image of one pixel, with five code tables for each of 65,536 groups of pixels, of which only one is used.
pub(crate) fn tables() -> Vec<u8> {
    lossless([1, 1], 65_536)
}

/// A file of one lossless image, with five code tables for each group of pixels, of which only one is used. The file
/// ends after the tables.
pub(crate) fn lossless([width, height]: [usize; 2], kinds: usize) -> Vec<u8> {
    let side = |side: usize| u16::try_from(side - 1).expect("14 bits");
    let [high, low] = u16::try_from(kinds - 1).expect("16 bits").to_be_bytes();
    let mut bits = Bits { bytes: vec![0x2f], free: 0 };
    for (value, count) in
        [(side(width), 14), (side(height), 14), (0, 4), (0, 1), (0, 1), (1, 1), (0, 3), (0, 1)]
    {
        bits.put(value, count);
    }
    // The image of groups: the last group, in red and green.
    for symbol in [low, high, 0, 0, 0] {
        bits.put(0b101, 3);
        bits.put(symbol.into(), 8);
    }
    for _ in 0..5 * kinds {
        bits.put(0, 1);
        bits.put(10, 4);
        for length in [0, 0, 0, 3, 3, 3, 3, 3, 0, 3, 4, 4, 4, 4] {
            bits.put(length, 3);
        }
        bits.put(0b0011, 4);
        bits.put(9, 4);
        // The lengths 1 to 10, and 10 again.
        for code in [0b000, 0b100, 0b010, 0b110, 0b001, 0b101] {
            bits.put(code, 3);
        }
        for code in [0b0011, 0b1011, 0b0111, 0b1111, 0b1111] {
            bits.put(code, 4);
        }
    }
    bits.bytes.extend([0; 64]);
    riff(&chunk(b"VP8L", &bits.bytes))
}

/// A bit stream, the lowest bit first.
struct Bits {
    bytes: Vec<u8>,
    /// The number of free bits of the last byte.
    free: u8,
}

impl Bits {
    fn put(&mut self, value: u16, count: u8) {
        for at in 0..count {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let bit = u8::from(value >> at & 1 == 1);
            *self.bytes.last_mut().expect("a byte") |= bit << (8 - self.free);
            self.free -= 1;
        }
    }
}
