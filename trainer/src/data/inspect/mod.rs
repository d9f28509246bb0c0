//! Checks of readable images before training.

use std::collections::{BTreeMap, BTreeSet};

mod likeness;

use super::error::listed;
use super::{DataError, Gallery, Listing, Sample};
use likeness::{Likeness, is_almost_blank, is_flat, near_copies};

/// Two identities may be one if they share at least this number of near copies, and most of the smaller one's images.
const ONE_IDENTITY: usize = 2;

/// Returns warnings about the images.
///
/// # Shapes
///
/// - `shape`: that of the pixels: channels, height and width
/// - `input`: height and width of the network's input
///
/// # Errors
///
/// If a file is in both the training set and the hold-out set, byte for byte, and `allow_duplicates` is not set.
pub fn inspect(
    training: &Gallery,
    held_out: Option<&Gallery>,
    shape: [usize; 3],
    [height, width]: [usize; 2],
    allow_duplicates: bool,
) -> Result<Vec<String>, DataError> {
    let images = Images::new(training, held_out);
    let copies = images.copies();
    let are_listed = training.listing().is_some();
    // Tiles of large images can be equal because they show almost nothing.
    let are_tiles = training.listing().is_some_and(|listing| listing.is_of_changes);
    let counts = |sample: &Sample| !(are_tiles && is_almost_blank(&sample.pixels, shape));
    let leaked =
        images.pairs(&copies, |pair| images.is_across(pair) && counts(images.samples[pair[0]]));
    if !leaked.is_empty() && !allow_duplicates {
        return Err(DataError::Leaked(leaked));
    }
    let likeness =
        |sample: &&Sample| counts(sample).then(|| Likeness::of(&sample.pixels, shape)).flatten();
    let likenesses: Vec<_> = images.samples.iter().map(likeness).collect();
    let near = near_copies(&likenesses, |image, other| {
        // In a list, similar images within one side are not an error.
        let matters = if are_listed {
            images.is_across([image, other])
        } else {
            images.owner(image) != images.owner(other)
        };
        matters && images.samples[image].digest != images.samples[other].digest
    });
    let mut warnings = Vec::new();
    let mut warn = |names: &[String], what: &str| {
        if !names.is_empty() {
            warnings.push(format!("{what} ({}): {}", names.len(), listed(names)));
        }
    };
    warn(
        &images.pairs(&near, |pair| images.is_across(pair)),
        "near copies are on both sides of the split, so the held-out images are not unseen",
    );
    if are_listed {
        let [same, different] = equal_files([Some(training), held_out]);
        warn(&different, "equal files are labelled different");
        warn(&same, "pairs of equal files add no information");
    } else {
        for (names, what) in images.of_identities(&copies, &near) {
            warn(&names, what);
        }
    }
    warn(&images.names(|sample| is_flat(&sample.pixels)), "images are one uniform shade");
    let is_tiny = |sample: &Sample| {
        sample.size.is_some_and(|[columns, rows]| {
            2 * (columns as usize) < width || 2 * (rows as usize) < height
        })
    };
    warn(
        &images.names(is_tiny),
        &format!(
            "images are less than half as large per side as the network's input, {height}x{width}"
        ),
    );
    Ok(warnings)
}

/// Returns the listed pairs of equal files: the same pairs, and the different pairs.
fn equal_files(sides: [Option<&Gallery>; 2]) -> [Vec<String>; 2] {
    let mut found = [Vec::new(), Vec::new()];
    for gallery in sides.into_iter().flatten() {
        for pair in gallery.listing().map_or(&[][..], Listing::pairs) {
            let [left, right] = [pair.left, pair.right].map(|image| &gallery.samples()[image]);
            if left.digest == right.digest {
                found[usize::from(!pair.is_same)].push(format!("{} = {}", left.name, right.name));
            }
        }
    }
    found
}

/// The images of both sides of the split.
struct Images<'a> {
    samples: Vec<&'a Sample>,
    n_training: usize,
    identities: [&'a [String]; 2],
}

impl<'a> Images<'a> {
    /// Takes the images without their variants, which are copies on purpose.
    fn new(training: &'a Gallery, held_out: Option<&'a Gallery>) -> Self {
        let files =
            |gallery: &'a Gallery| gallery.samples().iter().filter(|it| it.variant.is_none());
        let held = held_out.into_iter().flat_map(files);
        Self {
            samples: files(training).chain(held).collect(),
            n_training: files(training).count(),
            identities: [training.identities(), held_out.map_or(&[], Gallery::identities)],
        }
    }

    fn side(&self, image: usize) -> usize {
        usize::from(self.n_training <= image)
    }

    /// Returns the side and the identity of an image.
    fn owner(&self, image: usize) -> (usize, usize) {
        (self.side(image), self.samples[image].identity)
    }

    fn is_across(&self, [left, right]: [usize; 2]) -> bool {
        self.side(left) != self.side(right)
    }

    fn pair(&self, [left, right]: [usize; 2]) -> String {
        format!("{} = {}", self.samples[left].name, self.samples[right].name)
    }

    fn pairs(&self, found: &[[usize; 2]], wanted: impl Fn([usize; 2]) -> bool) -> Vec<String> {
        found.iter().filter(|pair| wanted(**pair)).map(|pair| self.pair(*pair)).collect()
    }

    /// Returns the warnings about copies within and between identities.
    fn of_identities(
        &self,
        copies: &[[usize; 2]],
        near: &[[usize; 2]],
    ) -> [(Vec<String>, &'static str); 4] {
        let is_one = |pair: [usize; 2]| self.owner(pair[0]) == self.owner(pair[1]);
        [
            (
                self.pairs(copies, |pair| !self.is_across(pair) && !is_one(pair)),
                "equal files belong to different identities",
            ),
            (
                self.pairs(near, |pair| !self.is_across(pair)),
                "near copies belong to different identities",
            ),
            (
                self.one_identity(copies.iter().chain(near)),
                "identities share most of their images and may be one identity in two folders",
            ),
            (self.pairs(copies, is_one), "equal files within one identity add no information"),
        ]
    }

    fn names(&self, wanted: impl Fn(&Sample) -> bool) -> Vec<String> {
        self.samples
            .iter()
            .filter(|sample| wanted(sample))
            .map(|sample| sample.name.clone())
            .collect()
    }

    /// Returns the equal files, each paired with the first one.
    fn copies(&self) -> Vec<[usize; 2]> {
        let mut first = BTreeMap::new();
        let mut copies = Vec::new();
        for (image, sample) in self.samples.iter().enumerate() {
            match first.get(&sample.digest) {
                Some(first) => copies.push([*first, image]),
                None => {
                    first.insert(&sample.digest, image);
                }
            }
        }
        copies
    }

    /// Returns pairs of identities where most images of the smaller one have a copy in the other.
    fn one_identity<'b>(&self, found: impl Iterator<Item = &'b [usize; 2]>) -> Vec<String> {
        let mut counts = BTreeMap::new();
        for [left, right] in found {
            let [one, other] = [self.owner(*left), self.owner(*right)];
            if one != other {
                let entry = counts.entry([one.min(other), one.max(other)]);
                let seen: &mut [BTreeSet<usize>; 2] = entry.or_default();
                seen[0].insert(*left);
                seen[1].insert(*right);
            }
        }
        let mut sizes = BTreeMap::new();
        for image in 0..self.samples.len() {
            *sizes.entry(self.owner(image)).or_insert(0) += 1;
        }
        let name = |(side, identity): (usize, usize)| &self.identities[side][identity];
        counts
            .into_iter()
            .map(|(pair, [left, right])| (pair, left.len().min(right.len())))
            .filter(|([one, other], count)| {
                ONE_IDENTITY <= *count && sizes[one].min(sizes[other]) < 2 * count
            })
            .map(|([one, other], count)| format!("{} = {} ({count})", name(one), name(other)))
            .collect()
    }
}
