//! Images in memory, preprocessed as the server preprocesses them.

use std::fs;
use std::io::Cursor;

use image::ImageReader;
use sha2::{Digest, Sha256};
use siamese_core::preprocessing::{DecodeError, Limits, Pixels, Preprocessing};

use super::error::Unreadable;
use super::{Collection, DataError, Listing, digest};

/// All images of a folder, or of a list; of each what a model reads, or what that is made of.
///
/// Invariant: samples stand in the order of their identities. Of a folder there are at least two
/// identities with at least two images each; of a list, whose identities are its components, there
/// are pairs of both kinds.
#[derive(Clone, Debug)]
pub struct Gallery<P = Pixels> {
    pub(super) identities: Vec<String>,
    pub(super) samples: Vec<Sample<P>>,
    pub(super) listing: Option<Listing>,
    skipped: Vec<String>,
    digest: String,
}

/// One preprocessed image.
#[derive(Clone, Debug)]
pub struct Sample<P = Pixels> {
    /// The place of its identity among the gallery's.
    pub identity: usize,
    /// Its file, as `IDENTITY/IMAGE`, or as a list names it.
    pub name: String,
    /// `sha256:` and the digest of the file.
    pub digest: String,
    /// Columns and rows of pixels as its header says; `None` where it can't be told.
    pub size: Option<[u32; 2]>,
    /// What the model reads of it.
    pub pixels: P,
}

impl Gallery {
    /// Decodes and preprocesses every image of `images`, as [`Gallery::read`] does.
    ///
    /// # Panics
    ///
    /// If the preprocessing is not [valid](Preprocessing::validate).
    pub fn load(
        images: &Collection,
        preprocessing: &Preprocessing,
        skip_unreadable: bool,
    ) -> Result<Self, DataError> {
        let limits = Limits::default();
        Self::read(images, skip_unreadable, |upload| preprocessing.preprocess(upload, &limits))
    }

    /// About `n_images` of it at most: whole identities from the front, but never fewer than two, nor
    /// so few that a list's pairs are of one kind.
    #[must_use]
    pub fn excerpt(&self, n_images: usize) -> Self {
        let fits = |identity: usize| {
            self.samples.iter().filter(|it| it.identity <= identity).count() <= n_images
        };
        let all = self.identities.len();
        let mut n_identities = (0..all).take_while(|it| *it < 2 || fits(*it)).count();
        loop {
            let part = self.part(|it| it < n_identities);
            if n_identities == all || part.has_both_kinds() {
                return part;
            }
            n_identities = (2 * n_identities).min(all);
        }
    }
}

impl<P> Gallery<P> {
    /// Reads every file of `images` once, and makes of it what `prepare` does.
    ///
    /// Files that can't be read are an error that lists them, or with `skip_unreadable` are
    /// [listed](Self::skipped) and left out.
    pub fn read(
        images: &Collection,
        skip_unreadable: bool,
        preprocess: impl Fn(&[u8]) -> Result<P, DecodeError>,
    ) -> Result<Self, DataError> {
        let mut samples = Vec::new();
        let mut places = Vec::new();
        let mut unreadable = Vec::new();
        let mut hasher = Sha256::new();
        let listing = images.listing();
        for (identity, of_one) in images.identities().iter().enumerate() {
            for name in &of_one.images {
                let preprocessed = fs::read(images.root().join(name))
                    .map_err(Unreadable::from)
                    .and_then(|upload| {
                        hasher.update(name.as_bytes());
                        hasher.update([0]);
                        hasher.update(Sha256::digest(&upload));
                        let pixels = preprocess(&upload)?;
                        Ok((digest::of(&upload), size(&upload), pixels))
                    });
                match preprocessed {
                    Ok((digest, size, pixels)) => {
                        places.push(Some(samples.len()));
                        let name = name.clone();
                        samples.push(Sample { identity, name, digest, size, pixels });
                    }
                    Err(cause) => {
                        let line = listing.map(|it| format!("line {}, ", it.line(places.len())));
                        unreadable.push(format!("{name} ({}{cause})", line.unwrap_or_default()));
                        places.push(None);
                    }
                }
            }
        }
        if !unreadable.is_empty() && !skip_unreadable {
            return Err(DataError::Unreadable(unreadable));
        }
        let identities: Vec<_> = images.identities().iter().map(|it| it.name.clone()).collect();
        let listing = listing.map(|it| it.moved(&places));
        match &listing {
            None => check(&identities, &samples)?,
            Some(listing) => {
                check_listing(listing)?;
                for pair in listing.pairs() {
                    let text = format!("{} {} {}", pair.left, pair.right, u8::from(pair.is_same));
                    hasher.update(text.as_bytes());
                    hasher.update([0]);
                }
            }
        }
        let digest = digest::text(hasher);
        Ok(Self { identities, samples, listing, skipped: unreadable, digest })
    }

    /// The same images, and of each what `make` makes of it.
    pub fn map<Q>(self, make: impl Fn(&P) -> Q) -> Gallery<Q> {
        let Self { identities, samples, listing, skipped, digest } = self;
        let samples = samples.into_iter().map(|Sample { identity, name, digest, size, pixels }| {
            Sample { identity, name, digest, size, pixels: make(&pixels) }
        });
        Gallery { samples: samples.collect(), identities, listing, skipped, digest }
    }

    /// The names of its identities.
    pub fn identities(&self) -> &[String] {
        &self.identities
    }

    /// Its images, those of one identity side by side.
    pub fn samples(&self) -> &[Sample<P>] {
        &self.samples
    }

    /// What is compared, where a list says so; places are those among the samples.
    pub fn listing(&self) -> Option<&Listing> {
        self.listing.as_ref()
    }

    /// What to be warned of about a list: lines that count once, and pairs that hang together.
    pub fn warnings(&self) -> Vec<String> {
        let Some(listing) = &self.listing else { return Vec::new() };
        let mut sizes = vec![0; self.identities.len()];
        for sample in &self.samples {
            sizes[sample.identity] += 1;
        }
        sizes.retain(|it| 0 < *it);
        listing.warnings(&sizes)
    }

    /// The files that were left out as unreadable, each with the reason.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// `sha256:` and the digest over each file's name and contents' digest, in natural order: the
    /// same images under the same names have the same digest, wherever they lie. Of a list it is over what
    /// is compared, too.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl<P: Clone> Gallery<P> {
    /// About `n_images` of all: whole identities spread over them, but never fewer than two, nor so few
    /// that a list's pairs are of one kind.
    #[must_use]
    pub fn spread(&self, n_images: usize) -> Self {
        let step = self.samples.len().div_ceil(n_images.max(1));
        let step = step.min(self.identities.len() / 2).max(1);
        let part = |step: usize| self.part(|it| it % step == 0);
        (1..=step).rev().map(part).find(Self::has_both_kinds).unwrap_or_else(|| self.clone())
    }

    /// The identities that `is_in` picks by their place, with their images and the pairs among these.
    fn part(&self, is_in: impl Fn(usize) -> bool) -> Self {
        let mut places = vec![None; self.identities.len()];
        let mut identities = Vec::new();
        for (at, name) in self.identities.iter().enumerate().filter(|(at, _)| is_in(*at)) {
            places[at] = Some(identities.len());
            identities.push(name.clone());
        }
        let mut samples = Vec::new();
        let mut moved = Vec::with_capacity(self.samples.len());
        for sample in &self.samples {
            moved.push(places[sample.identity].map(|_| samples.len()));
            if let Some(identity) = places[sample.identity] {
                samples.push(Sample { identity, ..sample.clone() });
            }
        }
        let listing = self.listing.as_ref().map(|it| it.moved(&moved));
        let (skipped, digest) = (self.skipped.clone(), self.digest.clone());
        Self { identities, samples, listing, skipped, digest }
    }

    /// Whether there are same pairs and different ones, as there always are among two identities.
    fn has_both_kinds(&self) -> bool {
        self.listing.as_ref().is_none_or(Listing::has_both_kinds)
    }
}

/// What an image's header says.
fn size(upload: &[u8]) -> Option<[u32; 2]> {
    let reader = ImageReader::new(Cursor::new(upload)).with_guessed_format().ok()?;
    let (columns, rows) = reader.into_dimensions().ok()?;
    Some([columns, rows])
}

fn check<P>(identities: &[String], samples: &[Sample<P>]) -> Result<(), DataError> {
    let mut counts = vec![0_usize; identities.len()];
    for sample in samples {
        counts[sample.identity] += 1;
    }
    if let [only] = identities {
        return Err(DataError::OneIdentity(only.clone()));
    }
    let single: Vec<_> = identities
        .iter()
        .zip(&counts)
        .filter(|(_, count)| **count < 2)
        .map(|(name, _)| name.clone())
        .collect();
    if single.is_empty() { Ok(()) } else { Err(DataError::SingleImage(single)) }
}

fn check_listing(listing: &Listing) -> Result<(), DataError> {
    let all = listing.pairs().len();
    for (is_same, missing) in [(true, "same"), (false, "different")] {
        if !listing.pairs().iter().any(|it| it.is_same == is_same) {
            return Err(DataError::OneKind { all, missing });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma};
    use siamese_core::preprocessing::{Colour, Fit};
    use tempfile::TempDir;

    use super::*;

    /// Three identities with two evenly grey images each; the first image is `first`.
    fn load(first: u8) -> Gallery {
        let data = TempDir::new().expect("a folder");
        for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
            fs::create_dir(data.path().join(name)).expect("a folder");
            for number in 0..2 {
                let grey = if (at, number) == (0, 0) { first } else { 7 };
                let image = GrayImage::from_pixel(2, 2, Luma([grey]));
                image.save(data.path().join(format!("{name}/{number}.png"))).expect("an image");
            }
        }
        let preprocessing = Preprocessing {
            height: 2,
            width: 2,
            colour: Colour::Grey,
            fit: Fit::Stretch,
            scale: 1.0,
            mean: vec![0.0],
            std: vec![1.0],
        };
        let folder = Collection::open(data.path()).expect("images");
        Gallery::load(&folder, &preprocessing, false).expect("images")
    }

    #[test]
    fn samples_know_their_identity_their_file_and_their_pixels() {
        let gallery = load(9);
        let first = &gallery.samples()[0];
        assert_eq!((first.identity, first.name.as_str()), (0, "a/0.png"));
        assert_eq!(first.pixels.values(), [9.0; 4]);
        assert_eq!(gallery.samples()[5].identity, 2);
    }

    #[test]
    fn the_digest_is_of_names_and_contents_wherever_they_lie() {
        assert_eq!(load(9).digest(), load(9).digest());
        assert_ne!(load(9).digest(), load(8).digest());
        assert!(load(9).digest().starts_with("sha256:"));
    }

    #[test]
    fn what_is_spread_over_all_holds_whole_identities_and_at_least_two() {
        let data = TempDir::new().expect("a folder");
        for identity in 0..9 {
            let folder = data.path().join(format!("s{identity}"));
            fs::create_dir(&folder).expect("a folder");
            for number in 0..2 {
                fs::write(folder.join(number.to_string()), [identity]).expect("a file");
            }
        }
        let folder = Collection::open(data.path()).expect("images");
        let gallery = Gallery::read(&folder, false, |upload| Ok(upload[0])).expect("images");
        for (n_images, expected) in
            [(18, &[0, 1, 2, 3, 4, 5, 6, 7, 8][..]), (6, &[0, 3, 6]), (1, &[0, 4, 8])]
        {
            let part = gallery.spread(n_images);
            let found: Vec<u8> = part.samples().iter().map(|it| it.pixels).collect();
            assert_eq!(found, expected.iter().flat_map(|it| [*it; 2]).collect::<Vec<_>>());
            assert_eq!(part.identities().len(), expected.len());
            let places: Vec<usize> = part.samples().iter().map(|it| it.identity).collect();
            assert_eq!(places, (0..expected.len()).flat_map(|it| [it; 2]).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_excerpt_holds_whole_identities_and_at_least_two() {
        let gallery = load(9);
        for (n_images, n_identities) in [(0, 2), (4, 2), (5, 2), (6, 3), (100, 3)] {
            let excerpt = gallery.excerpt(n_images);
            assert_eq!(excerpt.identities().len(), n_identities);
            assert_eq!(excerpt.samples().len(), 2 * n_identities);
        }
    }
}
