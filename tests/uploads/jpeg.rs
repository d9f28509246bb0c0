//! Handmade JPEG files with any frames, scans and segments.

/// A scan: the first coefficient, the precision (high, then low), the coded bits.
type Scan = (u8, u8, Vec<u8>);

/// The number of blocks of a channel with this side.
pub(crate) fn blocks(side: u16) -> usize {
    usize::from(side.div_ceil(8)).pow(2)
}

pub(crate) fn zero_bits(bits: usize) -> Vec<u8> {
    vec![0; bits.div_ceil(8)]
}

/// A progressive JPEG with one real scan and other scans without data: of the first coefficient, or of all others in
/// runs of 16384 blocks.
pub(crate) fn many_scans(side: u16, channels: u8, scans: usize, first: u8) -> Vec<u8> {
    let blocks = blocks(side);
    let mut all: Vec<Scan> = vec![(0, 0, zero_bits(blocks))];
    let (precision, bits) =
        if first == 0 { (0x10, blocks) } else { (0, 15 * blocks.div_ceil(16_384)) };
    all.extend((1..scans).map(|_| (first, precision, zero_bits(bits))));
    progressive(side, channels, &all)
}

/// The first scan is written for each channel. Each later scan is written for one channel, in turn.
fn progressive(side: u16, channels: u8, scans: &[Scan]) -> Vec<u8> {
    let mut jpeg = jpeg_of(0xc2, [side, side], channels, &[], &[]);
    // Removes the default scan.
    jpeg.truncate(jpeg.len() - 2 - scan_header(channels).len());
    for (at, (first, precision, bits)) in scans.iter().enumerate() {
        for channel in 0..channels {
            if at == 0 || usize::from(channel) == at % usize::from(channels) {
                let last = if *first == 0 { 0 } else { 63 };
                jpeg.extend([0xff, 0xda, 0, 8, 1, channel + 1, 0, *first, last, *precision]);
                jpeg.extend(bits);
            }
        }
    }
    jpeg.extend(b"\xff\xd9");
    jpeg
}

/// A JPEG of zeros whose second channel is finer than its first.
pub(crate) fn uneven(side: u16, channels: u8) -> Vec<u8> {
    let coded = zero_bits(2 * (4 + usize::from(channels) - 1) * blocks(side.div_ceil(2)));
    let mut jpeg = jpeg_of(0xc0, [side, side], channels, &[], &coded);
    let frame = jpeg.windows(2).position(|it| it == b"\xff\xc0").expect("a frame");
    jpeg[frame + 10 + 3 + 1] = 0x22;
    jpeg
}

/// A JPEG of zeros whose first channel has a scan of its own, and the two others one together.
pub(crate) fn in_pairs(side: u16) -> Vec<u8> {
    let mut jpeg = jpeg_of(0xc0, [side, side], 3, &[], &[]);
    jpeg.truncate(jpeg.len() - 2 - scan_header(3).len());
    for (channels, scan) in [(1, &[1, 0][..]), (2, &[2, 0, 3, 0])] {
        jpeg.extend([0xff, 0xda, 0, 6 + 2 * channels, channels]);
        jpeg.extend(scan);
        jpeg.extend([0, 63, 0]);
        jpeg.extend(zero_bits(2 * usize::from(channels) * blocks(side)));
    }
    jpeg.extend(b"\xff\xd9");
    jpeg
}

fn scan_header(channels: u8) -> Vec<u8> {
    let mut scan = vec![0xff, 0xda, 0, 6 + 2 * channels, channels];
    (1..=channels).for_each(|channel| scan.extend([channel, 0]));
    scan.extend([0, 63, 0]);
    scan
}

/// A JPEG whose tables have one code each, the bit 0: no difference, and the end of 16384 blocks or of one.
pub(crate) fn jpeg_of(
    process: u8,
    [width, height]: [u16; 2],
    channels: u8,
    before: &[u8],
    coded: &[u8],
) -> Vec<u8> {
    let mut jpeg = [&b"\xff\xd8\xff\xdb\0\x43\0"[..], &[1; 64], before].concat();
    let ending = if process == 0xc2 { 0xe0 } else { 0 };
    for (table, symbol) in [(0, 0), (0x10, ending)] {
        jpeg.extend([0xff, 0xc4, 0, 20, table, 1]);
        jpeg.extend([0; 15]);
        jpeg.push(symbol);
    }
    jpeg.extend([0xff, process, 0, 8 + 3 * channels, 8]);
    jpeg.extend(height.to_be_bytes());
    jpeg.extend(width.to_be_bytes());
    jpeg.push(channels);
    (1..=channels).for_each(|channel| jpeg.extend([channel, 0x11, 0]));
    jpeg.extend(scan_header(channels));
    jpeg.extend(coded);
    jpeg.extend(b"\xff\xd9");
    jpeg
}
