//! A folder of images, in which each subfolder is an identity.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use siamese_core::file::{is_left_by_desktop, shown};
use walkdir::{DirEntry, WalkDir};

use super::{DataError, Identity, Image, natural};

/// File extensions of images; used to find images in the wrong place.
const IMAGE_EXTENSIONS: [&str; 12] =
    ["bmp", "gif", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp"];

/// Finds all folders below `root` that contain files; each is an identity.
///
/// Files that a desktop leaves in folders are ignored. So are files directly in `root`, unless they look like images. A
/// link that leads nowhere is among the images: reading it gives the reason.
pub(super) fn scan(root: &Path) -> Result<Vec<Identity>, DataError> {
    let mut found = BTreeMap::<String, Vec<Image>>::new();
    for entry in walk(root) {
        let Some((depth, path)) = file(root, entry, 1)? else { continue };
        if depth < 2 {
            if looks_like_an_image(&path) {
                return Err(DataError::OutsideIdentity(path));
            }
            continue;
        }
        let image = image(root, &path);
        let folder = image.file.parent().map(shown).unwrap_or_default();
        found.entry(folder).or_default().push(image);
    }
    if found.is_empty() {
        return Err(DataError::Empty(root.to_path_buf()));
    }
    let identity = |(name, mut images): (String, Vec<Image>)| {
        images.sort_by(|a, b| natural::compare(&a.name, &b.name));
        Identity { name, images }
    };
    Ok(found.into_iter().map(identity).collect())
}

/// Finds all files below `root` that look like images, at any depth.
pub(super) fn files(root: &Path) -> Result<Vec<Image>, DataError> {
    let mut found = Vec::new();
    for entry in walk(root) {
        let file = file(root, entry, 0)?;
        found.extend(file.filter(|(_, path)| looks_like_an_image(path)));
    }
    if found.is_empty() {
        return Err(DataError::NoImages(root.to_path_buf()));
    }
    Ok(found.iter().map(|(_, path)| image(root, path)).collect())
}

/// Walks through a folder, without what a desktop leaves there.
fn walk(root: &Path) -> impl Iterator<Item = walkdir::Result<DirEntry>> {
    let is_data = |entry: &DirEntry| entry.depth() == 0 || !is_left_by_desktop(entry.file_name());
    WalkDir::new(root).follow_links(true).into_iter().filter_entry(is_data)
}

fn image(root: &Path, path: &Path) -> Image {
    let file = path.strip_prefix(root).unwrap_or(path);
    Image { name: shown(file), file: file.to_path_buf(), line: None, variant: None }
}

/// Returns the depth and the path of a file, or of a link that leads nowhere; `None` for anything else. Links that lead
/// nowhere are errors down to the depth `least`, where they may stand for identities.
fn file(
    root: &Path,
    entry: walkdir::Result<DirEntry>,
    least: usize,
) -> Result<Option<(usize, PathBuf)>, DataError> {
    match entry {
        Ok(entry) => Ok(entry.file_type().is_file().then(|| (entry.depth(), entry.into_path()))),
        Err(error) => {
            let path = error.path().unwrap_or(root).to_path_buf();
            let depth = error.depth();
            let leads_nowhere = error.io_error().is_some() && path.is_symlink();
            if leads_nowhere && path.file_name().is_some_and(is_left_by_desktop) {
                Ok(None)
            } else if leads_nowhere && least < depth {
                Ok(Some((depth, path)))
            } else if leads_nowhere {
                Err(DataError::LostLink(path))
            } else {
                let in_circles = || io::Error::other("a link leads to a folder above it");
                let cause = error.into_io_error().unwrap_or_else(in_circles);
                Err(DataError::Unwalkable { folder: path, cause })
            }
        }
    }
}

fn looks_like_an_image(path: &Path) -> bool {
    path.extension()
        .is_some_and(|found| IMAGE_EXTENSIONS.iter().any(|known| found.eq_ignore_ascii_case(known)))
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
        let names = |identity: &Identity| {
            identity.images.iter().map(|image| image.name.clone()).collect::<Vec<_>>()
        };
        let found = found.iter().map(|identity| (identity.name.as_str(), names(identity)));
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
        check(
            &["s1/1.pgm", "s1/.DS_Store", "s1/Thumbs.db", ".git/HEAD", "README.md"],
            &[("s1", &["s1/1.pgm"])],
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_an_image_of_its_identity_or_an_error() {
        use std::os::unix::fs::symlink;
        let data = data(&["s1/1.pgm"]);
        for name in ["s1/2.pgm", "s1/.lock", ".lock"] {
            symlink("nowhere", data.path().join(name)).expect("a link");
        }
        let found = scan(data.path()).expect("images");
        let names: Vec<_> = found[0].images.iter().map(|image| image.name.as_str()).collect();
        assert_eq!(names, ["s1/1.pgm", "s1/2.pgm"]);
        symlink("nowhere", data.path().join("s2")).expect("a link");
        assert!(matches!(scan(data.path()), Err(DataError::LostLink(_))));
    }

    #[test]
    fn an_image_directly_in_the_data_folder_is_rejected() {
        let data = data(&["s1/1.pgm", "2.PGM"]);
        assert!(matches!(scan(data.path()), Err(DataError::OutsideIdentity(_))));
    }
}
