//! Images before they are read: which belong together, and which are compared.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{DataError, Listing, folder, list, natural};

/// Images by identity, or as a list names them.
///
/// Of a list each identity is a *component*: images that its pairs connect, which can't be parted
/// without one image standing on both sides of a split.
///
/// Invariant: there is at least one identity; names are unique and in natural order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    root: PathBuf,
    name: String,
    identities: Vec<Identity>,
    listing: Option<Listing>,
    /// The identities that the list itself holds out; `None` where it does not say.
    held_out: Option<BTreeSet<usize>>,
}

/// One person or thing, and the files that show it; or one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its folder relative to the data folder, with `/` between levels; of a component the first of
    /// its images.
    pub name: String,
    /// Its files relative to the data folder, in natural order; at least one.
    pub images: Vec<String>,
}

impl Collection {
    /// Finds the images of a folder of identities, or those that a list names.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        if path.is_file() {
            return list::read(path)
                .map_err(|cause| DataError::BadList { path: path.to_path_buf(), cause });
        }
        let mut identities = folder::scan(path)?;
        identities.sort_by(|a, b| natural::compare(&a.name, &b.name));
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let name =
            whole.file_name().map_or_else(String::new, |it| it.to_string_lossy().into_owned());
        Ok(Self { root: path.to_path_buf(), name, identities, listing: None, held_out: None })
    }

    /// A list's images by component, in natural order.
    pub(super) fn listed(
        list: &Path,
        identities: Vec<Identity>,
        listing: Listing,
        held_out: Option<BTreeSet<usize>>,
    ) -> Self {
        let root = match list.parent() {
            Some(folder) if folder != Path::new("") => folder.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let name = list.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { root, name, identities, listing: Some(listing), held_out }
    }

    /// What the images' names are relative to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its last name, for people to know the data by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its identities, in natural order.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// What is compared, where a list says so; places are those of the images in a row.
    pub fn listing(&self) -> Option<&Listing> {
        self.listing.as_ref()
    }

    /// The identities that the list itself holds out.
    pub(super) fn held_out(&self) -> Option<&BTreeSet<usize>> {
        self.held_out.as_ref()
    }

    /// Splits off the identities that `held_out` picks by their place: (the others, those).
    pub fn partition(&self, held_out: impl Fn(usize) -> bool) -> (Self, Self) {
        (self.part(|it| !held_out(it)), self.part(held_out))
    }

    fn part(&self, is_wanted: impl Fn(usize) -> bool) -> Self {
        let mut identities = Vec::new();
        let mut places = Vec::new();
        let mut kept = 0;
        for (at, identity) in self.identities.iter().enumerate() {
            for _ in &identity.images {
                places.push(is_wanted(at).then_some(kept));
                kept += usize::from(is_wanted(at));
            }
            if is_wanted(at) {
                identities.push(identity.clone());
            }
        }
        let listing = self.listing.as_ref().map(|it| it.moved(&places));
        Self { identities, listing, held_out: None, ..self.clone() }
    }

    /// The order in which folds deal out the identities: the natural one. Of a list, components with same
    /// pairs alone, with different ones alone and with both are dealt one after the other, so that every fold
    /// has its share of each.
    pub(super) fn deal(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.identities.len()).collect();
        if let Some(listing) = &self.listing {
            let whose = self.identities.iter().enumerate();
            let whose: Vec<usize> =
                whose.flat_map(|(at, it)| std::iter::repeat_n(at, it.images.len())).collect();
            let mut kinds = vec![[false; 2]; self.identities.len()];
            for pair in listing.pairs() {
                kinds[whose[pair.left]][usize::from(pair.is_same)] = true;
            }
            order.sort_by_key(|at| kinds[*at]);
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
        collection.identities().iter().map(|it| it.name.as_str()).collect()
    }

    #[test]
    fn a_partition_keeps_everybody_on_one_side() {
        let data = TempDir::new().expect("a folder");
        for name in ["a", "b", "c"] {
            fs::create_dir(data.path().join(name)).expect("a folder");
            fs::write(data.path().join(name).join("1.png"), name).expect("a file");
        }
        let folder = Collection::open(data.path()).expect("images");
        let (others, those) = folder.partition(|it| it == 1);
        assert_eq!((names(&others), names(&those)), (vec!["a", "c"], vec!["b"]));
    }

    #[test]
    fn a_part_of_a_list_keeps_its_pairs() {
        let data = TempDir::new().expect("a folder");
        let list = data.path().join("pairs.csv");
        fs::write(&list, "a,b,same\n1,2,1\n3,4,0\n5,6,1\n5,7,0\n").expect("a file");
        let list = Collection::open(&list).expect("a list");
        assert_eq!((names(&list), list.name()), (vec!["1", "3", "5"], "pairs"));
        let (others, those) = list.partition(|it| it == 2);
        let pairs = |it: &Collection| {
            let pairs = it.listing().expect("a list").pairs().iter();
            pairs.map(|it| (it.left, it.right, it.is_same)).collect::<Vec<_>>()
        };
        assert_eq!(pairs(&others), [(0, 1, true), (2, 3, false)]);
        assert_eq!(pairs(&those), [(0, 1, true), (0, 2, false)]);
    }
}
