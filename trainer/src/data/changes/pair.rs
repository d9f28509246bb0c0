//! The pairs of a list that tells where the second image differs from the first.

use std::path::Path;

use super::NotAligned;
use crate::data::{ChangedArea, Collection, Image};

/// A pair of a list that tells where the second image differs from the first.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangePair {
    /// The first image and the second one.
    pub images: [Image; 2],
    /// The index of its component in the collection.
    pub component: u32,
    /// Where the second image differs.
    pub area: ChangedArea,
}

/// The files of a pair.
pub(crate) struct Uploads {
    /// The first image and the second one.
    pub(crate) images: [Vec<u8>; 2],
    /// The image that is light where the second image differs, if the list names one.
    pub(crate) mask: Option<Vec<u8>>,
}

impl Collection {
    /// Returns the pairs in the order of the list; `None` unless it is a list that tells where pairs have changed.
    pub fn change_pairs(&self) -> Option<Vec<ChangePair>> {
        let listing = self.listing()?;
        let components = self.identities().iter().zip(0_u32..);
        let images: Vec<(&Image, u32)> = components
            .flat_map(|(component, index)| component.images.iter().map(move |image| (image, index)))
            .collect();
        let pairs = listing.pairs().iter().map(|pair| {
            let ((before, component), (after, _)) = (images[pair.left], images[pair.right]);
            let area = listing.area(pair)?.clone();
            Some(ChangePair { images: [before.clone(), after.clone()], component, area })
        });
        pairs.collect()
    }
}

impl ChangePair {
    /// Returns the names of both images, as the list names them.
    pub fn names(&self) -> [&str; 2] {
        self.images.each_ref().map(|image| image.name.as_str())
    }

    /// Reads the files. `root` is the folder of the list.
    pub(crate) fn uploads(&self, root: &Path) -> Result<Uploads, NotAligned> {
        let read =
            |image: &Image| image.upload(root).map_err(|why| NotAligned::file(&image.name, why));
        let mask = self
            .mask()
            .map(|name| std::fs::read(root.join(name)).map_err(|why| NotAligned::file(name, why)));
        let [before, after] = &self.images;
        Ok(Uploads { images: [read(before)?, read(after)?], mask: mask.transpose()? })
    }

    /// Returns the name of its mask, if it has one.
    pub(super) fn mask(&self) -> Option<&str> {
        match &self.area {
            ChangedArea::Mask(name) => Some(name),
            ChangedArea::Nowhere | ChangedArea::Boxes(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn pairs(text: &str) -> Option<Vec<ChangePair>> {
        let data = TempDir::new().expect("a folder");
        let list = data.path().join("pairs.csv");
        fs::write(&list, text).expect("a file");
        Collection::open(&list).expect("a list").change_pairs()
    }

    #[test]
    fn only_a_list_with_areas_has_change_pairs() {
        assert_eq!(pairs("before,after,changed\n1,2,1\n3,4,0\n"), None);
        assert_eq!(pairs("path,label\n1,a\n2,b\n"), None);
        let pairs = pairs("before,after,boxes\n5,2,\n1,3,0 0 9 9\n").expect("pairs");
        assert_eq!(pairs[0].names(), ["5", "2"]);
        assert_eq!((pairs[0].component, &pairs[0].area), (1, &ChangedArea::Nowhere));
        let boxes = ChangedArea::Boxes(vec![[0.0, 0.0, 9.0, 9.0]]);
        assert_eq!((pairs[1].component, &pairs[1].area), (0, &boxes));
    }
}
