//! Which images show whom, told by the folders they lie in.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use walkdir::{DirEntry, WalkDir};

use super::{DataError, Identity, natural};

/// Endings by which a file in the wrong place is taken for an image.
const IMAGE_ENDINGS: [&str; 12] =
    ["bmp", "gif", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp"];

/// Finds every folder below `root` that holds files; each is an identity. Names that begin with
/// a dot are passed over, and so are files directly in `root` that don't look like images.
pub(super) fn scan(root: &Path) -> Result<Vec<Identity>, DataError> {
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
            if looks_like_an_image(entry.path()) {
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
    let identity = |(name, mut images): (String, Vec<String>)| {
        images.sort_by(|a, b| natural::compare(a, b));
        let images = images.iter().map(|it| format!("{name}/{it}")).collect();
        Identity { name, images }
    };
    Ok(found.into_iter().map(identity).collect())
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}

fn looks_like_an_image(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| IMAGE_ENDINGS.iter().any(|it| ending.eq_ignore_ascii_case(it)))
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

    #[track_caller]
    fn check(files: &[&str], expected: &[(&str, &[&str])]) {
        let data = data(files);
        let found = scan(data.path()).expect("images");
        let found = found.iter().map(|it| (it.name.as_str(), it.images.clone()));
        let expected = expected.iter().map(|(name, images)| {
            (*name, images.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
        });
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn every_folder_that_holds_files_is_an_identity_named_by_its_path() {
        check(
            &["s2/10.pgm", "s2/9.pgm", "Greek/character01/a.png"],
            &[
                ("Greek/character01", &["Greek/character01/a.png"]),
                ("s2", &["s2/9.pgm", "s2/10.pgm"]),
            ],
        );
    }

    #[test]
    fn what_begins_with_a_dot_and_notes_beside_the_folders_are_passed_over() {
        check(&["s1/1.pgm", "s1/.DS_Store", ".git/HEAD", "README.md"], &[("s1", &["s1/1.pgm"])]);
    }

    #[test]
    fn an_image_directly_in_the_data_folder_is_refused() {
        let data = data(&["s1/1.pgm", "2.PGM"]);
        assert!(matches!(scan(data.path()), Err(DataError::Loose(_))));
    }
}
