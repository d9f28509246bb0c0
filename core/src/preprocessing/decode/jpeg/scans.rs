//! A baseline JPEG whose scans hold some of its channels each: a file is made of every scan.
//!
//! The library decodes scans of one channel or of all, and no other. Such a scan by itself is a whole image, of fewer
//! channels.

use libjpeg_turbo_rs::{DecodeLimits, Decoder, RawImage};

use super::segments::{Segment, segments};
use super::{refusal, unsupported};
use crate::preprocessing::{DecodeError, Diagnosis};

/// Whether a scan holds several channels of a baseline JPEG, and not all.
pub(super) fn are_partial(upload: &[u8]) -> bool {
    let mut channels = None;
    for Segment { marker, content, .. } in segments(upload) {
        match (marker, channels) {
            (0xc0 | 0xc1, None) => channels = content.get(5).copied(),
            (0xda, Some(channels)) => {
                let in_scan = content.first().copied().unwrap_or_default();
                if in_scan == channels {
                    return false;
                }
                if 1 < in_scan {
                    return true;
                }
            }
            // No other process has such scans that the library does not read.
            (0xc2..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf, _) => return false,
            _ => {}
        }
    }
    false
}

/// Decodes each scan by itself to the samples of its channels, in the order of the frame.
pub(super) fn decode(upload: &[u8], limits: &DecodeLimits) -> Result<RawImage, DecodeError> {
    let mut tables = Vec::new();
    let mut frame: &[u8] = &[];
    let mut found: Vec<Option<(Vec<u8>, usize, usize)>> = Vec::new();
    for Segment { marker, content, behind } in segments(upload) {
        match marker {
            0xc0 | 0xc1 if !frame.is_empty() => return Err(unsupported("several frames")),
            0xc0 | 0xc1 => {
                frame = content;
                let channels = content.get(5).copied().unwrap_or_default();
                found = (0..channels).map(|_| None).collect();
            }
            0xc4 | 0xdb | 0xdd => {
                let length = u16::try_from(content.len() + 2).map_err(|_| broken())?;
                tables.extend([&[0xff, marker][..], &length.to_be_bytes(), content].concat());
            }
            0xda => {
                let channels = of_scan(frame, content).ok_or_else(broken)?;
                if channels.iter().any(|at| found[*at].is_some()) {
                    return Err(unsupported("a channel in several scans of a baseline coding"));
                }
                let part =
                    part(&tables, frame, content, coded(behind), &channels).ok_or_else(broken)?;
                let decoder = Decoder::new_with_limits(&part, *limits).map_err(refusal)?;
                let raw = decoder.decode_raw().map_err(refusal)?;
                let sizes = raw.plane_widths.into_iter().zip(raw.plane_heights);
                for ((at, plane), (width, height)) in channels.iter().zip(raw.planes).zip(sizes) {
                    found[*at] = Some((plane, width, height));
                }
            }
            _ => {}
        }
    }
    let side = |at: usize| {
        let bytes = frame.get(at..)?.first_chunk::<2>()?;
        Some(usize::from(u16::from_be_bytes(*bytes)))
    };
    let (height, width) = side(1).zip(side(3)).ok_or_else(broken)?;
    let num_components = found.len();
    let mut planes = (Vec::new(), (Vec::new(), Vec::new()));
    for plane in found {
        let (plane, width, height) = plane.ok_or(DecodeError::CutShort)?;
        planes.0.push(plane);
        planes.1.0.push(width);
        planes.1.1.push(height);
    }
    let (planes, (plane_widths, plane_heights)) = planes;
    Ok(RawImage { planes, plane_widths, plane_heights, width, height, num_components })
}

/// Whether the file comes to its end, however little of its first scan is there.
pub(super) fn are_ended(upload: &[u8]) -> bool {
    let mut segments = segments(upload);
    let first = segments.find(|segment| segment.marker == 0xda);
    first.is_some_and(|scan| !coded(scan.behind).is_empty())
        && segments.any(|segment| segment.marker == 0xd9)
}

/// Whether the markers at which a decoder may start again come in turn: where one is missing, libjpeg guesses how much is,
/// and the library otherwise.
pub(super) fn restart_in_turn(upload: &[u8]) -> bool {
    let mut has_restarts = false;
    for Segment { marker, content, behind } in segments(upload) {
        match marker {
            0xdd => has_restarts = content != [0, 0],
            0xda if has_restarts => {
                let markers = memchr::memchr_iter(0xff, coded(behind));
                let markers = markers.filter_map(|at| behind.get(at + 1));
                let turns = markers.filter(|marker| (0xd0..=0xd7).contains(*marker));
                if !turns.zip((0xd0..=0xd7).cycle()).all(|(found, due)| *found == due) {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

/// The places in the frame of the channels of a scan.
fn of_scan(frame: &[u8], scan: &[u8]) -> Option<Vec<usize>> {
    let channels = frame.get(6..)?.chunks_exact(3).take(usize::from(frame[5]));
    let (count, scan) = scan.split_first()?;
    let names = scan.chunks_exact(2).take(usize::from(*count));
    names.map(|name| channels.clone().position(|channel| channel[0] == name[0])).collect()
}

/// A file of one scan, whose frame has its channels alone, and is as much smaller as they are.
fn part(
    tables: &[u8],
    frame: &[u8],
    scan: &[u8],
    coded: &[u8],
    channels: &[usize],
) -> Option<Vec<u8>> {
    let all: Vec<&[u8]> = frame.get(6..)?.chunks_exact(3).collect();
    let most = |of: &mut dyn Iterator<Item = u8>| of.max().map(usize::from).filter(|it| 0 < *it);
    let side = |at: usize, shift: u32| {
        let pixels = u16::from_be_bytes(*frame.get(at..)?.first_chunk()?);
        let whole = most(&mut all.iter().map(|channel| channel[1] >> shift & 15))?;
        let own = most(&mut channels.iter().map(|at| all[*at][1] >> shift & 15))?;
        u16::try_from((usize::from(pixels) * own).div_ceil(whole)).ok()
    };
    let [height, width] = [side(1, 0)?, side(3, 4)?].map(u16::to_be_bytes);
    let [frame_length, scan_length] = [8 + 3 * channels.len(), scan.len() + 2]
        .map(|length| u16::try_from(length).unwrap_or_default().to_be_bytes());
    let count = [u8::try_from(channels.len()).ok()?];
    let mut part = [&b"\xff\xd8"[..], tables, b"\xff\xc1", &frame_length, &frame[..1]].concat();
    part.extend([&height[..], &width, &count].concat());
    for at in channels {
        let [name, sampling, table] = *all[*at].first_chunk()?;
        // A channel alone has all blocks one after the other, whatever its factors.
        part.extend([name, if channels.len() == 1 { 0x11 } else { sampling }, table]);
    }
    part.extend([&b"\xff\xda"[..], &scan_length, scan, coded, b"\xff\xd9"].concat());
    Some(part)
}

/// What a scan codes, of all that follows its header.
fn coded(behind: &[u8]) -> &[u8] {
    &behind[..end_of_scan(behind)]
}

/// How many bytes stand before the next marker that is no restart.
fn end_of_scan(coded: &[u8]) -> usize {
    let markers = memchr::memchr_iter(0xff, coded);
    let mut ends =
        markers.filter(|at| !matches!(coded.get(at + 1), None | Some(0 | 0xff | 0xd0..=0xd7)));
    ends.next().unwrap_or(coded.len())
}

fn broken() -> DecodeError {
    DecodeError::Corrupt(Diagnosis::new("a scan does not follow its frame"))
}
