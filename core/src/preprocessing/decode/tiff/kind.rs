//! What the bytes of a TIFF mean, or why they are not decoded.

use super::directory::{Directory, Numbers, Order};
use super::{corrupt, unsupported};
use crate::preprocessing::DecodeError;

/// The most samples a pixel, as in Pillow: three colours and three more.
const MOST_SAMPLES: u64 = 6;

/// What a file's tags say of all its bytes.
#[expect(clippy::struct_excessive_bools, reason = "each is a tag of its own")]
pub(super) struct Kind<'a> {
    pub(super) compression: Compression<'a>,
    pub(super) colours: Colours,
    /// Whether the colours were multiplied by the sample behind them.
    pub(super) is_associated: bool,
    /// Samples a pixel, those that are dropped too.
    pub(super) samples: usize,
    /// Bits a sample: 1, 2, 4, 8 or 16.
    pub(super) bits: u8,
    pub(super) order: Order,
    /// Whether each channel has parts of its own.
    pub(super) is_planar: bool,
    /// Whether a byte's first bit is its least.
    pub(super) is_reversed: bool,
    /// Whether each sample is told by how far it is from the one before.
    pub(super) is_predicted: bool,
}

/// How the bytes of a part are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression<'a> {
    None,
    /// A fax's, in one dimension with an end of each row, or in two.
    Group3,
    Group4,
    Lzw,
    Deflate,
    PackBits,
    /// With the tables that all parts share.
    Jpeg(&'a [u8]),
}

/// What the samples mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    WhiteIsZero,
    BlackIsZero,
    Rgb,
    /// Brightness and two differences: in a JPEG only, which becomes RGB.
    YCbCr,
    Cmyk,
    Palette(Box<[[u8; 3]]>),
}

/// Width and height.
pub(in crate::preprocessing::decode) fn sides(directory: &Directory) -> Option<[u64; 2]> {
    Some([directory.number(256)?, directory.number(257)?])
}

impl<'a> Kind<'a> {
    pub(super) fn of(directory: &Directory<'a>) -> Result<Self, DecodeError> {
        let number = |tag, or| directory.number(tag).unwrap_or(or);
        let compression = Compression::of(directory)?;
        let is_jpeg = matches!(compression, Compression::Jpeg(_));
        let photometric = number(262, 0);
        let usual = if is_jpeg && matches!(photometric, 2 | 6) { 3 } else { 1 };
        let samples = number(277, usual);
        let bits = bits(directory)?;
        let colours = Colours::of(photometric, directory, bits)?;
        if MOST_SAMPLES < samples {
            return Err(unsupported("more than 6 samples a pixel"));
        }
        let samples = usize::try_from(samples).unwrap_or_default();
        let extra = samples.checked_sub(colours.channels());
        let extra = extra.ok_or_else(|| corrupt("a pixel has too few samples"))?;
        let is_associated = 0 < extra && number(338, 0) == 1;
        check_format(directory)?;

        let is_planar = number(284, 1) == 2 && 1 < samples;
        let is_compressed = matches!(compression, Compression::Lzw | Compression::Deflate);
        let predictor = if is_compressed { number(317, 1) } else { 1 };
        let fault = match (&colours, &compression) {
            _ if bits < 8 && (1 < colours.channels() || (1 < samples && !is_planar)) => {
                Some("several samples a pixel of fewer than 8 bits")
            }
            (Colours::Palette(_), _) if 8 < bits => Some("a palette of more than 256 colours"),
            (Colours::YCbCr, Compression::Jpeg(_)) if samples == 3 && !is_planar => None,
            (Colours::YCbCr, _) => Some("YCbCr outside of JPEG"),
            (_, Compression::Jpeg(_)) if bits != 8 => Some("JPEG of other than 8 bits"),
            (_, Compression::Jpeg(_)) if 0 < extra && !is_planar => Some("JPEG with alpha"),
            (_, Compression::Group3 | Compression::Group4) if bits != 1 || samples != 1 => {
                Some("a fax's coding of more than one bit a pixel")
            }
            (Colours::WhiteIsZero | Colours::Cmyk | Colours::Palette(_), _) if is_associated => {
                Some("associated alpha of other than brightness or RGB")
            }
            _ if predictor == 2 && bits < 8 => Some("a predictor of fewer than 8 bits"),
            _ if !(1..=2).contains(&predictor) => Some("a predictor of floating-point numbers"),
            _ => None,
        };
        if let Some(fault) = fault {
            return Err(unsupported(fault));
        }
        Ok(Self {
            compression,
            colours,
            is_associated,
            samples,
            bits,
            order: directory.order(),
            is_planar,
            is_reversed: number(266, 1) == 2,
            is_predicted: predictor == 2,
        })
    }

    /// How many samples of a pixel are kept: all but those that the colours do not need.
    pub(super) fn channels(&self) -> usize {
        self.colours.channels() + usize::from(self.is_associated)
    }

    /// How many samples a pixel has in a row of a part.
    pub(super) fn samples_in_row(&self) -> usize {
        if self.is_planar { 1 } else { self.samples }
    }
}

impl<'a> Compression<'a> {
    fn of(directory: &Directory<'a>) -> Result<Self, DecodeError> {
        let name = match directory.number(259).unwrap_or(1) {
            1 => return Ok(Self::None),
            2 => "CCITT RLE",
            3 if matches!(directory.number(292), None | Some(0 | 4)) => return Ok(Self::Group3),
            3 => "CCITT G3 in two dimensions",
            4 => return Ok(Self::Group4),
            5 => return Ok(Self::Lzw),
            6 => "the older coding as JPEG",
            7 => return Ok(Self::Jpeg(directory.bytes(347).unwrap_or_default())),
            8 | 32_946 => return Ok(Self::Deflate),
            9 | 10 | 34_661 => "JBIG",
            32_766 => "NeXT RLE",
            32_771 => "CCITT RLE by words",
            32_773 => return Ok(Self::PackBits),
            32_809 => "ThunderScan",
            33_003 | 33_005 | 34_712 => "JPEG 2000",
            34_676 | 34_677 => "SGI LogLuv",
            34_887 => "LERC",
            34_892 => "lossy JPEG of raw samples",
            34_925 => "LZMA",
            50_000 => "Zstandard",
            50_001 => "WebP",
            50_002 | 52_546 => "JPEG XL",
            other => return Err(unsupported(format_args!("compression {other}"))),
        };
        Err(unsupported(name))
    }
}

impl Colours {
    fn of(photometric: u64, directory: &Directory, bits: u8) -> Result<Self, DecodeError> {
        let name = match photometric {
            0 => return Ok(Self::WhiteIsZero),
            1 => return Ok(Self::BlackIsZero),
            2 => return Ok(Self::Rgb),
            3 => return palette(directory, bits).map(Self::Palette),
            4 => "a mask of transparency",
            5 if directory.number(332).unwrap_or(1) == 1 => return Ok(Self::Cmyk),
            5 => "inks other than CMYK",
            6 => return Ok(Self::YCbCr),
            8..=10 => "CIE L*a*b*",
            32_803 | 34_892 => "samples of a camera's sensor",
            32_844 | 32_845 => "CIE LogLuv",
            other => return Err(unsupported(format_args!("photometric interpretation {other}"))),
        };
        Err(unsupported(name))
    }

    /// Whether samples are the colours, or turned into them where they stand.
    pub(super) fn are_samples(&self) -> bool {
        !matches!(self, Self::Cmyk | Self::Palette(_))
    }

    /// Samples that make a colour.
    pub(super) fn channels(&self) -> usize {
        match self {
            Self::WhiteIsZero | Self::BlackIsZero | Self::Palette(_) => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Cmyk => 4,
        }
    }
}

/// Bits a sample, which must be the same for all.
fn bits(directory: &Directory) -> Result<u8, DecodeError> {
    let Some(all) = directory.numbers(258) else { return Ok(1) };
    let first = all.get(0).unwrap_or(1);
    if all.iter().any(|bits| bits != first) {
        return Err(unsupported("samples of unlike numbers of bits"));
    }
    if let Ok(bits @ (1 | 2 | 4 | 8 | 16)) = u8::try_from(first) {
        return Ok(bits);
    }
    check_format(directory)?;
    Err(unsupported(format_args!("samples of {first} bits")))
}

/// Refuses samples that are not whole numbers from 0 on: others have no agreed range, so that any way to 8 bits is a guess.
fn check_format(directory: &Directory) -> Result<(), DecodeError> {
    let formats = directory.numbers(339);
    for format in formats.into_iter().flat_map(Numbers::iter) {
        return Err(unsupported(match format {
            1 | 4 => continue,
            2 => "samples with a sign",
            3 => "floating-point samples",
            _ => "complex samples",
        }));
    }
    Ok(())
}

/// All reds, all greens, all blues, in 16 bits each.
fn palette(directory: &Directory, bits: u8) -> Result<Box<[[u8; 3]]>, DecodeError> {
    let colours = 1 << bits.min(8);
    let map = directory.numbers(320).filter(|map| 3 * colours <= map.len());
    let map = map.ok_or_else(|| corrupt("its palette is missing or too short"))?;
    let value = |at| map.get(at).unwrap_or_default().to_le_bytes()[1];
    Ok((0..colours).map(|at| [at, at + colours, at + 2 * colours].map(value)).collect())
}
