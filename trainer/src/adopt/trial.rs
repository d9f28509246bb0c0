//! What else the pictures may have been prepared by: tried out on somebody's own pairs.
//!
//! A network that is fed otherwise than in its training still answers, only worse. Each thing that
//! could have been said otherwise is varied by itself, and the next from the best of it: several wrong
//! guesses hide each other, so that one put right may gain little. Only where all of them end is
//! held against chance.

use std::fmt::{Display, Formatter};

use indicatif::{ProgressBar, ProgressStyle};
use siamese_core::model::{Length, OnnxTower, Tower};
use siamese_core::picture::{Colour, Fit, Preparation};
use siamese_core::score::{Embedding, InvalidEmbedding};

use super::AdoptError;
use crate::data::{Collection, Gallery};
use crate::evaluate::{EmbeddedError, compare};
use crate::statistics::{Bootstrap, Comparisons, Difference, Differences, Grid, Measures, Unit};

/// How often identities are resampled to tell a difference from chance: often enough for the
/// share that is left of 5 % when it is divided among all trials.
const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 4000, seed: 0 };
/// What is called chance.
const CHANCE: f64 = 0.05;
/// `ImageNet`'s means and deviations of red, green and blue, in the range 0 to 1, as torchvision has
/// them.
const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
/// `ImageNet`'s means of red, green and blue, in the range 0 to 255, as Caffe's networks have them.
const CAFFE: [f32; 3] = [123.68, 116.779, 103.939];

/// How a network's pictures are prepared, and what is done to its output.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Usage {
    pub(super) preparation: Preparation,
    pub(super) length: Length,
}

/// One usage, and how well it told the pairs apart.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) usage: Usage,
    /// The EER in [0, 1]; `None` where the network gave no embeddings.
    pub(super) eer: Option<f64>,
}

/// What came of trying.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    /// The usage asked for, then the others.
    pub(super) trials: Vec<Trial>,
    /// The usage that is better beyond chance, with the difference of its EER.
    pub(super) better: Option<(Trial, Difference)>,
    /// How many pictures of how many identities they were tried on.
    pub(super) n_pictures: u32,
    pub(super) n_identities: usize,
    pub(super) unit: Unit,
}

/// Tries usages on a part of the pictures.
struct Trier<'a> {
    tower: &'a mut OnnxTower,
    pictures: &'a Collection,
    skip_unreadable: bool,
    trials: Vec<Trial>,
    /// The last preparation's pictures and outputs, these by identity.
    last: Option<(Preparation, Gallery, Vec<Vec<Embedding>>)>,
}

/// Tries what `asked` could have been instead. `tower` gives its output as it is.
///
/// # Errors
///
/// If the pictures can't be read, or the network does not run on what was asked for.
pub(super) fn try_others(
    tower: &mut OnnxTower,
    pictures: &Collection,
    skip_unreadable: bool,
    asked: &Usage,
) -> Result<Verdict, AdoptError> {
    let style = ProgressStyle::with_template("trying other preparations {wide_bar} {pos}/{len}")
        .expect("a template that indicatif knows");
    let n_trials: usize = 1 + THINGS.iter().map(|it| it(asked).len() - 1).sum::<usize>();
    let bar = ProgressBar::new(n_trials.try_into().unwrap_or(u64::MAX)).with_style(style);
    let mut trier = Trier { tower, pictures, skip_unreadable, trials: Vec::new(), last: None };
    let first = trier.comparisons(asked)?;
    let mut best = (asked.clone(), first.clone());
    bar.inc(1);
    for others in THINGS {
        let mut found: Option<(Usage, Comparisons, f64)> = None;
        let standing = eer(&best.1);
        for usage in others(&best.0).into_iter().filter(|it| *it != best.0) {
            bar.inc(1);
            let Ok(comparisons) = trier.comparisons(&usage) else {
                trier.trials.push(Trial { usage, eer: None });
                continue;
            };
            let rate = eer(&comparisons);
            if rate < found.as_ref().map_or(standing, |it| it.2) {
                found = Some((usage, comparisons, rate));
            }
        }
        if let Some((usage, comparisons, _)) = found {
            best = (usage, comparisons);
        }
    }
    bar.finish_and_clear();
    let better = difference(&first, &best.1, n_trials)
        .map(|it| (Trial { usage: best.0, eer: Some(eer(&best.1)) }, it));
    Ok(Verdict {
        trials: trier.trials,
        better,
        n_pictures: first.pictures().iter().sum(),
        n_identities: first.identities(),
        unit: first.unit(),
    })
}

impl Trier<'_> {
    /// All pairs under a usage, and a trial for the list.
    fn comparisons(&mut self, usage: &Usage) -> Result<Comparisons, AdoptError> {
        if self.last.as_ref().is_none_or(|it| it.0 != usage.preparation) {
            let (gallery, outputs) = self.embed(&usage.preparation)?;
            self.last = Some((usage.preparation.clone(), gallery, outputs));
        }
        let (_, gallery, outputs) = self.last.as_ref().expect("it was just made");
        let embeddings = match usage.length {
            Length::AsIs => outputs.clone(),
            Length::Unit => {
                let of_one =
                    |it: &Vec<Embedding>| it.iter().cloned().map(Embedding::into_unit).collect();
                let units: Result<Vec<Vec<_>>, InvalidEmbedding> =
                    outputs.iter().map(of_one).collect();
                units.map_err(|cause| EmbeddedError::NoEmbedding {
                    picture: "a picture".to_owned(),
                    cause,
                })?
            }
        };
        let comparisons = compare(gallery, &embeddings)?;
        self.trials.push(Trial { usage: usage.clone(), eer: Some(eer(&comparisons)) });
        Ok(comparisons)
    }

    fn embed(
        &mut self,
        preparation: &Preparation,
    ) -> Result<(Gallery, Vec<Vec<Embedding>>), AdoptError> {
        let gallery = Gallery::load(self.pictures, preparation, self.skip_unreadable)?;
        let mut outputs = vec![Vec::new(); gallery.identities().len()];
        for chunk in gallery.samples().chunks(32) {
            let pixels: Vec<_> = chunk.iter().map(|it| it.pixels.clone()).collect();
            let embedded = self.tower.embed(&pixels).map_err(EmbeddedError::Run)?;
            for (sample, embedding) in chunk.iter().zip(embedded) {
                let embedding = embedding.map_err(|cause| EmbeddedError::NoEmbedding {
                    picture: sample.name.clone(),
                    cause,
                })?;
                outputs[sample.identity].push(embedding);
            }
        }
        Ok((gallery, outputs))
    }
}

/// Ways to say one thing otherwise; that of the usage given is among them.
type Others = fn(&Usage) -> Vec<Usage>;

/// The things that could have been said otherwise, from what matters most.
const THINGS: [Others; 4] = [ranges, colours, fits, lengths];

fn ranges(usage: &Usage) -> Vec<Usage> {
    let Preparation { colour, ref mean, ref std, scale, .. } = usage.preparation;
    let in_order = |of: [f32; 3]| match colour {
        Colour::Grey => vec![of.iter().sum::<f32>() / 3.0],
        Colour::Rgb => of.to_vec(),
        Colour::Bgr => of.iter().rev().copied().collect(),
    };
    let [imagenet_mean, imagenet_std] = IMAGENET.map(in_order);
    let mut ways = vec![
        (scale, mean.clone(), std.clone()),
        (1.0 / 255.0, vec![0.0], vec![1.0]),
        (1.0 / 255.0, vec![0.5], vec![0.5]),
        (1.0 / 255.0, imagenet_mean, imagenet_std),
        (1.0, vec![0.0], vec![1.0]),
        (1.0, in_order(CAFFE), vec![1.0]),
    ];
    let mut seen = Vec::new();
    ways.retain(|way| {
        let is_new = !seen.contains(way);
        seen.push(way.clone());
        is_new
    });
    let with = |(scale, mean, std)| Usage {
        preparation: Preparation { scale, mean, std, ..usage.preparation.clone() },
        ..usage.clone()
    };
    ways.into_iter().map(with).collect()
}

/// The channels the other way round; each keeps its mean and deviation.
fn colours(usage: &Usage) -> Vec<Usage> {
    let mut turned = usage.clone();
    let preparation = &mut turned.preparation;
    preparation.colour = match preparation.colour {
        Colour::Grey => return vec![turned],
        Colour::Rgb => Colour::Bgr,
        Colour::Bgr => Colour::Rgb,
    };
    preparation.mean.reverse();
    preparation.std.reverse();
    vec![usage.clone(), turned]
}

fn fits(usage: &Usage) -> Vec<Usage> {
    [Fit::Stretch, Fit::Pad, Fit::Crop]
        .map(|fit| Usage {
            preparation: Preparation { fit, ..usage.preparation.clone() },
            ..usage.clone()
        })
        .to_vec()
}

fn lengths(usage: &Usage) -> Vec<Usage> {
    [Length::Unit, Length::AsIs].map(|length| Usage { length, ..usage.clone() }).to_vec()
}

fn eer(comparisons: &Comparisons) -> f64 {
    Measures::of(comparisons, &Grid::new([])).eer
}

/// By how much `second` is better than `first`, where that is unlikely to be chance though it is the
/// best of so many (Bonferroni: what is called chance is divided among them).
fn difference(first: &Comparisons, second: &Comparisons, n_trials: usize) -> Option<Difference> {
    // The fit may have made files unreadable that were not; other pictures can't be compared.
    if first.pictures() != second.pictures() || eer(first) <= eer(second) {
        return None;
    }
    let grid = Grid::new([]);
    let found = Differences::between((first, &grid), (second, &grid), BOOTSTRAP)?.eer;
    let tries = f64::from(u32::try_from(n_trials).unwrap_or(u32::MAX));
    (found.value < 0.0 && found.p_value * tries < CHANCE).then_some(found)
}

impl Display for Usage {
    /// The flags that ask for it.
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Preparation { colour, fit, scale, ref mean, ref std, .. } = self.preparation;
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
        let preparation = Preparation {
            height: 8,
            width: 8,
            colour,
            fit: Fit::Pad,
            scale: 1.0 / 255.0,
            mean: vec![0.5],
            std: vec![0.5],
        };
        Usage { preparation, length: Length::Unit }
    }

    #[test]
    fn what_was_asked_for_is_among_the_others_once() {
        for usage in [usage(Colour::Grey), usage(Colour::Rgb), usage(Colour::Bgr)] {
            for others in THINGS {
                let found = others(&usage).into_iter().filter(|it| *it == usage).count();
                assert_eq!(found, 1, "{usage}");
            }
            assert_eq!(ranges(&usage).len(), 5);
            for other in THINGS.iter().flat_map(|it| it(&usage)) {
                assert_eq!(other.preparation.validate(), Ok(()), "{other}");
            }
        }
        assert_eq!(colours(&usage(Colour::Grey)).len(), 1);
    }

    #[test]
    fn channels_turned_round_keep_their_means() {
        let mut rgb = usage(Colour::Rgb);
        rgb.preparation.mean = vec![0.1, 0.2, 0.3];
        let bgr = &colours(&rgb)[1];
        assert_eq!(bgr.preparation.mean, [0.3, 0.2, 0.1]);
        let text = "--colour bgr --mean 0.3,0.2,0.1 --std 0.5 --fit pad --embedding unit";
        assert_eq!(bgr.to_string(), text);
    }
}
