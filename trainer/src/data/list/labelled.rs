//! Lists of images with their labels. A label is an identity, so such a list is like a folder of identities.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::error::{BadLine, ListError, from_csv};
use super::header::{SPLIT, side};
use super::name::normalised;
use crate::data::error::listed;
use crate::data::{Collection, Identity, Image, natural};

/// The names of the columns that people use. The first is the one in the documentation.
const IMAGE: [&str; 4] = ["path", "image", "file", "filename"];
const LABEL: [&str; 3] = ["label", "identity", "class"];

/// The positions of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    image: usize,
    label: usize,
    split: Option<usize>,
}

/// The lines read so far.
#[derive(Default)]
struct Labelled {
    /// The label of each image, and its first line.
    images: HashMap<String, (String, u64)>,
    /// The first line of each label that states its side, and whether it is held out.
    sides: BTreeMap<String, (u64, bool)>,
    repeated: Vec<String>,
}

impl Columns {
    /// Finds the columns, in any order; `None` if the list has others. An unknown column is not ignored, because it may be
    /// a misspelt one.
    pub(super) fn of(columns: &csv::StringRecord) -> Option<Self> {
        let place = |names: &[&str]| {
            let is_named =
                |column: &str| names.iter().any(|name| column.eq_ignore_ascii_case(name));
            columns.iter().position(is_named)
        };
        let (image, label, split) = (place(&IMAGE)?, place(&LABEL)?, place(&[SPLIT]));
        (columns.len() == 2 + usize::from(split.is_some())).then_some(Self { image, label, split })
    }
}

/// Reads the lines below the header.
pub(super) fn read(
    path: &Path,
    columns: Columns,
    mut reader: csv::Reader<&[u8]>,
) -> Result<Collection, ListError> {
    let mut labelled = Labelled::default();
    for record in reader.records() {
        let record = record.map_err(from_csv)?;
        let line = record.position().map_or(0, csv::Position::line);
        labelled.add(columns, &record, line).map_err(|why| ListError::Line { line, why })?;
    }
    if labelled.images.is_empty() {
        return Err(ListError::Empty);
    }
    Ok(labelled.collection(path))
}

impl Labelled {
    fn add(
        &mut self,
        columns: Columns,
        record: &csv::StringRecord,
        line: u64,
    ) -> Result<(), BadLine> {
        let field = |column: usize| record.get(column).unwrap_or_default();
        let (name, label) = (normalised(field(columns.image))?, field(columns.label));
        if label.is_empty() || label.chars().any(char::is_control) {
            return Err(BadLine::NoIdentity(label.to_owned()));
        }
        if let Some(split) = columns.split {
            let is_held_out = side(field(split))?;
            let (first, known) = self.sides.entry(label.to_owned()).or_insert((line, is_held_out));
            if *known != is_held_out {
                return Err(BadLine::SplitIdentity(label.to_owned(), *first));
            }
        }
        match self.images.get(&name) {
            None => {
                self.images.insert(name, (label.to_owned(), line));
            }
            Some((known, _)) if known == label => self.repeated.push(line.to_string()),
            Some((known, first)) => {
                return Err(BadLine::Relabelled(name, known.clone(), *first));
            }
        }
        Ok(())
    }

    fn collection(self, path: &Path) -> Collection {
        let mut identities = BTreeMap::<String, Vec<Image>>::new();
        for (name, (label, line)) in self.images {
            let image = Image { file: (&name).into(), name, line: Some(line), variant: None };
            identities.entry(label).or_default().push(image);
        }
        let mut identities: Vec<Identity> = identities
            .into_iter()
            .map(|(name, mut images)| {
                images.sort_by(|a, b| natural::compare(&a.name, &b.name));
                Identity { name, images }
            })
            .collect();
        identities.sort_by(|a, b| natural::compare(&a.name, &b.name));
        let is_held_out =
            |identity: &Identity| self.sides.get(&identity.name).is_some_and(|(_, held)| *held);
        let held_out: BTreeSet<usize> =
            (0..identities.len()).filter(|index| is_held_out(&identities[*index])).collect();
        let warning = (!self.repeated.is_empty()).then(|| {
            let count = self.repeated.len();
            format!(
                "lines repeat earlier lines and count once ({count}): {}",
                listed(&self.repeated)
            )
        });
        let held_out = (!self.sides.is_empty()).then_some(held_out);
        Collection::labelled(path, identities, held_out, warning)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::super::read;
    use super::*;

    fn list(text: &str) -> Result<Collection, ListError> {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("images.csv");
        fs::write(&path, text).expect("a file");
        read(&path)
    }

    fn names(list: &Collection) -> Vec<(&str, Vec<&str>)> {
        list.identities()
            .iter()
            .map(|identity| {
                let images = identity.images.iter().map(|image| image.name.as_str());
                (identity.name.as_str(), images.collect())
            })
            .collect()
    }

    #[test]
    fn images_of_one_label_are_an_identity_in_natural_order() {
        let list = list("path,label\nx/10.png,mug\n./x/2.png,mug\ny/1.png,cup 10\ny/2.png,cup 9\n");
        let list = list.expect("a list");
        let expected = [
            ("cup 9", vec!["y/2.png"]),
            ("cup 10", vec!["y/1.png"]),
            ("mug", vec!["x/2.png", "x/10.png"]),
        ];
        assert_eq!(names(&list), expected);
        assert_eq!((list.name(), list.listing(), list.held_out()), ("images", None, None));
        assert_eq!(list.identities()[2].images[0].line, Some(3));
    }

    #[test]
    fn the_columns_have_the_usual_names_in_any_order() {
        for columns in ["label,path", "Class,IMAGE", "identity,file", "label,filename"] {
            let list = list(&format!("{columns}\na,1.png\nb,2.png\n")).expect("a list");
            assert_eq!(names(&list), [("a", vec!["1.png"]), ("b", vec!["2.png"])], "{columns}");
        }
    }

    #[test]
    fn a_column_holds_identities_out() {
        let text = "path,label,split\n1,a,train\n2,b,held-out\n3,a,train\n4,c,held-out\n";
        assert_eq!(list(text).expect("a list").held_out(), Some(&BTreeSet::from([1, 2])));
    }

    #[test]
    fn a_repeated_line_counts_once() {
        let list = list("path,label\n1,a\n2,b\n./1,a\n").expect("a list");
        assert_eq!(names(&list), [("a", vec!["1"]), ("b", vec!["2"])]);
        let warning = list.warning().expect("a warning");
        assert!(warning.contains("count once (1): 4"), "{warning}");
    }

    #[track_caller]
    fn rejects(text: &str, words: &str) {
        let error = list(text).expect_err("an error").to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn a_bad_line_is_reported_with_its_number_and_the_reason() {
        rejects("path,label,size\n1,a,3\n", "path,label (images)");
        rejects("path,label\n", "no lines below the first line");
        rejects("path,label\n1,a\n2\n", "line 3: it has 1 fields, and the first line has 2");
        rejects("path,label\n1,a\n2,\n", "line 3: \"\" is not a label");
        rejects("path,label\n,a\n", "line 2: \"\" is not a valid image name");
        rejects("path,label\n../1,a\n", "line 2: ../1 is not below the list's folder");
        rejects("path,label\n1,a\n./1,b\n", "line 3: 1 has the label \"a\" on line 2");
        rejects("path,label,split\n1,a,test\n", "line 2: split is \"test\"");
        let both = "path,label,split\n1,a,train\n2,b,train\n3,a,held-out\n";
        rejects(both, "line 4: \"a\" is on the other side of the split on line 2");
    }
}
