//! The description in a card. A card may come from anybody, so every number is checked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Familiarity;
use super::centres::{Centres, MOST_NUMBERS};
use super::cloud::Cloud;

/// The most measurements of an image. Those of the statistics are fewer.
const MOST_DIMENSIONS: usize = 64;

/// The most stored values of calibration images.
const MOST_UNUSUAL: usize = 4_096;

/// The description in JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    images: u64,
    identities: u64,
    tolerated: f64,
    width: usize,
    step: f32,
    centres: String,
    mean: String,
    whitening: String,
    unusual: String,
}

/// Why numbers are not a [`Familiarity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidFamiliarity {
    /// A text is not base64.
    #[error("`{0}` is not base64")]
    NotBase64(&'static str),
    /// There are too many or too few numbers.
    #[error("`{0}` has the wrong number of values")]
    Size(&'static str),
    /// A number is not in its range.
    #[error("`{0}` is out of range")]
    Range(&'static str),
}

impl From<Familiarity> for Written {
    fn from(described: Familiarity) -> Self {
        let Familiarity { images, identities, tolerated, centres, cloud, unusual } = described;
        let bytes: Vec<u8> = centres.numbers.iter().map(|number| number.cast_unsigned()).collect();
        Self {
            images,
            identities,
            tolerated,
            width: centres.width,
            step: centres.step,
            centres: BASE64.encode(bytes),
            mean: encoded(&cloud.mean),
            whitening: encoded(&cloud.whitening),
            unusual: encoded(&unusual),
        }
    }
}

impl TryFrom<Written> for Familiarity {
    type Error = InvalidFamiliarity;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        use InvalidFamiliarity::{Range, Size};
        let Written { images, identities, tolerated, width, step, .. } = written;
        if !(0.0..=0.5).contains(&tolerated) {
            return Err(Range("tolerated"));
        }
        if !(0.0 < step && step.is_finite()) {
            return Err(Range("step"));
        }
        if !(1..=MOST_NUMBERS).contains(&width) {
            return Err(Size("width"));
        }
        let centres = decoded("centres", &written.centres, MOST_NUMBERS)?;
        if centres.is_empty() || !centres.len().is_multiple_of(width) {
            return Err(Size("centres"));
        }
        let mean = numbers("mean", &written.mean, MOST_DIMENSIONS)?;
        let dimensions = mean.len();
        if dimensions < 2 {
            return Err(Size("mean"));
        }
        let triangle = dimensions * (dimensions + 1) / 2;
        let whitening = numbers("whitening", &written.whitening, triangle)?;
        if whitening.len() != triangle {
            return Err(Size("whitening"));
        }
        let unusual = numbers("unusual", &written.unusual, MOST_UNUSUAL)?;
        if unusual.is_empty() {
            return Err(Size("unusual"));
        }
        if !unusual.is_sorted() {
            return Err(Range("unusual"));
        }
        let numbers = centres.into_iter().map(u8::cast_signed).collect();
        Ok(Self {
            images,
            identities,
            tolerated,
            centres: Centres { width, step, numbers },
            cloud: Cloud { mean, whitening },
            unusual,
        })
    }
}

fn encoded(numbers: &[f32]) -> String {
    BASE64.encode(numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>())
}

/// Decodes at most `most` bytes.
fn decoded(name: &'static str, text: &str, most: usize) -> Result<Vec<u8>, InvalidFamiliarity> {
    if most.div_ceil(3) * 4 < text.len() {
        return Err(InvalidFamiliarity::Size(name));
    }
    BASE64.decode(text).map_err(|_| InvalidFamiliarity::NotBase64(name))
}

/// Decodes at most `most` finite numbers.
fn numbers(name: &'static str, text: &str, most: usize) -> Result<Vec<f32>, InvalidFamiliarity> {
    let bytes = decoded(name, text, 4 * most)?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || most < numbers.len() {
        return Err(InvalidFamiliarity::Size(name));
    }
    let numbers: Vec<_> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err(InvalidFamiliarity::Range(name));
    }
    Ok(numbers)
}
