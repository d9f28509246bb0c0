//! Lists: what is compared with what, as somebody wrote it down in a CSV file.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::path::{Component, Path};

mod components;
mod error;
mod header;
mod listing;

pub use error::{BadLine, ListError};
pub use listing::{ListedPair, Listing};

use super::{Collection, Identity, natural};
use components::components;
use error::{LARGEST, in_words};
use header::Header;

/// What has been read so far; images are told by the order in which they came.
#[derive(Default)]
struct Reading {
    names: Vec<String>,
    places: HashMap<String, usize>,
    lines: Vec<u64>,
    /// By its two images, what was said of them, and on which line first.
    pairs: BTreeMap<[usize; 2], (bool, u64)>,
    /// The same in their order.
    order: Vec<ListedPair>,
    triplets: Vec<[usize; 3]>,
    seen: HashSet<[usize; 3]>,
    repeated: Vec<u64>,
    /// An image of each line, its line, and whether it is held out.
    sides: Vec<(usize, u64, bool)>,
}

/// Reads a list.
pub(super) fn read(path: &Path) -> Result<Collection, ListError> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if LARGEST < size {
        return Err(ListError::TooLarge(size));
    }
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let header = Header::read(&mut reader)?;
    let mut reading = Reading::default();
    for record in reader.records() {
        let record = record.map_err(in_words)?;
        let line = record.position().map_or(0, csv::Position::line);
        reading.add(&header, &record, line).map_err(|why| ListError::Line { line, why })?;
    }
    if reading.order.is_empty() {
        return Err(ListError::Empty);
    }
    reading.collection(path)
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
                self.pair([anchor, same], true, line)?;
                self.pair([anchor, different], false, line)?;
                let triplet = [anchor, same, different];
                if self.seen.insert(triplet) {
                    self.triplets.push(triplet);
                } else {
                    self.repeated.push(line);
                }
            }
            (is_same, two) => {
                if !self.pair([two[0], two[1]], is_same.unwrap_or_default(), line)? {
                    self.repeated.push(line);
                }
            }
        }
        Ok(())
    }

    /// The place of an image by its name, however that is spelt.
    fn image(&mut self, name: &str, line: u64) -> Result<usize, BadLine> {
        if name.chars().any(char::is_control) {
            return Err(BadLine::NoImage(name.to_owned()));
        }
        let mut parts = Vec::new();
        for part in Path::new(name).components() {
            match part {
                Component::Normal(part) => parts.push(part.to_string_lossy()),
                Component::CurDir => {}
                _ => return Err(BadLine::Outside(name.to_owned())),
            }
        }
        if parts.is_empty() {
            return Err(BadLine::NoImage(name.to_owned()));
        }
        let name = parts.join("/");
        if let Some(place) = self.places.get(&name) {
            return Ok(*place);
        }
        let place = self.names.len();
        self.names.push(name.clone());
        self.lines.push(line);
        self.places.insert(name, place);
        Ok(place)
    }

    /// Notes what is said of two images; whether that is new.
    fn pair(&mut self, two: [usize; 2], is_same: bool, line: u64) -> Result<bool, BadLine> {
        let [left, right] = two;
        if left == right {
            return Err(BadLine::Itself(self.names[left].clone()));
        }
        let said = self.pairs.get(&[left.min(right), left.max(right)]);
        if let Some((was_same, earlier)) = said {
            let [one, other] = two.map(|it| self.names[it].clone());
            return if *was_same == is_same {
                Ok(false)
            } else {
                Err(BadLine::Contradiction(*earlier, one, other))
            };
        }
        self.pairs.insert([left.min(right), left.max(right)], (is_same, line));
        self.order.push(ListedPair { left, right, is_same });
        Ok(true)
    }

    /// All of it by component, in natural order.
    fn collection(self, path: &Path) -> Result<Collection, ListError> {
        let numbers = components(self.names.len(), self.order.iter().map(|it| [it.left, it.right]));
        let sides = self.sides(&numbers)?;
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by(|a, b| natural::compare(&self.names[*a], &self.names[*b]));
        let n_components = numbers.iter().max().map_or(0, |it| it + 1);
        // Each with its first image in natural order, by which it is named and placed.
        let mut groups = vec![Vec::new(); n_components];
        for at in &order {
            groups[numbers[*at]].push(*at);
        }
        let mut rank = vec![0; self.names.len()];
        for (at, image) in order.iter().enumerate() {
            rank[*image] = at;
        }
        groups.sort_by_key(|it| rank[it[0]]);
        let mut places = vec![0; self.names.len()];
        for (place, image) in groups.iter().flatten().enumerate() {
            places[*image] = place;
        }
        let name = |it: &usize| self.names[*it].clone();
        let identities = groups
            .iter()
            .map(|it| Identity { name: name(&it[0]), images: it.iter().map(name).collect() })
            .collect();
        let held_out = (!sides.is_empty()).then(|| {
            let is_held_out = |it: &Vec<usize>| sides.get(&numbers[it[0]]).is_some_and(|it| it.1);
            (0..groups.len()).filter(|at| is_held_out(&groups[*at])).collect::<BTreeSet<_>>()
        });
        let moved =
            |it: &ListedPair| ListedPair { left: places[it.left], right: places[it.right], ..*it };
        let listing = Listing {
            pairs: self.order.iter().map(moved).collect(),
            triplets: self.triplets.iter().map(|it| it.map(|at| places[at])).collect(),
            lines: groups.iter().flatten().map(|it| self.lines[*it]).collect(),
            repeated: self.repeated,
        };
        Ok(Collection::listed(path, identities, listing, held_out))
    }

    /// For each component the line that first names its side, and the side.
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

    fn pairs(list: &Collection) -> Vec<(usize, usize, bool)> {
        let pairs = list.listing().expect("a list").pairs().iter();
        pairs.map(|it| (it.left, it.right, it.is_same)).collect()
    }

    #[test]
    fn images_that_pairs_connect_are_one_component_named_by_its_first() {
        let list = list("a,b,same\nx10,x2,1\ny/1,y/2,0\n./x2,x3,0\n").expect("a list");
        let found = list.identities().iter();
        let found: Vec<_> = found.map(|it| (it.name.as_str(), it.images.join(" "))).collect();
        assert_eq!(found, [("x2", "x2 x3 x10".to_owned()), ("y/1", "y/1 y/2".to_owned())]);
        assert_eq!(pairs(&list), [(2, 0, true), (3, 4, false), (0, 1, false)]);
        assert_eq!(list.listing().expect("a list").line(1), 4);
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
    fn what_is_said_twice_counts_once() {
        let list = list("before,after,changed\n1,2,0\n3,4,1\n2,1,0\n").expect("a list");
        assert_eq!(pairs(&list), [(0, 1, true), (2, 3, false)]);
        assert!(list.listing().expect("a list").repeated == [4]);
    }

    #[test]
    fn a_column_holds_components_out() {
        let held_out = "a,b,same,split\n1,2,1,train\n3,4,0,held-out\n4,5,1,held-out\n";
        let list = list(held_out).expect("a list");
        assert_eq!(list.held_out(), Some(&BTreeSet::from([1])));
    }

    #[track_caller]
    fn refuses(text: &str, words: &str) {
        let refusal = list(text).expect_err("refused").to_string();
        assert!(refusal.contains(words), "{refusal}");
    }

    #[test]
    fn a_bad_line_is_named_with_what_is_wrong() {
        refuses("", "its first line has to name the columns a,b,same");
        refuses("a;b;same\n1;2;1\n", "it is \"a;b;same\"");
        refuses("a,b,same\n", "nothing below its first line");
        refuses("a,b,same\n1,2,1\n1,2\n", "line 3: it has 2 fields, and the first line has 3");
        refuses("a,b,same\n1,,1\n", "line 2: \"\" is no name of an image");
        refuses("a,b,same\n1,\"x\ny\",1\n", "line 2: \"x\\ny\" is no name");
        refuses("a,b,same\n1,2,maybe\n", "line 2: same is \"maybe\": write 1 or 0");
        refuses(
            "a,b,same,split\n1,2,1,test\n",
            "line 2: split is \"test\": write train or held-out",
        );
        refuses("a,b,same\n1,../2,1\n", "line 2: ../2 does not lie below the list's own folder");
        refuses("a,b,same\n1,/etc/passwd,1\n", "line 2: /etc/passwd does not lie below");
        refuses("a,b,same\n1,./1,1\n", "line 2: 1 is compared with itself");
        refuses("a,b,same\n1,2,1\n2,1,0\n", "line 3: it says the opposite of line 2 about 2 and 1");
        let both = "a,b,same,split\n1,2,1,train\n2,3,1,held-out\n";
        refuses(both, "line 3: 2 is on the other side of the split on line 2");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("pairs.csv");
        fs::write(&path, b"a,b,same\n1,\xff,1\n").expect("a file");
        let refusal = read(&path).expect_err("refused").to_string();
        assert!(refusal.contains("line 2: it is not in UTF-8"), "{refusal}");
    }
}
