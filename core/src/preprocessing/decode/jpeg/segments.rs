//! The segments of a JPEG, as a decoder finds them.

/// A marker, and what belongs to it.
#[derive(Clone, Copy)]
pub(in crate::preprocessing::decode) struct Segment<'a> {
    pub(in crate::preprocessing::decode) marker: u8,
    pub(in crate::preprocessing::decode) content: &'a [u8],
    /// All that follows: behind a scan's header, what it codes.
    pub(in crate::preprocessing::decode) behind: &'a [u8],
}

/// All segments, the marker of the file's end too. What is coded in scans, restarts and strange bytes are passed over.
pub(in crate::preprocessing::decode) fn segments(
    upload: &[u8],
) -> impl Iterator<Item = Segment<'_>> {
    let mut rest = upload.get(2..).unwrap_or_default();
    std::iter::from_fn(move || {
        loop {
            match rest {
                [] => return None,
                // A marker may have any number of bytes before it that fill.
                [0xff, 0xff, ..] => rest = &rest[1..],
                [0xff, 0 | 1 | 0xd0..=0xd8, ..] => rest = &rest[2..],
                [0xff, 0xd9, behind @ ..] => {
                    rest = &[];
                    return Some(Segment { marker: 0xd9, content: &[], behind });
                }
                [0xff, marker, high, low, behind @ ..] => {
                    let length = usize::from(u16::from_be_bytes([*high, *low])).checked_sub(2)?;
                    let (content, behind) = behind.split_at_checked(length)?;
                    rest = behind;
                    return Some(Segment { marker: *marker, content, behind });
                }
                [_, behind @ ..] => rest = &behind[memchr::memchr(0xff, behind)?..],
            }
        }
    })
}
