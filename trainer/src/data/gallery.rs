//! Pictures in memory, prepared as the server prepares them.

use std::fs;

use sha2::{Digest, Sha256};
use siamese::picture::{Limits, Pixels, Preparation, decode};

use super::error::Unreadable;
use super::{DataError, Folder, digest};

/// All pictures of a folder.
///
/// Invariant: at least two identities with at least two pictures each; samples stand in the order
/// of their identities.
#[derive(Clone, Debug)]
pub struct Gallery {
    identities: Vec<String>,
    samples: Vec<Sample>,
    skipped: Vec<String>,
    digest: String,
}

/// One prepared picture.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The place of its identity among the gallery's.
    pub identity: usize,
    /// Its file, as `IDENTITY/PICTURE`.
    pub name: String,
    /// What the tower reads of it.
    pub pixels: Pixels,
}

impl Gallery {
    /// Decodes and prepares every picture of `folder`.
    ///
    /// Files that can't be read are an error that lists them, or with `skip_unreadable` are
    /// [listed](Self::skipped) and left out.
    ///
    /// # Panics
    ///
    /// If the preparation is not [valid](Preparation::validate).
    pub fn load(
        folder: &Folder,
        preparation: &Preparation,
        skip_unreadable: bool,
    ) -> Result<Self, DataError> {
        let limits = Limits::default();
        let mut samples = Vec::new();
        let mut unreadable = Vec::new();
        let mut hasher = Sha256::new();
        for (identity, of_folder) in folder.identities().iter().enumerate() {
            for picture in &of_folder.pictures {
                let name = format!("{}/{picture}", of_folder.name);
                let prepared = fs::read(folder.root().join(&name))
                    .map_err(Unreadable::from)
                    .and_then(|upload| {
                        hasher.update(name.as_bytes());
                        hasher.update([0]);
                        hasher.update(Sha256::digest(&upload));
                        Ok(preparation.prepare(&decode(&upload, &limits)?)?)
                    });
                match prepared {
                    Ok(pixels) => samples.push(Sample { identity, name, pixels }),
                    Err(cause) => unreadable.push(format!("{name} ({cause})")),
                }
            }
        }
        if !unreadable.is_empty() && !skip_unreadable {
            return Err(DataError::Unreadable(unreadable));
        }
        let identities: Vec<_> = folder.identities().iter().map(|it| it.name.clone()).collect();
        check(&identities, &samples)?;
        Ok(Self { identities, samples, skipped: unreadable, digest: digest::text(hasher) })
    }

    /// About `n_pictures` of it at most: whole identities from the front, but never fewer than two.
    #[must_use]
    pub fn excerpt(&self, n_pictures: usize) -> Self {
        let fits = |identity: usize| {
            self.samples.iter().filter(|it| it.identity <= identity).count() <= n_pictures
        };
        let n_identities = (0..self.identities.len()).take_while(|it| *it < 2 || fits(*it)).count();
        Self {
            identities: self.identities[..n_identities].to_vec(),
            samples: self.samples.iter().filter(|it| it.identity < n_identities).cloned().collect(),
            ..self.clone()
        }
    }

    /// The names of its identities.
    pub fn identities(&self) -> &[String] {
        &self.identities
    }

    /// Its pictures, those of one identity side by side.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The files that were left out as unreadable, each with the reason.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// `sha256:` and the digest over each file's name and contents' digest, in natural order: the
    /// same pictures under the same names have the same digest, wherever they lie.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

fn check(identities: &[String], samples: &[Sample]) -> Result<(), DataError> {
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
    if single.is_empty() { Ok(()) } else { Err(DataError::SinglePicture(single)) }
}
