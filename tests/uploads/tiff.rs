//! Handmade TIFF files: one directory, and the data that its tags point to.

/// A tag: its number, the type and count of its values, and the value or its offset.
pub(crate) type Entry = (u16, u16, u32, u32);

/// The number of strips or tiles that share the same bytes, and the bytes.
pub(crate) type Part<'a> = (u32, &'a [u8]);

const SHORT: u16 = 3;
const LONG: u16 = 4;

/// A grey TIFF. `entries` replace its default tags. All of its strips (or tiles, if there are tile tags) share the same
/// bytes of the file.
pub(crate) fn tiff(entries: &[Entry], [width, height]: [u32; 2], (parts, bytes): Part) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a length");
    let is_tiled = entries.iter().any(|entry| entry.0 == 322);
    let (offsets, lengths) = if is_tiled { (324, 325) } else { (273, 279) };
    let first_part = 8;
    // Lists of offsets and lengths follow the shared bytes if there is more than one part.
    let list = (first_part + length).next_multiple_of(4);
    let (offset, count) = if parts == 1 { (first_part, length) } else { (list, list + 4 * parts) };
    let mut all: Vec<Entry> = vec![
        (256, LONG, 1, width),
        (257, LONG, 1, height),
        (258, SHORT, 1, 8),
        (259, SHORT, 1, 1),
        (262, SHORT, 1, 1),
        (offsets, LONG, parts, offset),
        (lengths, LONG, parts, count),
    ];
    for entry in entries {
        all.retain(|other| other.0 != entry.0);
        all.push(*entry);
    }
    all.sort_unstable();
    let mut out = [&b"II*\0\0\0\0\0"[..], bytes].concat();
    out.resize(list as usize, 0);
    if parts != 1 {
        for value in [first_part, length] {
            out.extend(value.to_le_bytes().repeat(parts as usize));
        }
    }
    let directory = u32::try_from(out.len()).expect("a place").to_le_bytes();
    out[4..8].copy_from_slice(&directory);
    out.extend(u16::try_from(all.len()).expect("a few").to_le_bytes());
    for (tag, kind, count, value) in all {
        out.extend(tag.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend(count.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    out.extend([0; 4]);
    out
}
