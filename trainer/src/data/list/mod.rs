//! CSV lists: of the pairs or triplets to compare, or of images with their labels.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

mod area;
mod components;
mod error;
mod header;
mod labelled;
mod listing;
mod name;

pub use area::{ChangedArea, Corners};
pub use error::{BadLine, ListError};
pub use listing::{ListedPair, Listing};

use super::{Collection, Identity, Image, natural};
use components::components;
use error::{LARGEST, from_csv};
use header::Header;
use labelled::Columns;
use name::normalised;

/// The lines read so far; images are numbered in order of appearance.
#[derive(Default)]
struct Reading {
    names: Vec<String>,
    indices: HashMap<String, usize>,
    lines: Vec<u64>,
    /// For each two images, the index of their pair, and its first line.
    pairs: BTreeMap<[usize; 2], (usize, u64)>,
    /// The pairs in the order of the lines.
    order: Vec<ListedPair>,
    /// Where pairs have changed, if the list tells it.
    areas: Vec<ChangedArea>,
    triplets: Vec<[usize; 3]>,
    seen: HashSet<[usize; 3]>,
    repeated: Vec<u64>,
    /// For each line: one of its images, the line number, and whether it is held out.
    sides: Vec<(usize, u64, bool)>,
}

/// Reads a list.
pub(super) fn read(path: &Path) -> Result<Collection, ListError> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if LARGEST < size {
        return Err(ListError::TooLarge(size));
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    // The reader counts a line that ends with CR and LF only when it reads the next one.
    let lines = text.split(|byte| *byte == b'\n');
    let lines: Vec<_> = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    let text = lines.join(&b'\n');
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(&text[..]);
    if let Some(columns) = Columns::of(reader.headers().map_err(from_csv)?) {
        return labelled::read(path, columns, reader);
    }
    let header = Header::read(&mut reader)?;
    let mut reading = Reading::default();
    for record in reader.records() {
        let record = record.map_err(from_csv)?;
        let line = record.position().map_or(0, csv::Position::line);
        reading.add(&header, &record, line).map_err(|why| ListError::Line { line, why })?;
    }
    if reading.order.is_empty() {
        return Err(ListError::Empty);
    }
    reading.collection(path, header.is_of_changes())
}

impl Reading {
    fn add(
        &mut self,
        header: &Header,
        record: &csv::StringRecord,
        line: u64,
    ) -> Result<(), BadLine> {
        let row = header.row(record)?;
        let mut images = Vec::new();
        for name in row.images {
            images.push(self.image(name, line)?);
        }
        if let Some(is_held_out) = row.is_held_out {
            self.sides.push((images[0], line, is_held_out));
        }
        match (row.is_same, images.as_slice()) {
            (None, &[anchor, same, different]) => {
                self.pair([anchor, same], true, None, line)?;
                self.pair([anchor, different], false, None, line)?;
                let triplet = [anchor, same, different];
                if self.seen.insert(triplet) {
                    self.triplets.push(triplet);
                } else {
                    self.repeated.push(line);
                }
            }
            (is_same, two) => {
                let is_same = is_same.unwrap_or_default();
                if !self.pair([two[0], two[1]], is_same, row.area, line)? {
                    self.repeated.push(line);
                }
            }
        }
        Ok(())
    }

    /// Returns the index of an image, after normalising its name.
    fn image(&mut self, name: &str, line: u64) -> Result<usize, BadLine> {
        let name = normalised(name)?;
        if let Some(index) = self.indices.get(&name) {
            return Ok(*index);
        }
        let index = self.names.len();
        self.names.push(name.clone());
        self.lines.push(line);
        self.indices.insert(name, index);
        Ok(index)
    }

    /// Adds a pair; returns whether it is new.
    fn pair(
        &mut self,
        two: [usize; 2],
        is_same: bool,
        area: Option<ChangedArea>,
        line: u64,
    ) -> Result<bool, BadLine> {
        let [left, right] = two;
        if left == right {
            return Err(BadLine::Itself(self.names[left].clone()));
        }
        let key = [left.min(right), left.max(right)];
        if let Some((index, earlier)) = self.pairs.get(&key) {
            let known = self.order[*index];
            // An area is in pixels of the second image, so the order matters.
            let is_repeated = area.is_none() || known.left == left;
            let known_area = known.area.map(|area| &self.areas[area]);
            if known.is_same == is_same && is_repeated && known_area == area.as_ref() {
                return Ok(false);
            }
            let [one, other] = two.map(|image| self.names[image].clone());
            return Err(BadLine::Contradiction(*earlier, one, other));
        }
        self.pairs.insert(key, (self.order.len(), line));
        let index = area.map(|area| {
            self.areas.push(area);
            self.areas.len() - 1
        });
        self.order.push(ListedPair { left, right, is_same, area: index });
        Ok(true)
    }

    /// Makes the collection, by component and in natural order.
    fn collection(self, path: &Path, is_of_changes: bool) -> Result<Collection, ListError> {
        let numbers =
            components(self.names.len(), self.order.iter().map(|pair| [pair.left, pair.right]));
        let sides = self.sides(&numbers)?;
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by(|a, b| natural::compare(&self.names[*a], &self.names[*b]));
        let n_components = numbers.iter().max().map_or(0, |number| number + 1);
        // The first image of a component, in natural order, gives its name and its position.
        let mut groups = vec![Vec::new(); n_components];
        for image in &order {
            groups[numbers[*image]].push(*image);
        }
        let mut positions = vec![0; self.names.len()];
        for (position, image) in order.iter().enumerate() {
            positions[*image] = position;
        }
        groups.sort_by_key(|group| positions[group[0]]);
        let mut new_indices = vec![0; self.names.len()];
        for (index, image) in groups.iter().flatten().enumerate() {
            new_indices[*image] = index;
        }
        let name = |image: &usize| self.names[*image].clone();
        let image = |image: &usize| Image {
            name: name(image),
            file: name(image).into(),
            line: Some(self.lines[*image]),
            variant: None,
        };
        let identities = groups
            .iter()
            .map(|group| Identity {
                name: name(&group[0]),
                images: group.iter().map(image).collect(),
            })
            .collect();
        let held_out = (!sides.is_empty()).then(|| {
            let is_held_out =
                |group: &Vec<usize>| sides.get(&numbers[group[0]]).is_some_and(|side| side.1);
            (0..groups.len()).filter(|index| is_held_out(&groups[*index])).collect::<BTreeSet<_>>()
        });
        let reindexed = |pair: &ListedPair| ListedPair {
            left: new_indices[pair.left],
            right: new_indices[pair.right],
            ..*pair
        };
        let triplet = |triplet: &[usize; 3]| triplet.map(|image| new_indices[image]);
        let listing = Listing {
            pairs: self.order.iter().map(reindexed).collect(),
            triplets: self.triplets.iter().map(triplet).collect(),
            repeated: self.repeated,
            is_of_changes,
            areas: self.areas,
        };
        Ok(Collection::listed(path, identities, listing, held_out))
    }

    /// Returns for each component the first line that states its side of the split, and whether it is held out.
    fn sides(&self, numbers: &[usize]) -> Result<HashMap<usize, (u64, bool)>, ListError> {
        let mut sides = HashMap::new();
        for (image, line, is_held_out) in &self.sides {
            let (first, side) = sides.entry(numbers[*image]).or_insert((*line, *is_held_out));
            if side != is_held_out {
                let why = BadLine::BothSides(self.names[*image].clone(), *first);
                return Err(ListError::Line { line: *line, why });
            }
        }
        Ok(sides)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn list(text: &str) -> Result<Collection, ListError> {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("pairs.csv");
        fs::write(&path, text).expect("a file");
        read(&path)
    }

    fn names(identity: &Identity) -> String {
        let names: Vec<&str> = identity.images.iter().map(|image| image.name.as_str()).collect();
        names.join(" ")
    }

    fn pairs(list: &Collection) -> Vec<(usize, usize, bool)> {
        let pairs = list.listing().expect("a list").pairs().iter();
        pairs.map(|pair| (pair.left, pair.right, pair.is_same)).collect()
    }

    #[test]
    fn images_that_pairs_connect_are_one_component_named_by_its_first() {
        let list = list("a,b,same\nx10,x2,1\ny/1,y/2,0\n./x2,x3,0\n").expect("a list");
        let found = list.identities().iter();
        let found: Vec<_> =
            found.map(|identity| (identity.name.as_str(), names(identity))).collect();
        assert_eq!(found, [("x2", "x2 x3 x10".to_owned()), ("y/1", "y/1 y/2".to_owned())]);
        assert_eq!(pairs(&list), [(2, 0, true), (3, 4, false), (0, 1, false)]);
        let lines = list.identities().iter().flat_map(|identity| &identity.images);
        let lines: Vec<_> = lines.map(|image| image.line).collect();
        assert_eq!(lines, [2, 4, 2, 3, 3].map(Some));
    }

    #[test]
    fn a_triplet_is_a_same_and_a_different_pair() {
        let list = list("anchor,positive,negative\n1,2,3\n1,2,4\n1,2,3\n").expect("a list");
        assert_eq!(pairs(&list), [(0, 1, true), (0, 2, false), (0, 3, false)]);
        let listing = list.listing().expect("a list");
        assert_eq!(listing.triplets(), [[0, 1, 2], [0, 1, 3]]);
        assert!(list.listing().expect("a list").repeated == [4]);
    }

    #[test]
    fn a_repeated_pair_counts_once() {
        let list = list("before,after,changed\n1,2,0\n3,4,1\n2,1,0\n").expect("a list");
        assert_eq!(pairs(&list), [(0, 1, true), (2, 3, false)]);
        assert!(list.listing().expect("a list").repeated == [4]);
    }

    #[test]
    fn a_repeated_pair_with_another_area_is_a_contradiction() {
        let repeated = "before,after,boxes\n1,2,0 0 1 1\n1,2,0 0 1 1\n";
        assert_eq!(list(repeated).expect("a list").listing().expect("a list").repeated, [3]);
        rejects("before,after,boxes\n1,2,0 0 1 1\n1,2,0 0 1 2\n", "line 3: it contradicts line 2");
        rejects("before,after,boxes\n1,2,0 0 1 1\n2,1,0 0 1 1\n", "line 3: it contradicts line 2");
        rejects("before,after,boxes\n1,2,0 0 1\n", "line 2: boxes is \"0 0 1\"");
    }

    #[test]
    fn a_column_holds_components_out() {
        let held_out = "a,b,same,split\n1,2,1,train\n3,4,0,held-out\n4,5,1,held-out\n";
        let list = list(held_out).expect("a list");
        assert_eq!(list.held_out(), Some(&BTreeSet::from([1])));
    }

    #[track_caller]
    fn rejects(text: &str, words: &str) {
        let error = list(text).expect_err("an error").to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn a_bad_line_is_reported_with_its_number_and_the_reason() {
        rejects("", "the first line must name the columns a,b,same");
        rejects("a;b;same\n1;2;1\n", "it is \"a;b;same\"");
        rejects("a,b,same\n", "no lines below the first line");
        rejects("a,b,same\n1,2,1\n1,2\n", "line 3: it has 2 fields, and the first line has 3");
        rejects("a,b,same\n1,,1\n", "line 2: \"\" is not a valid image name");
        rejects("a,b,same\n1,\"x\ny\",1\n", "line 2: \"x\\ny\" is not a valid image name");
        rejects("a,b,same\n1,2,maybe\n", "line 2: same is \"maybe\": write 1 or 0");
        rejects(
            "a,b,same,split\n1,2,1,test\n",
            "line 2: split is \"test\": write train or held-out",
        );
        rejects("a,b,same\n1,../2,1\n", "line 2: ../2 is not below the list's folder");
        rejects("a,b,same\n1,/etc/passwd,1\n", "line 2: /etc/passwd is not below");
        rejects("a,b,same\n1,./1,1\n", "line 2: 1 is compared with itself");
        rejects("a,b,same\n1,2,1\n2,1,0\n", "line 3: it contradicts line 2 about 2 and 1");
        let both = "a,b,same,split\n1,2,1,train\n2,3,1,held-out\n";
        rejects(both, "line 3: 2 is on the other side of the split on line 2");
    }

    #[test]
    fn bytes_that_are_not_text_are_rejected() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("pairs.csv");
        fs::write(&path, b"a,b,same\n1,\xff,1\n").expect("a file");
        let error = read(&path).expect_err("an error").to_string();
        assert!(error.contains("line 2: it is not UTF-8"), "{error}");
    }
}
