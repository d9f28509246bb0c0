//! A folder in which each image is its own identity, with variants as its other images.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use siamese_core::file::shown;

use super::{Collection, DataError, Identity, Image, Variant, digest_of_file, folder, natural};

/// The largest number of variants of a training set. A larger set has fewer for each image, at least one.
const MAX_VARIANTS: usize = 24_000;
/// The largest number of images, without variants, that are compared with each other: 300 images with six variants
/// each have 2.2 million pairs.
const MAX_MEASURED: usize = 300;

impl Collection {
    /// Finds the images of a folder at any depth. Each is an identity, named by its path. Equal files count once.
    ///
    /// # Errors
    ///
    /// If the path is no folder, or has no images.
    pub fn each_image(path: &Path) -> Result<Self, DataError> {
        if path.is_file() {
            return Err(DataError::NotEach(path.to_path_buf()));
        }
        let mut images = folder::files(path)?;
        images.sort_by(|a, b| natural::compare(&a.name, &b.name));
        let all = images.len();
        let copies = copies(path, &images);
        let identities: Vec<Identity> = images
            .into_iter()
            .enumerate()
            .filter(|(index, _)| !copies.contains(index))
            .map(|(_, image)| Identity { name: image.name.clone(), images: vec![image] })
            .collect();
        let n_equal = all - identities.len();
        let note = (0 < n_equal).then(|| {
            format!(
                "{n_equal} of {all} files are equal to another one, so each such image counts once"
            )
        });
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let name = shown(whole.file_name().unwrap_or_default().as_ref());
        Ok(Self::of_each_image(path, format!("{name} (each image)"), identities, note))
    }

    /// Adds variants to each image of a training set; a collection of identities stays as it is.
    #[must_use]
    pub fn with_variants(self) -> Self {
        let count = MAX_VARIANTS / self.identities().len();
        self.varied(count.clamp(1, Variant::ALL.len()))
    }

    /// Adds all variants to up to 300 images, spread evenly; a collection of identities stays as it is. Every image is
    /// compared with every other, so more would take too long.
    #[must_use]
    pub fn measurable(self) -> Self {
        if !self.is_of_each_image() {
            return self;
        }
        let all = self.identities().len();
        let chosen: BTreeSet<usize> =
            (0..MAX_MEASURED.min(all)).map(|index| index * all / MAX_MEASURED.min(all)).collect();
        let part = if chosen.len() < all {
            self.partition(|identity| chosen.contains(&identity)).1
        } else {
            self
        };
        part.varied(Variant::ALL.len())
    }

    /// Adds `count` variants to each image. If they are not all, the images take turns.
    fn varied(mut self, count: usize) -> Self {
        if !self.is_of_each_image() {
            return self;
        }
        for (index, identity) in self.identities_mut().iter_mut().enumerate() {
            let original = identity.images[0].clone();
            let turns = Variant::ALL.into_iter().cycle().skip(index * count % Variant::ALL.len());
            identity.images.extend(turns.take(count).map(|variant| Image {
                name: format!("{} ({variant})", original.name),
                variant: Some(variant),
                ..original.clone()
            }));
        }
        self
    }
}

/// Returns the images whose files equal an earlier one, by index. A file that cannot be read equals no other.
fn copies(root: &Path, images: &[Image]) -> BTreeSet<usize> {
    let mut by_size = BTreeMap::<u64, Vec<usize>>::new();
    for (index, image) in images.iter().enumerate() {
        if let Ok(metadata) = fs::metadata(root.join(&image.file)) {
            by_size.entry(metadata.len()).or_default().push(index);
        }
    }
    let mut copies = BTreeSet::new();
    // Files of different sizes are not read.
    for indices in by_size.into_values().filter(|indices| 1 < indices.len()) {
        let mut seen = BTreeSet::new();
        for index in indices {
            let digest = digest_of_file(&root.join(&images[index].file));
            if digest.is_ok_and(|digest| !seen.insert(digest)) {
                copies.insert(index);
            }
        }
    }
    copies
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> TempDir {
        let data = TempDir::new().expect("a folder");
        for (file, text) in files {
            let path = data.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        data
    }

    fn many(count: usize) -> Collection {
        let names: Vec<String> = (0..count).map(|number| format!("{number}.png")).collect();
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
        Collection::each_image(folder(&files).path()).expect("images")
    }

    #[test]
    fn an_image_at_any_depth_is_an_identity_and_equal_files_count_once() {
        let data = folder(&[
            ("b.png", "1"),
            ("a/10.jpg", "2"),
            ("a/9.jpg", "3"),
            ("a/b/c.webp", "1"),
            ("notes.txt", "4"),
            (".git/x.png", "5"),
        ]);
        let images = Collection::each_image(data.path()).expect("images");
        let names: Vec<_> = images.identities().iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a/9.jpg", "a/10.jpg", "a/b/c.webp"]);
        assert!(images.name().ends_with(" (each image)"));
        let note = "1 of 4 files are equal to another one, so each such image counts once";
        assert_eq!(images.note(), Some(note));
    }

    #[test]
    fn each_image_has_its_variants() {
        let images = many(3).with_variants();
        let names: Vec<_> =
            images.identities()[1].images.iter().map(|image| image.name.as_str()).collect();
        let expected = ["1.png", "1.png (crop)", "1.png (scale)", "1.png (jpeg)", "1.png (colour)"];
        assert_eq!(names[..5], expected);
        assert_eq!(names.len(), 7);
    }

    #[test]
    fn a_few_variants_take_turns() {
        use Variant::{Colour, Crop, Jpeg, Overlay, Scale, Turn};
        let images = many(4).varied(4);
        let variants = |identity: usize| -> Vec<Variant> {
            images.identities()[identity].images.iter().filter_map(|image| image.variant).collect()
        };
        assert_eq!(variants(0), [Crop, Scale, Jpeg, Colour]);
        assert_eq!(variants(1), [Overlay, Turn, Crop, Scale]);
        assert_eq!(variants(2), [Jpeg, Colour, Overlay, Turn]);
    }

    #[test]
    fn a_large_folder_is_measured_in_part_and_trained_with_fewer_variants() {
        let all = many(451);
        let measured = all.clone().measurable();
        assert_eq!(measured.identities().len(), MAX_MEASURED);
        assert!(measured.identities().iter().all(|identity| identity.images.len() == 7));
        assert_eq!(measured.identities()[0].name, "0.png");
        assert_eq!(many(20).measurable().identities().len(), 20);
    }

    #[test]
    fn a_list_or_an_empty_folder_is_refused() {
        let data = folder(&[("list.csv", "path,label\n1,a\n")]);
        let list = Collection::each_image(&data.path().join("list.csv"));
        assert!(matches!(list, Err(DataError::NotEach(_))));
        assert!(matches!(Collection::each_image(data.path()), Err(DataError::NoImages(_))));
    }
}
