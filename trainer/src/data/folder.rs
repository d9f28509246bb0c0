//! A folder of images, in which each subfolder is an identity.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use walkdir::{DirEntry, WalkDir};

use super::{DataError, Identity, natural};

/// File extensions of images; used to find images in the wrong place.
const IMAGE_EXTENSIONS: [&str; 12] =
    ["bmp", "gif", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp"];

/// Finds all folders below `root` that contain files; each is an identity.
///
/// Names that start with a dot are ignored. So are files directly in `root`, unless they look like images.
pub(super) fn scan(root: &Path) -> Result<Vec<Identity>, DataError> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    let walk = WalkDir::new(root).follow_links(true).into_iter();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry)) {
        let entry = entry.map_err(|error| DataError::Unwalkable {
            folder: error.path().unwrap_or(root).to_path_buf(),
            cause: error.into_io_error().unwrap_or_else(|| ErrorKind::Other.into()),
        })?;
        if !entry.file_type().is_file() {
            continue;
        }
        if entry.depth() < 2 {
            if looks_like_an_image(entry.path()) {
                return Err(DataError::OutsideIdentity(entry.path().to_path_buf()));
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
        let images = images.iter().map(|image| format!("{name}/{image}")).collect();
        Identity { name, images }
    };
    Ok(found.into_iter().map(identity).collect())
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}

fn looks_like_an_image(path: &Path) -> bool {
    path.extension()
        .is_some_and(|found| IMAGE_EXTENSIONS.iter().any(|known| found.eq_ignore_ascii_case(known)))
}

/// Returns the name of the folder that contains an entry, relative to `root`.
fn identity(root: &Path, entry: &DirEntry) -> String {
    let folder = entry.path().parent().unwrap_or(root);
    let relative = folder.strip_prefix(root).unwrap_or(folder);
    relative.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
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
        let found = found.iter().map(|identity| (identity.name.as_str(), identity.images.clone()));
        let expected = expected.iter().map(|(name, images)| {
            (*name, images.iter().map(|image| (*image).to_owned()).collect::<Vec<_>>())
        });
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn every_folder_with_files_is_an_identity_named_by_its_path() {
        check(
            &["s2/10.pgm", "s2/9.pgm", "Greek/character01/a.png"],
            &[
                ("Greek/character01", &["Greek/character01/a.png"]),
                ("s2", &["s2/9.pgm", "s2/10.pgm"]),
            ],
        );
    }

    #[test]
    fn hidden_files_and_other_files_beside_the_folders_are_ignored() {
        check(&["s1/1.pgm", "s1/.DS_Store", ".git/HEAD", "README.md"], &[("s1", &["s1/1.pgm"])]);
    }

    #[test]
    fn an_image_directly_in_the_data_folder_is_rejected() {
        let data = data(&["s1/1.pgm", "2.PGM"]);
        assert!(matches!(scan(data.path()), Err(DataError::OutsideIdentity(_))));
    }
}
