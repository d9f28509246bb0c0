//! Which identities stay unseen in training.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use thiserror::Error;

use super::{DataError, Folder};

/// Which identities are held out: by name, from a list, or every n-th.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct HoldOut {
    /// Identities to hold out, by name; `@FILE` reads them from a file, one a line
    #[arg(long = "hold-out", value_name = "NAME,...|@FILE", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Hold out every N-th identity in natural order, beginning with the K-th (from 0): `0/4`
    #[arg(long = "hold-out-fold", value_name = "K/N")]
    pub fold: Option<Fold>,
}

/// Every `n`-th identity, beginning with the `k`-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    k: usize,
    n: usize,
}

/// A text that is no [`Fold`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a fold is K/N with 0 <= K < N and 2 <= N, such as 0/4")]
pub struct InvalidFold;

impl FromStr for Fold {
    type Err = InvalidFold;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (k, n) = text.split_once('/').ok_or(InvalidFold)?;
        let [k, n] = [k, n].map(|it| it.trim().parse::<usize>().map_err(|_| InvalidFold));
        let (k, n) = (k?, n?);
        if 2 <= n && k < n { Ok(Self { k, n }) } else { Err(InvalidFold) }
    }
}

impl HoldOut {
    /// Whether nobody is held out.
    pub fn is_nobody(&self) -> bool {
        self.names.is_empty() && self.fold.is_none()
    }

    /// Splits a folder into those to train on and those held out, if anybody is.
    pub fn split(&self, folder: &Folder) -> Result<(Folder, Option<Folder>), DataError> {
        if self.is_nobody() {
            return Ok((folder.clone(), None));
        }
        let known = folder.identities().len();
        let held = self.places(folder)?;
        if held.len() < 2 || known < held.len() + 2 {
            return Err(DataError::TooFewLeft { held: held.len(), all: known });
        }
        let (training, held) = folder.partition(|at| held.contains(&at));
        Ok((training, Some(held)))
    }

    /// The places of those held out among a folder's identities.
    pub fn places(&self, folder: &Folder) -> Result<BTreeSet<usize>, DataError> {
        let known: Vec<_> = folder.identities().iter().map(|it| it.name.clone()).collect();
        let mut held = BTreeSet::new();
        for name in self.all_names()? {
            match known.iter().position(|it| *it == name) {
                Some(at) => held.insert(at),
                None => return Err(DataError::UnknownIdentity { name, known }),
            };
        }
        if let Some(Fold { k, n }) = self.fold {
            held.extend((0..known.len()).filter(|at| at % n == k));
        }
        Ok(held)
    }

    fn all_names(&self) -> Result<Vec<String>, DataError> {
        let mut names = Vec::new();
        for name in &self.names {
            let Some(path) = name.strip_prefix('@') else {
                names.push(name.clone());
                continue;
            };
            let path = Path::new(path);
            let list = fs::read_to_string(path)
                .map_err(|cause| DataError::List { path: path.to_path_buf(), cause })?;
            let lines = list.lines().map(str::trim).filter(|it| !it.is_empty());
            names.extend(lines.map(str::to_owned));
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// s1 to s8, one file each.
    fn data() -> (TempDir, Folder) {
        let data = TempDir::new().expect("a folder");
        for number in 1..=8 {
            let identity = data.path().join(format!("s{number}"));
            fs::create_dir(&identity).expect("a folder");
            fs::write(identity.join("1.pgm"), "").expect("a file");
        }
        let folder = Folder::scan(data.path()).expect("pictures");
        (data, folder)
    }

    #[track_caller]
    fn check(names: &[&str], fold: Option<&str>, expected: &[&str]) {
        let (_data, folder) = data();
        let names = names.iter().map(|it| (*it).to_owned()).collect();
        let fold = fold.map(|it| it.parse().expect("a fold"));
        let (training, held_out) =
            HoldOut { names, fold }.split(&folder).expect("enough on either side");
        let held_out = held_out.expect("somebody is held out");
        let held: Vec<_> = held_out.identities().iter().map(|it| it.name.as_str()).collect();
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
    fn nobody_held_out_leaves_everybody_to_train_on() {
        let (_data, folder) = data();
        let (training, held_out) = HoldOut::default().split(&folder).expect("a split");
        assert_eq!((training, held_out), (folder, None));
    }

    #[test]
    fn a_fold_is_one_of_at_least_two() {
        for text in ["4/4", "0/1", "0", "a/b", "-1/4", ""] {
            assert_eq!(text.parse::<Fold>(), Err(InvalidFold), "{text}");
        }
    }
}
