//! Folders that divide the data, such as `train`, `val` and `test`: they contain identities, and are none.

use std::collections::{BTreeMap, BTreeSet};

use super::error::listed;
use super::natural;
use super::{Identity, Image};

/// The identities of a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Divided {
    /// The identities, in natural order.
    pub(super) identities: Vec<Identity>,
    /// The identities that the folders hold out, by index; `None` if it is not clear which.
    pub(super) held_out: Option<BTreeSet<usize>>,
    /// How the folders were understood; `None` if they are all identities.
    pub(super) note: Option<String>,
}

/// What a folder of a divided data set is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    Training,
    HoldOut,
}

/// The folders that divide a data set.
struct Folders {
    /// The length of the path that they have in common, with its last `/`.
    start: usize,
    /// By their paths.
    purposes: BTreeMap<String, Purpose>,
}

/// An identity of a divided data set.
#[derive(Default)]
struct Merged {
    images: Vec<Image>,
    purposes: BTreeSet<Purpose>,
}

impl Purpose {
    /// Returns the purpose that a folder's name states: `Train`, `val2017`, `test-set`.
    fn of(folder: &str) -> Option<Self> {
        let letters: String =
            folder.chars().filter(|character| character.is_alphabetic()).collect();
        let letters = letters.to_lowercase();
        let word = ["set", "data"].iter().find_map(|end| letters.strip_suffix(end));
        match word.unwrap_or(&letters) {
            "train" | "training" => Some(Self::Training),
            "val" | "valid" | "validation" | "dev" | "test" | "testing" | "eval" | "evaluation"
            | "heldout" | "holdout" => Some(Self::HoldOut),
            _ => None,
        }
    }
}

/// Merges identities of one name below the folders that divide the data, if at least two such folders contain all
/// images. Otherwise returns the identities as they are.
pub(super) fn divide(mut identities: Vec<Identity>) -> Divided {
    let Some(Folders { start, purposes: folders }) = Folders::find(&identities) else {
        identities.sort_by(|a, b| natural::compare(&a.name, &b.name));
        return Divided { identities, ..Divided::default() };
    };
    let mut merged = BTreeMap::<String, Merged>::new();
    for Identity { name, images } in identities {
        if let Some((folder, name)) = split(&name, start) {
            let entry = merged.entry(name.to_owned()).or_default();
            entry.images.extend(images);
            entry.purposes.extend(folders.get(folder));
        }
    }
    let mut merged: Vec<(String, Merged)> = merged.into_iter().collect();
    merged.sort_by(|a, b| natural::compare(&a.0, &b.0));
    let is_held_out = |entry: &Merged| !entry.purposes.contains(&Purpose::Training);
    let held_out: BTreeSet<usize> =
        (0..merged.len()).filter(|index| is_held_out(&merged[*index].1)).collect();
    let on_both = merged.iter().filter(|(_, entry)| 1 < entry.purposes.len()).count();
    let is_clear = on_both == 0 && 2 <= held_out.len() && held_out.len() + 2 <= merged.len();
    let note = note(&folders, merged.len(), on_both, is_clear.then_some(held_out.len()));
    Divided {
        identities: merged
            .into_iter()
            .map(|(name, Merged { images, .. })| Identity { name, images })
            .collect(),
        held_out: is_clear.then_some(held_out),
        note: Some(note),
    }
}

impl Folders {
    /// Finds the folders that divide the data, if all images are below at least two of them. They may be below a folder
    /// that contains everything, such as `data`.
    fn find(identities: &[Identity]) -> Option<Self> {
        let mut start = 0;
        loop {
            let purpose = |identity: &Identity| {
                let (folder, _) = split(&identity.name, start)?;
                Some((folder.to_owned(), Purpose::of(&folder[start..])?))
            };
            let purposes: Option<BTreeMap<_, _>> = identities.iter().map(purpose).collect();
            match purposes {
                Some(purposes) if 2 <= purposes.len() => return Some(Self { start, purposes }),
                _ => {}
            }
            let (common, _) = split(&identities.first()?.name, start)?;
            let is_common = |identity: &Identity| {
                split(&identity.name, start).is_some_and(|(folder, _)| folder == common)
            };
            if !identities.iter().all(is_common) {
                return None;
            }
            start = common.len() + 1;
        }
    }
}

/// Splits a name behind its first folder from `start`: the folder with those above it, and the rest.
fn split(name: &str, start: usize) -> Option<(&str, &str)> {
    let end = start + name.get(start..)?.find('/')?;
    Some((&name[..end], &name[end + 1..]))
}

/// Describes in a line how the folders were understood.
fn note(
    folders: &BTreeMap<String, Purpose>,
    all: usize,
    on_both: usize,
    held_out: Option<usize>,
) -> String {
    let of = |wanted: Purpose| {
        let names = folders.iter().filter(|(_, purpose)| **purpose == wanted);
        names.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" and ")
    };
    let names = folders.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let rest = match held_out {
        Some(held) => format!(
            "{} identities in {}, and {held} in {}, which are held out unless options select others",
            all - held,
            of(Purpose::Training),
            of(Purpose::HoldOut)
        ),
        None if 0 < on_both => format!(
            "{all} identities, each counted once; none is held out, because training and hold-out folders share \
             {on_both} of them: select some with --hold-out or --hold-out-fold"
        ),
        None => format!("{all} identities, each counted once"),
    };
    format!("the folders {names} divide the data: {rest}")
}

/// Returns a warning about names that stand under several folders.
pub(super) fn repeated_names(identities: &[Identity]) -> Option<String> {
    let mut parents = BTreeMap::<&str, Vec<&str>>::new();
    for identity in identities {
        let (parent, name) = identity.name.rsplit_once('/').unwrap_or((".", &identity.name));
        parents.entry(name).or_default().push(parent);
    }
    let repeated: Vec<String> = parents
        .into_iter()
        .filter(|(_, parents)| 1 < parents.len())
        .map(|(name, parents)| format!("{name} (in {})", parents.join(", ")))
        .collect();
    (!repeated.is_empty()).then(|| {
        format!(
            "names in several folders count as different identities ({}): {}; if a name is one identity, put its images \
             into one folder",
            repeated.len(),
            listed(&repeated)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes identities with one image each.
    fn identities(names: &[&str]) -> Vec<Identity> {
        let identity = |name: &&str| Identity {
            name: (*name).to_owned(),
            images: vec![Image {
                name: format!("{name}/1.png"),
                file: format!("{name}/1.png").into(),
                line: None,
                variant: None,
            }],
        };
        names.iter().map(identity).collect()
    }

    /// Checks the names with their numbers of images, the names that are held out, and words of the note.
    #[track_caller]
    fn check(folders: &[&str], expected: &[(&str, usize)], held_out: &[&str], note: &str) {
        let divided = divide(identities(folders));
        let found = divided.identities.iter();
        let found: Vec<_> =
            found.map(|identity| (identity.name.as_str(), identity.images.len())).collect();
        assert_eq!(found, expected);
        let held = divided.held_out.iter().flatten().map(|index| expected[*index].0);
        assert_eq!(held.collect::<Vec<_>>(), held_out);
        let found = divided.note.unwrap_or_default();
        assert!(found.contains(note) && found.is_empty() == note.is_empty(), "{found}");
    }

    #[test]
    fn an_identity_in_several_folders_is_one() {
        check(
            &["test/a", "test/b", "train/a", "train/b", "val/a"],
            &[("a", 3), ("b", 2)],
            &[],
            "the folders test, train, val divide the data: 2 identities, each counted once; none is held out, because \
             training and hold-out folders share 2 of them",
        );
        check(&["Valid/x/1", "Test/x/1"], &[("x/1", 2)], &[], "1 identities, each counted once");
    }

    #[test]
    fn folders_without_common_identities_hold_out() {
        check(
            &["Training/a", "Training/b", "test2/c", "validation-set/d", "validation-set/e10"],
            &[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e10", 1)],
            &["c", "d", "e10"],
            "2 identities in Training, and 3 in test2 and validation-set, which are held out",
        );
        // Each side needs two identities.
        check(
            &["train/a", "train/b", "val/c"],
            &[("a", 1), ("b", 1), ("c", 1)],
            &[],
            "3 identities",
        );
    }

    #[test]
    fn a_folder_that_contains_everything_is_passed() {
        check(
            &["data/set/train/a", "data/set/train/b", "data/set/val/c", "data/set/val/d"],
            &[("a", 1), ("b", 1), ("c", 1), ("d", 1)],
            &["c", "d"],
            "the folders data/set/train, data/set/val divide the data: 2 identities in data/set/train, and 2",
        );
    }

    #[test]
    fn other_folders_are_identities() {
        for folders in [
            &["test", "train"][..],
            &["other/a", "train/b"],
            &["s1", "train/a", "val/b"],
            &["train/a", "train/b"],
            &["trains/a", "trains/b"],
            &["data/train/a", "more/val/b"],
            &["data/a", "data/b"],
        ] {
            let expected: Vec<_> = folders.iter().map(|name| (*name, 1)).collect();
            check(folders, &expected, &[], "");
        }
    }

    #[test]
    fn a_name_in_several_folders_gives_a_warning() {
        let warning = repeated_names(&identities(&["2019/ann", "2020/ann", "2020/bob", "bob"]));
        let warning = warning.expect("a warning");
        assert!(warning.contains("(2): ann (in 2019, 2020), bob (in 2020, .)"), "{warning}");
        assert_eq!(repeated_names(&identities(&["2019/ann", "2020/bob", "cleo"])), None);
    }
}
