//! Images in memory, preprocessed by the same code as in the server.

use std::io::Cursor;

use image::ImageReader;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use siamese_core::preprocessing::{Limits, Pixels, Preprocessing};

use super::{Collection, DataError, Image, Listing, Unreadable, Variant, digest};

/// All images of a folder or a list; `P` is the input tensor of a model, or data that it is made from.
///
/// Invariant: samples are in the order of their identities. A folder has at least two identities with at least two
/// images each. A list has same pairs and different pairs; its components are the identities.
#[derive(Clone, Debug)]
pub struct Gallery<P = Pixels> {
    pub(super) identities: Vec<String>,
    pub(super) samples: Vec<Sample<P>>,
    pub(super) listing: Option<Listing>,
    skipped: Vec<String>,
    digest: String,
    is_part: bool,
}

/// One preprocessed image.
#[derive(Clone, Debug)]
pub struct Sample<P = Pixels> {
    /// The index of its identity in the gallery.
    pub identity: usize,
    /// The file, as `IDENTITY/IMAGE`, or as the list names it.
    pub name: String,
    /// `sha256:` and the hex digest of the file.
    pub digest: String,
    /// The variant that was made of the file; `None` for the file itself.
    pub variant: Option<Variant>,
    /// The width and height in pixels according to the header; `None` if unknown.
    pub size: Option<[u32; 2]>,
    /// The preprocessed pixels.
    pub pixels: P,
}

impl Gallery {
    /// Decodes and preprocesses all images; see [`Gallery::read`].
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

    /// Returns the first identities with about `n_images` images in total: whole identities, at least two of them, and
    /// for a list enough for pairs of both kinds.
    #[must_use]
    pub fn excerpt(&self, n_images: usize) -> Self {
        let fits = |identity: usize| {
            self.samples.iter().filter(|sample| sample.identity <= identity).count() <= n_images
        };
        let all = self.identities.len();
        let mut n_identities =
            (0..all).take_while(|identity| *identity < 2 || fits(*identity)).count();
        loop {
            let part = self.part(|identity| identity < n_identities);
            if n_identities == all || part.has_both_kinds() {
                return part;
            }
            n_identities = (2 * n_identities).min(all);
        }
    }
}

impl<P> Gallery<P> {
    /// Reads every file once, and converts it with `preprocess`, on all cores.
    ///
    /// # Errors
    ///
    /// If files cannot be read; the error lists them. With `skip_unreadable` they are [skipped](Self::skipped) instead.
    pub fn read<E: Into<Unreadable>>(
        images: &Collection,
        skip_unreadable: bool,
        preprocess: impl Fn(&[u8]) -> Result<P, E> + Sync,
    ) -> Result<Self, DataError>
    where
        P: Send,
    {
        let listing = images.listing();
        let files: Vec<_> = images
            .identities()
            .iter()
            .enumerate()
            .flat_map(|(identity, entry)| entry.images.iter().map(move |image| (identity, image)))
            .collect();
        let read = |(identity, image): &(usize, &Image)| {
            let upload = image.upload(images.root())?;
            let pixels = preprocess(&upload).map_err(Into::into)?;
            let hash = Sha256::digest(&upload);
            let (name, digest) = (image.name.clone(), digest::text(hash));
            let (variant, size) = (image.variant, size(&upload));
            Ok((hash, Sample { identity: *identity, name, digest, variant, size, pixels }))
        };
        let read: Vec<Result<_, Unreadable>> = files.par_iter().map(read).collect();

        let mut samples = Vec::with_capacity(files.len());
        let mut new_indices = Vec::with_capacity(files.len());
        let mut unreadable = Vec::new();
        let mut hasher = Sha256::new();
        // Variants follow their file.
        let mut is_file_readable = true;
        for ((_, Image { name, line, variant, .. }), result) in files.iter().zip(read) {
            if variant.is_none() {
                is_file_readable = result.is_ok();
            }
            match result {
                Ok((hash, sample)) => {
                    hasher.update(name.as_bytes());
                    hasher.update([0]);
                    hasher.update(hash);
                    new_indices.push(Some(samples.len()));
                    samples.push(sample);
                }
                // The file was reported already.
                Err(_) if variant.is_some() && !is_file_readable => new_indices.push(None),
                Err(cause) => {
                    let line = line.map(|line| format!("line {line}, "));
                    unreadable.push(format!("{name} ({}{cause})", line.unwrap_or_default()));
                    new_indices.push(None);
                }
            }
        }
        if !unreadable.is_empty() && !skip_unreadable {
            return Err(DataError::Unreadable(unreadable));
        }
        let mut identities: Vec<_> =
            images.identities().iter().map(|identity| identity.name.clone()).collect();
        if images.is_of_each_image() {
            (identities, samples) = without_unreadable(identities, samples);
        }
        let listing = listing.map(|listing| listing.reindexed(&new_indices));
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
        let digest = digest::text(hasher.finalize());
        let (skipped, is_part) = (unreadable, images.is_part());
        Ok(Self { identities, samples, listing, skipped, digest, is_part })
    }

    /// Returns the same images with their pixels converted by `convert`.
    pub fn map<Q>(self, convert: impl Fn(&P) -> Q) -> Gallery<Q> {
        let Self { identities, samples, listing, skipped, digest, is_part } = self;
        let samples = samples.into_iter().map(|sample| {
            let Sample { identity, name, digest, variant, size, pixels } = sample;
            Sample { identity, name, digest, variant, size, pixels: convert(&pixels) }
        });
        Gallery { samples: samples.collect(), identities, listing, skipped, digest, is_part }
    }

    /// Returns the names of the identities.
    pub fn identities(&self) -> &[String] {
        &self.identities
    }

    /// Returns the images, grouped by identity.
    pub fn samples(&self) -> &[Sample<P>] {
        &self.samples
    }

    /// Returns the pairs and triplets of a list; they index the samples.
    pub fn listing(&self) -> Option<&Listing> {
        self.listing.as_ref()
    }

    /// Returns warnings about a list: repeated lines, and pairs that are not independent.
    pub fn warnings(&self) -> Vec<String> {
        let Some(listing) = &self.listing else { return Vec::new() };
        let mut sizes = vec![0; self.identities.len()];
        for sample in &self.samples {
            sizes[sample.identity] += 1;
        }
        sizes.retain(|size| 0 < *size);
        listing.warnings(&sizes)
    }

    /// Returns whether options, the list or the folders selected the identities among others.
    pub fn is_part(&self) -> bool {
        self.is_part
    }

    /// Returns the unreadable files that were skipped, each with the reason.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// Returns `sha256:` and the hex digest over the names and contents of all files, in natural order.
    ///
    /// It does not depend on the location of the folder. For a list it includes the pairs.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl<P: Clone> Gallery<P> {
    /// Returns evenly spread identities with about `n_images` images in total: whole identities, at least two of them,
    /// and for a list enough for pairs of both kinds.
    #[must_use]
    pub fn spread(&self, n_images: usize) -> Self {
        let step = self.samples.len().div_ceil(n_images.max(1));
        let step = step.min(self.identities.len() / 2).max(1);
        let part = |step: usize| self.part(|identity| identity % step == 0);
        (1..=step).rev().map(part).find(Self::has_both_kinds).unwrap_or_else(|| self.clone())
    }

    /// Returns the identities for which `is_in` is true, with their images and the pairs of these. The argument is the
    /// index of the identity.
    #[must_use]
    pub fn part(&self, is_in: impl Fn(usize) -> bool) -> Self {
        let mut new_identities = vec![None; self.identities.len()];
        let mut identities = Vec::new();
        for (index, name) in self.identities.iter().enumerate().filter(|(index, _)| is_in(*index)) {
            new_identities[index] = Some(identities.len());
            identities.push(name.clone());
        }
        let mut samples = Vec::new();
        let mut new_indices = Vec::with_capacity(self.samples.len());
        for sample in &self.samples {
            new_indices.push(new_identities[sample.identity].map(|_| samples.len()));
            if let Some(identity) = new_identities[sample.identity] {
                samples.push(Sample { identity, ..sample.clone() });
            }
        }
        let listing = self.listing.as_ref().map(|listing| listing.reindexed(&new_indices));
        let (skipped, digest, is_part) = (self.skipped.clone(), self.digest.clone(), self.is_part);
        Self { identities, samples, listing, skipped, digest, is_part }
    }

    /// Returns whether there are same pairs and different pairs; two identities always have both.
    fn has_both_kinds(&self) -> bool {
        self.listing.as_ref().is_none_or(Listing::has_both_kinds)
    }
}

/// Removes the identities whose image cannot be read.
fn without_unreadable<P>(
    identities: Vec<String>,
    samples: Vec<Sample<P>>,
) -> (Vec<String>, Vec<Sample<P>>) {
    let mut is_read = vec![false; identities.len()];
    for sample in samples.iter().filter(|sample| sample.variant.is_none()) {
        is_read[sample.identity] = true;
    }
    let mut new_indices = Vec::with_capacity(identities.len());
    let mut kept = Vec::new();
    for (name, is_read) in identities.into_iter().zip(is_read) {
        new_indices.push(is_read.then_some(kept.len()));
        if is_read {
            kept.push(name);
        }
    }
    let samples = samples
        .into_iter()
        .filter_map(|sample| Some(Sample { identity: new_indices[sample.identity]?, ..sample }));
    (kept, samples.collect())
}

/// Returns the width and height in an image's header.
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
        if !listing.pairs().iter().any(|pair| pair.is_same == is_same) {
            return Err(DataError::OneKind { all, missing });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{GrayImage, Luma};
    use siamese_core::preprocessing::{Colour, DecodeError, Fit};
    use tempfile::TempDir;

    use super::*;

    /// Loads three identities with two uniform grey images each; the first image has the value `first`.
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
    fn samples_have_identity_file_and_pixels() {
        let gallery = load(9);
        let first = &gallery.samples()[0];
        assert_eq!((first.identity, first.name.as_str()), (0, "a/0.png"));
        assert_eq!(first.pixels.values(), [9.0; 4]);
        assert_eq!(gallery.samples()[5].identity, 2);
    }

    #[test]
    fn the_digest_depends_on_names_and_contents_but_not_on_the_location() {
        assert_eq!(load(9).digest(), load(9).digest());
        assert_ne!(load(9).digest(), load(8).digest());
        assert!(load(9).digest().starts_with("sha256:"));
    }

    #[test]
    fn a_spread_sample_has_whole_identities_and_at_least_two() {
        let data = TempDir::new().expect("a folder");
        for identity in 0..9 {
            let folder = data.path().join(format!("s{identity}"));
            fs::create_dir(&folder).expect("a folder");
            for number in 0..2 {
                fs::write(folder.join(number.to_string()), [identity]).expect("a file");
            }
        }
        let folder = Collection::open(data.path()).expect("images");
        let gallery = Gallery::read(&folder, false, |upload| Ok::<_, DecodeError>(upload[0]))
            .expect("images");
        for (n_images, expected) in
            [(18, &[0, 1, 2, 3, 4, 5, 6, 7, 8][..]), (6, &[0, 3, 6]), (1, &[0, 4, 8])]
        {
            let part = gallery.spread(n_images);
            let found: Vec<u8> = part.samples().iter().map(|sample| sample.pixels).collect();
            assert_eq!(
                found,
                expected.iter().flat_map(|identity| [*identity; 2]).collect::<Vec<_>>()
            );
            assert_eq!(part.identities().len(), expected.len());
            let places: Vec<usize> = part.samples().iter().map(|sample| sample.identity).collect();
            assert_eq!(
                places,
                (0..expected.len()).flat_map(|identity| [identity; 2]).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn an_excerpt_has_whole_identities_and_at_least_two() {
        let gallery = load(9);
        for (n_images, n_identities) in [(0, 2), (4, 2), (5, 2), (6, 3), (100, 3)] {
            let excerpt = gallery.excerpt(n_images);
            assert_eq!(excerpt.identities().len(), n_identities);
            assert_eq!(excerpt.samples().len(), 2 * n_identities);
        }
    }
}
