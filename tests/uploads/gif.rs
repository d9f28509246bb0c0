//! Handmade GIF files.

/// A screen and a frame of one pixel each, with extensions before the frame, and coded bytes.
pub(crate) fn gif(before: &[u8], coded: &[u8]) -> Vec<u8> {
    [
        &b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff"[..],
        before,
        b"\x2c\0\0\0\0\x01\0\x01\0\0",
        coded,
        b"\x3b",
    ]
    .concat()
}

/// A screen and a frame of any size and position, with any coded bytes.
pub(crate) fn of(screen: [u16; 2], frame: [u16; 4], flags: u8, coded: &[u8]) -> Vec<u8> {
    let mut file = b"GIF89a".to_vec();
    file.extend(screen.map(u16::to_le_bytes).as_flattened());
    file.extend([0x80, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x2c]);
    file.extend(frame.map(u16::to_le_bytes).as_flattened());
    file.extend([flags, 8]);
    for block in coded.chunks(255) {
        file.push(u8::try_from(block.len()).expect("at most 255"));
        file.extend(block);
    }
    file.extend(b"\0\x3b");
    file
}
