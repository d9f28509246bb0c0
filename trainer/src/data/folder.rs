//! Which pictures show whom, told by the folders they lie in.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::{DataError, natural};

/// Endings by which a file in the wrong place is taken for a picture.
const PICTURE_ENDINGS: [&str; 12] =
    ["bmp", "gif", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp"];

/// A folder of identities.
///
/// Invariant: there is at least one identity; names are unique and in natural order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    root: PathBuf,
    identities: Vec<Identity>,
}

/// One person or thing, and the files that show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its folder relative to the data folder, with `/` between levels.
    pub name: String,
    /// Its files' names in natural order; at least one.
    pub pictures: Vec<String>,
}

impl Folder {
    /// Finds every folder below `root` that holds files; each is an identity. Names that begin with
    /// a dot are passed over, and so are files directly in `root` that don't look like pictures.
    pub fn scan(root: &Path) -> Result<Self, DataError> {
        let mut found = BTreeMap::<String, Vec<String>>::new();
        let walk = WalkDir::new(root).follow_links(true).into_iter();
        for entry in walk.filter_entry(|it| it.depth() == 0 || !is_hidden(it)) {
            let entry = entry.map_err(|error| DataError::Unwalkable {
                folder: error.path().unwrap_or(root).to_path_buf(),
                cause: error.into_io_error().unwrap_or_else(|| ErrorKind::Other.into()),
            })?;
            if !entry.file_type().is_file() {
                continue;
            }
            if entry.depth() < 2 {
                if looks_like_a_picture(entry.path()) {
                    return Err(DataError::Loose(entry.path().to_path_buf()));
                }
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            found.entry(identity(root, &entry)).or_default().push(name);
        }
        if found.is_empty() {
            return Err(DataError::Empty(root.to_path_buf()));
        }
        let mut identities: Vec<_> = found
            .into_iter()
            .map(|(name, mut pictures)| {
                pictures.sort_by(|a, b| natural::compare(a, b));
                Identity { name, pictures }
            })
            .collect();
        identities.sort_by(|a, b| natural::compare(&a.name, &b.name));
        Ok(Self { root: root.to_path_buf(), identities })
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its last name, for people to know the data by.
    pub fn name(&self) -> String {
        let root = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        root.file_name().map_or_else(String::new, |it| it.to_string_lossy().into_owned())
    }

    /// Its identities, in natural order.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// Splits off the identities that `held_out` picks by their place: (the others, those).
    pub fn partition(&self, held_out: impl Fn(usize) -> bool) -> (Self, Self) {
        let part = |wanted: bool| Self {
            root: self.root.clone(),
            identities: self
                .identities
                .iter()
                .enumerate()
                .filter(|(at, _)| held_out(*at) == wanted)
                .map(|(_, identity)| identity.clone())
                .collect(),
        };
        (part(false), part(true))
    }
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}

fn looks_like_a_picture(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| PICTURE_ENDINGS.iter().any(|it| ending.eq_ignore_ascii_case(it)))
}

/// The name of the folder an entry lies in, relative to `root`.
fn identity(root: &Path, entry: &DirEntry) -> String {
    let folder = entry.path().parent().unwrap_or(root);
    let relative = folder.strip_prefix(root).unwrap_or(folder);
    relative.iter().map(|it| it.to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn data(files: &[&str]) -> TempDir {
        let data = TempDir::new().expect("a folder");
        for file in files {
            let path = data.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, file).expect("a file");
        }
        data
    }

    fn names(folder: &Folder) -> Vec<&str> {
        folder.identities().iter().map(|it| it.name.as_str()).collect()
    }

    #[test]
    fn every_folder_that_holds_files_is_an_identity_named_by_its_path() {
        let data = data(&["s10/1.pgm", "s2/10.pgm", "s2/9.pgm", "Greek/character01/a.png"]);
        let folder = Folder::scan(data.path()).expect("pictures");
        assert_eq!(names(&folder), ["Greek/character01", "s2", "s10"]);
        assert_eq!(folder.identities()[1].pictures, ["9.pgm", "10.pgm"]);
    }

    #[test]
    fn what_begins_with_a_dot_and_notes_beside_the_folders_are_passed_over() {
        let data = data(&["s1/1.pgm", "s1/.DS_Store", ".git/HEAD", "README.md"]);
        let folder = Folder::scan(data.path()).expect("pictures");
        assert_eq!(names(&folder), ["s1"]);
        assert_eq!(folder.identities()[0].pictures, ["1.pgm"]);
    }

    #[test]
    fn a_picture_directly_in_the_data_folder_is_refused() {
        let data = data(&["s1/1.pgm", "2.PGM"]);
        assert!(matches!(Folder::scan(data.path()), Err(DataError::Loose(_))));
    }

    #[test]
    fn a_partition_keeps_everybody_on_one_side() {
        let data = data(&["a/1.png", "b/1.png", "c/1.png"]);
        let folder = Folder::scan(data.path()).expect("pictures");
        let (others, those) = folder.partition(|it| it == 1);
        assert_eq!((names(&others), names(&those)), (vec!["a", "c"], vec!["b"]));
    }
}
