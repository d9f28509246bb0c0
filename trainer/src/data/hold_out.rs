//! The selection of identities to hold out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use thiserror::Error;

use super::{Collection, DataError};

/// The identities to hold out: by name, from a file of names, or every n-th. If it is empty, a list of pairs may choose
/// them in its column `split`, and folders such as `train` and `test` may divide them.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct HoldOut {
    /// Identities to hold out, by name; `@FILE` reads them from a file, one per line
    #[arg(long = "hold-out", value_name = "NAME,...|@FILE", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Hold out every N-th identity in natural order, starting with the K-th (counted from 0): `0/4`
    #[arg(long = "hold-out-fold", value_name = "K/N")]
    pub fold: Option<Fold>,
}

/// Every `n`-th identity, starting with the `k`-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    k: usize,
    n: usize,
}

/// The text is not a [`Fold`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a fold must be K/N with 0 <= K < N and 2 <= N, such as 0/4")]
pub struct InvalidFold;

impl FromStr for Fold {
    type Err = InvalidFold;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (k, n) = text.split_once('/').ok_or(InvalidFold)?;
        let [k, n] = [k, n].map(|number| number.trim().parse::<usize>().map_err(|_| InvalidFold));
        let (k, n) = (k?, n?);
        if 2 <= n && k < n { Ok(Self { k, n }) } else { Err(InvalidFold) }
    }
}

impl HoldOut {
    /// Returns whether no identity is selected.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.fold.is_none()
    }

    /// Splits images into the training set and the hold-out set, if there is one. If each image is an identity, both get
    /// [variants](Collection::with_variants), and the hold-out set is [not too large](Collection::measurable).
    pub fn split(
        &self,
        images: &Collection,
    ) -> Result<(Collection, Option<Collection>), DataError> {
        let Some(indices) = self.indices(images)? else {
            return Ok((images.clone().with_variants(), None));
        };
        let (held, all) = (indices.len(), images.identities().len());
        if images.listing().is_some() {
            if held == 0 || held == all {
                return Err(DataError::EmptySide { held, all });
            }
        } else if held < 2 || all < held + 2 {
            return Err(DataError::TooFewLeft { held, all });
        }
        let (training, held) = images.partition(|identity| indices.contains(&identity));
        Ok((training.with_variants(), Some(held.measurable())))
    }

    /// Returns the indices of the selected identities; `None` if there is no selection.
    pub fn indices(&self, images: &Collection) -> Result<Option<BTreeSet<usize>>, DataError> {
        if self.is_empty() {
            return Ok(images.held_out().cloned());
        }
        let known: Vec<_> =
            images.identities().iter().map(|identity| identity.name.clone()).collect();
        let mut held = BTreeSet::new();
        for name in self.all_names(&known)? {
            match known.iter().position(|identity| *identity == name) {
                Some(index) => held.insert(index),
                None => return Err(DataError::UnknownIdentity { name, known }),
            };
        }
        if let Some(Fold { k, n }) = self.fold {
            held.extend(images.fold_order().into_iter().skip(k).step_by(n));
        }
        Ok(Some(held))
    }

    /// Returns all names, those of `@FILE` included. If an identity has the name `@FILE`, that identity is meant.
    fn all_names(&self, known: &[String]) -> Result<Vec<String>, DataError> {
        let mut names = Vec::new();
        for name in &self.names {
            let Some(path) = name.strip_prefix('@').filter(|_| !known.contains(name)) else {
                names.push(name.clone());
                continue;
            };
            let path = Path::new(path);
            let list = fs::read_to_string(path)
                .map_err(|cause| DataError::List { path: path.to_path_buf(), cause })?;
            let lines = list.lines().map(str::trim).filter(|line| !line.is_empty());
            names.extend(lines.map(str::to_owned));
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// Makes the identities s1 to s8 with one file each.
    fn data() -> (TempDir, Collection) {
        let data = TempDir::new().expect("a folder");
        for number in 1..=8 {
            let identity = data.path().join(format!("s{number}"));
            fs::create_dir(&identity).expect("a folder");
            fs::write(identity.join("1.pgm"), "").expect("a file");
        }
        let folder = Collection::open(data.path()).expect("images");
        (data, folder)
    }

    #[track_caller]
    fn check(names: &[&str], fold: Option<&str>, expected: &[&str]) {
        let (_data, folder) = data();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let fold = fold.map(|text| text.parse().expect("a fold"));
        let (training, held_out) =
            HoldOut { names, fold }.split(&folder).expect("enough on either side");
        let held_out = held_out.expect("a hold-out set");
        let held: Vec<_> =
            held_out.identities().iter().map(|identity| identity.name.as_str()).collect();
        assert_eq!(held, expected);
        assert_eq!(training.identities().len(), 8 - expected.len());
    }

    #[test]
    fn names_and_folds_add_up() {
        check(&["s7", "s2"], None, &["s2", "s7"]);
        check(&[], Some("0/4"), &["s1", "s5"]);
        check(&["s2"], Some("3/4"), &["s2", "s4", "s8"]);
    }

    #[test]
    fn a_list_names_one_a_line() {
        let list = TempDir::new().expect("a folder");
        let path = list.path().join("names");
        fs::write(&path, "s3\n\n  s4 \n").expect("a file");
        check(&[&format!("@{}", path.display())], None, &["s3", "s4"]);
    }

    #[test]
    fn without_a_hold_out_all_identities_are_for_training() {
        let (_data, folder) = data();
        let (training, held_out) = HoldOut::default().split(&folder).expect("a split");
        assert_eq!((training, held_out), (folder, None));
    }

    #[test]
    fn the_split_column_of_a_list_applies_unless_names_are_given() {
        let data = TempDir::new().expect("a folder");
        let path = data.path().join("pairs.csv");
        fs::write(&path, "a,b,same,split\n1,2,1,held-out\n@3,x,0,train\n").expect("a file");
        let list = Collection::open(&path).expect("a list");
        let held = |hold_out: HoldOut| {
            let (_, held) = hold_out.split(&list).expect("a split");
            held.expect("a hold-out set").identities()[0].name.clone()
        };
        assert_eq!(held(HoldOut::default()), "1");
        assert_eq!(held(HoldOut { names: vec!["@3".to_owned()], fold: None }), "@3");
        let all = HoldOut { names: vec!["1".to_owned(), "@3".to_owned()], fold: None };
        assert!(matches!(all.split(&list), Err(DataError::EmptySide { held: 2, all: 2 })));
    }

    #[test]
    fn every_fold_of_a_list_has_its_share_of_same_and_different_pairs() {
        let data = TempDir::new().expect("a folder");
        let path = data.path().join("pairs.csv");
        let lines = (0..8).map(|number| format!("{number}/a,{number}/b,{}\n", number % 2));
        fs::write(&path, format!("a,b,same\n{}", lines.collect::<String>())).expect("a file");
        let list = Collection::open(&path).expect("a list");
        for fold in ["0/2", "1/2", "3/4"] {
            let fold = Some(fold.parse().expect("a fold"));
            let (training, held) =
                HoldOut { names: Vec::new(), fold }.split(&list).expect("a split");
            for side in [&training, &held.expect("a hold-out set")] {
                assert!(side.listing().expect("a list").has_both_kinds(), "{fold:?}");
            }
        }
    }

    #[test]
    fn a_fold_is_one_of_at_least_two() {
        for text in ["4/4", "0/1", "0", "a/b", "-1/4", ""] {
            assert_eq!(text.parse::<Fold>(), Err(InvalidFold), "{text}");
        }
    }
}
