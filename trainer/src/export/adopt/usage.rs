//! How a network is used, and the alternatives.

use std::fmt::{Display, Formatter};

use siamese_core::model::{Align, Element, Length};
use siamese_core::preprocessing::{Colour, Fit, Preprocessing};
use siamese_core::score::{Embedding, InvalidEmbedding};

/// `ImageNet`'s means and standard deviations of red, green and blue, in the range 0 to 1, from torchvision.
const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
/// `ImageNet`'s means of red, green and blue, in the range 0 to 255, from Caffe.
const CAFFE: [f32; 3] = [123.68, 116.779, 103.939];

/// The preprocessing of a network's images, and the scaling of its output.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// The preprocessing.
    pub preprocessing: Preprocessing,
    /// The alignment of faces before it; `None` if whole images are used.
    pub align: Option<Align>,
    /// The scaling of the output.
    pub length: Length,
}

impl Usage {
    /// The ways to fit an image that can be tried. An aligned face has the size of the input.
    pub(super) fn fits(&self) -> &[Fit] {
        if self.align.is_some() { &FITS[..1] } else { &FITS }
    }

    /// Returns the embedding for an output of the network.
    pub(super) fn embedding(&self, output: Embedding) -> Result<Embedding, InvalidEmbedding> {
        match self.length {
            Length::AsIs => Ok(output),
            Length::Unit => output.into_unit(),
        }
    }
}

/// The ways to fit an image.
const FITS: [Fit; 3] = [Fit::Stretch, Fit::Pad, Fit::Crop];

/// Returns the alternatives of one aspect of a usage; the usage itself is among them.
pub(super) type Alternatives = fn(&Usage) -> Vec<Usage>;

/// The aspects of a usage, the most important first. The range comes first.
const ASPECTS: [Alternatives; 4] = [ranges, colours, fits, lengths];

/// Returns the aspects that can be tried with a network, the most important first. Bytes have only one range.
pub(super) fn aspects(element: Option<Element>) -> &'static [Alternatives] {
    if element == Some(Element::U8) { &ASPECTS[1..] } else { &ASPECTS }
}

fn ranges(usage: &Usage) -> Vec<Usage> {
    let Preprocessing { colour, ref mean, ref std, scale, .. } = usage.preprocessing;
    let in_order = |of: [f32; 3]| match colour {
        Colour::Grey => vec![of.iter().sum::<f32>() / 3.0],
        Colour::Rgb => of.to_vec(),
        Colour::Bgr => of.iter().rev().copied().collect(),
    };
    let [imagenet_mean, imagenet_std] = IMAGENET.map(in_order);
    let mut candidates = vec![
        (scale, mean.clone(), std.clone()),
        (1.0 / 255.0, vec![0.0], vec![1.0]),
        (1.0 / 255.0, vec![0.5], vec![0.5]),
        (1.0 / 255.0, imagenet_mean, imagenet_std),
        (1.0, vec![0.0], vec![1.0]),
        (1.0, in_order(CAFFE), vec![1.0]),
    ];
    let mut seen = Vec::new();
    candidates.retain(|candidate| {
        let is_new = !seen.contains(candidate);
        seen.push(candidate.clone());
        is_new
    });
    let with = |(scale, mean, std)| Usage {
        preprocessing: Preprocessing { scale, mean, std, ..usage.preprocessing.clone() },
        ..usage.clone()
    };
    candidates.into_iter().map(with).collect()
}

/// Returns the usage, and the usage with reversed channels; each channel keeps its mean and standard deviation.
fn colours(usage: &Usage) -> Vec<Usage> {
    let mut reversed = usage.clone();
    let preprocessing = &mut reversed.preprocessing;
    preprocessing.colour = match preprocessing.colour {
        Colour::Grey => return vec![reversed],
        Colour::Rgb => Colour::Bgr,
        Colour::Bgr => Colour::Rgb,
    };
    preprocessing.mean.reverse();
    preprocessing.std.reverse();
    vec![usage.clone(), reversed]
}

fn fits(usage: &Usage) -> Vec<Usage> {
    let with = |fit: &Fit| Usage {
        preprocessing: Preprocessing { fit: *fit, ..usage.preprocessing.clone() },
        ..usage.clone()
    };
    usage.fits().iter().map(with).collect()
}

fn lengths(usage: &Usage) -> Vec<Usage> {
    [Length::Unit, Length::AsIs].map(|length| Usage { length, ..usage.clone() }).to_vec()
}

impl Display for Usage {
    /// Writes the options that select it.
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Preprocessing { colour, fit, scale, ref mean, ref std, .. } = self.preprocessing;
        let numbers =
            |numbers: &[f32]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        write!(f, "--colour {colour}")?;
        if (scale - 1.0 / 255.0).abs() > 1e-9 {
            write!(f, " --scale {scale}")?;
        }
        let (mean, std) = (numbers(mean), numbers(std));
        write!(f, " --mean {mean} --std {std} --fit {fit} --embedding {}", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(colour: Colour) -> Usage {
        let preprocessing = Preprocessing {
            height: 8,
            width: 8,
            colour,
            fit: Fit::Pad,
            scale: 1.0 / 255.0,
            mean: vec![0.5],
            std: vec![0.5],
        };
        Usage { preprocessing, align: None, length: Length::Unit }
    }

    #[test]
    fn the_requested_usage_is_among_the_alternatives_once() {
        for usage in [usage(Colour::Grey), usage(Colour::Rgb), usage(Colour::Bgr)] {
            for alternatives in ASPECTS {
                let found =
                    alternatives(&usage).into_iter().filter(|other| *other == usage).count();
                assert_eq!(found, 1, "{usage}");
            }
            assert_eq!(ranges(&usage).len(), 5);
            for other in ASPECTS.iter().flat_map(|alternatives| alternatives(&usage)) {
                assert_eq!(other.preprocessing.validate(), Ok(()), "{other}");
            }
        }
        assert_eq!(colours(&usage(Colour::Grey)).len(), 1);
    }

    #[test]
    fn bytes_are_tried_in_their_own_range_only() {
        let usage = usage(Colour::Rgb);
        let alternatives = aspects(Some(Element::U8)).iter().flat_map(|aspect| aspect(&usage));
        for other in alternatives {
            let Preprocessing { scale, mean, std, .. } = other.preprocessing;
            let own = &usage.preprocessing;
            assert_eq!((scale, &mean, &std), (own.scale, &own.mean, &own.std));
        }
    }

    #[test]
    fn reversed_channels_keep_their_means() {
        let mut rgb = usage(Colour::Rgb);
        rgb.preprocessing.mean = vec![0.1, 0.2, 0.3];
        let bgr = &colours(&rgb)[1];
        assert_eq!(bgr.preprocessing.mean, [0.3, 0.2, 0.1]);
        let text = "--colour bgr --mean 0.3,0.2,0.1 --std 0.5 --fit pad --embedding unit";
        assert_eq!(bgr.to_string(), text);
    }
}
