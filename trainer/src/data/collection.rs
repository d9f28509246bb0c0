//! The names of images before they are read, by identity or by list.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use siamese_core::file::shown;

use super::splits::{Divided, divide, repeated_names};
use super::{DataError, Listing, Variant, folder, list};

/// The names of images, by identity or by list.
///
/// For a list, each identity is a *component*: a group of images that its pairs connect. A component cannot be split,
/// because an image would then be on both sides of the split.
///
/// Invariant: there is at least one identity; names are unique and in natural order.
#[derive(Clone, Debug, PartialEq)]
pub struct Collection {
    root: PathBuf,
    name: String,
    identities: Vec<Identity>,
    listing: Option<Listing>,
    /// The identities that the column `split` of the list or the folders hold out; `None` if neither does.
    held_out: Option<BTreeSet<usize>>,
    note: Option<String>,
    warning: Option<String>,
    is_part: bool,
    is_of_each_image: bool,
}

/// An identity (a person, product, board, …) or a component, and its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The folder relative to the data folder or to the folder that divides it, with `/` between levels; for a component,
    /// its first image.
    pub name: String,
    /// The files, in natural order of their names; at least one.
    pub images: Vec<Image>,
}

/// A file of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The path relative to the data folder, as it is [shown].
    pub name: String,
    /// The path relative to the data folder.
    pub file: PathBuf,
    /// The first line of the list that names it; `None` in a folder.
    pub line: Option<u64>,
    /// The variant that is made of the file; `None` for the file itself.
    pub variant: Option<Variant>,
}

impl Collection {
    /// Finds the images of a folder of identities, or of a list.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        if path.is_file() {
            return list::read(path)
                .map_err(|cause| DataError::BadList { path: path.to_path_buf(), cause });
        }
        let Divided { identities, held_out, note } = divide(folder::scan(path)?);
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let name = shown(whole.file_name().unwrap_or_default().as_ref());
        let warning = repeated_names(&identities);
        let root = path.to_path_buf();
        Ok(Self { held_out, note, warning, ..Self::plain(root, name, identities) })
    }

    /// Makes the collection of a folder in which each image is an identity; these are in natural order.
    pub(super) fn of_each_image(
        root: &Path,
        name: String,
        identities: Vec<Identity>,
        note: Option<String>,
    ) -> Self {
        let plain = Self::plain(root.to_path_buf(), name, identities);
        Self { note, is_of_each_image: true, ..plain }
    }

    fn plain(root: PathBuf, name: String, identities: Vec<Identity>) -> Self {
        Self {
            root,
            name,
            identities,
            listing: None,
            held_out: None,
            note: None,
            warning: None,
            is_part: false,
            is_of_each_image: false,
        }
    }

    /// Makes the collection of a list of pairs; components and images are in natural order.
    pub(super) fn listed(
        list: &Path,
        identities: Vec<Identity>,
        listing: Listing,
        held_out: Option<BTreeSet<usize>>,
    ) -> Self {
        let listing = Some(listing);
        Self { listing, ..Self::labelled(list, identities, held_out, None) }
    }

    /// Makes the collection of a list of labels; identities and images are in natural order.
    pub(super) fn labelled(
        list: &Path,
        identities: Vec<Identity>,
        held_out: Option<BTreeSet<usize>>,
        warning: Option<String>,
    ) -> Self {
        let root = match list.parent() {
            Some(folder) if folder != Path::new("") => folder.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let name = shown(list.file_stem().unwrap_or_default().as_ref());
        Self { held_out, warning, ..Self::plain(root, name, identities) }
    }

    /// Returns the folder that the names of the images are relative to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the number of images.
    pub fn n_images(&self) -> usize {
        self.identities.iter().map(|identity| identity.images.len()).sum()
    }

    /// Returns the short name of the data.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the identities, in natural order.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// Returns the pairs and triplets of a list; they index all images in order.
    pub fn listing(&self) -> Option<&Listing> {
        self.listing.as_ref()
    }

    /// Returns how folders that divide the data were understood, if there are such folders.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Returns a warning if one name stands under several folders.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Returns whether it is one side of a [partition](Self::partition).
    pub fn is_part(&self) -> bool {
        self.is_part
    }

    /// Returns whether each image is an identity.
    pub(super) fn is_of_each_image(&self) -> bool {
        self.is_of_each_image
    }

    /// Returns the identities, to add images to them.
    pub(super) fn identities_mut(&mut self) -> &mut [Identity] {
        &mut self.identities
    }

    /// Returns the identities that the list or the folders hold out.
    pub(super) fn held_out(&self) -> Option<&BTreeSet<usize>> {
        self.held_out.as_ref()
    }

    /// Splits the identities: returns those for which `is_held_out` is false, and those for which it is true. The argument
    /// is the index of the identity.
    pub fn partition(&self, is_held_out: impl Fn(usize) -> bool) -> (Self, Self) {
        (self.part(|identity| !is_held_out(identity)), self.part(is_held_out))
    }

    /// Returns evenly spread identities with about `n_images` images in total: whole identities, at least two of them,
    /// and for a list enough for pairs of both kinds.
    #[must_use]
    pub fn spread(&self, n_images: usize) -> Self {
        let step = self.n_images().div_ceil(n_images.max(1));
        let step = step.min(self.identities.len() / 2).max(1);
        let part = |step: usize| self.part(|identity| identity.is_multiple_of(step));
        let has_both_kinds = |it: &Self| it.listing.as_ref().is_none_or(Listing::has_both_kinds);
        (1..=step).rev().map(part).find(has_both_kinds).unwrap_or_else(|| self.clone())
    }

    fn part(&self, is_wanted: impl Fn(usize) -> bool) -> Self {
        let mut identities = Vec::new();
        let mut new_indices = Vec::new();
        let mut kept = 0;
        for (index, identity) in self.identities.iter().enumerate() {
            for _ in &identity.images {
                new_indices.push(is_wanted(index).then_some(kept));
                kept += usize::from(is_wanted(index));
            }
            if is_wanted(index) {
                identities.push(identity.clone());
            }
        }
        let listing = self.listing.as_ref().map(|listing| listing.reindexed(&new_indices));
        Self { identities, listing, held_out: None, is_part: true, ..self.clone() }
    }

    /// Returns the order in which identities are assigned to folds.
    ///
    /// For a folder it is the natural order. For a list, components are sorted by whether they have same pairs, different
    /// pairs or both. Each fold then gets its share of each kind.
    pub(super) fn fold_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.identities.len()).collect();
        if let Some(listing) = &self.listing {
            let identities = self.identities.iter().enumerate();
            let component_of: Vec<usize> = identities
                .flat_map(|(index, identity)| std::iter::repeat_n(index, identity.images.len()))
                .collect();
            let mut kinds = vec![[false; 2]; self.identities.len()];
            for pair in listing.pairs() {
                kinds[component_of[pair.left]][usize::from(pair.is_same)] = true;
            }
            order.sort_by_key(|index| kinds[*index]);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn names(collection: &Collection) -> Vec<&str> {
        collection.identities().iter().map(|identity| identity.name.as_str()).collect()
    }

    #[test]
    fn a_partition_keeps_each_identity_on_one_side() {
        let data = TempDir::new().expect("a folder");
        for name in ["a", "b", "c"] {
            fs::create_dir(data.path().join(name)).expect("a folder");
            fs::write(data.path().join(name).join("1.png"), name).expect("a file");
        }
        let folder = Collection::open(data.path()).expect("images");
        let (others, those) = folder.partition(|identity| identity == 1);
        assert_eq!((names(&others), names(&those)), (vec!["a", "c"], vec!["b"]));
    }

    #[test]
    fn a_part_of_a_list_keeps_its_pairs() {
        let data = TempDir::new().expect("a folder");
        let list = data.path().join("pairs.csv");
        fs::write(&list, "a,b,same\n1,2,1\n3,4,0\n5,6,1\n5,7,0\n").expect("a file");
        let list = Collection::open(&list).expect("a list");
        assert_eq!((names(&list), list.name()), (vec!["1", "3", "5"], "pairs"));
        let (others, those) = list.partition(|identity| identity == 2);
        let pairs = |collection: &Collection| {
            let pairs = collection.listing().expect("a list").pairs().iter();
            pairs.map(|pair| (pair.left, pair.right, pair.is_same)).collect::<Vec<_>>()
        };
        assert_eq!(pairs(&others), [(0, 1, true), (2, 3, false)]);
        assert_eq!(pairs(&those), [(0, 1, true), (0, 2, false)]);
    }
}
