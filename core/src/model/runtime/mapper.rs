//! The map of a model: its output for each place of an image.

use super::network::Network;
use super::session::open;
use super::sizes::Sizes;
use super::{Options, synthetic};
use crate::model::{Card, LoadError, Mapped, ModelError, Source};
use crate::preprocessing::Pixels;
use crate::score::Map;

/// A session whose output is the map.
pub(super) struct Mapper {
    network: Network,
    /// Coordinates of a place, rows and columns.
    shape: [usize; 3],
}

impl Mapper {
    /// Opens a session of a model's map. `None` if the model has no map.
    pub(super) fn open(
        source: &Source,
        card: &Card,
        options: &Options,
        sizes: Sizes,
    ) -> Result<Option<Self>, LoadError> {
        let path = || source.path().to_owned();
        let Some(onnx) = source.map_alone()? else { return Ok(None) };
        let (session, _) = open(source.path(), &onnx, options)?;
        let network = Network::new(session, &card.preprocessing)
            .map_err(|why| LoadError::Shape { path: path(), why })?;
        let image = synthetic::waves(&card.preprocessing, 0)
            .map_err(|source| LoadError::Input { path: path(), source })?;
        let failed = |source| LoadError::Run { path: path(), source };
        let mut mapper = Self { network, shape: [0; 3] };
        mapper.shape = mapper.probe(&image).map_err(failed)?;
        mapper.network.sizes = sizes;
        for size in sizes.to_warm() {
            mapper.map(&vec![image.clone(); size]).map_err(failed)?;
        }
        Ok(Some(mapper))
    }

    /// Rows and columns of the map.
    pub(super) fn places(&self) -> [usize; 2] {
        let [_, rows, columns] = self.shape;
        [rows, columns]
    }

    pub(super) fn map(&mut self, images: &[Pixels]) -> Result<Vec<Mapped>, ModelError> {
        let shape = self.shape;
        let [width, rows, columns] = shape;
        let mut maps = Vec::with_capacity(images.len());
        self.network.run_all(images, |images, size, found, values| {
            if !is(found, size, shape) {
                return Err(ModelError::Map { images: size, shape, found: found.to_vec() });
            }
            let of_images = values.chunks_exact(width * rows * columns).take(images);
            maps.extend(of_images.map(|values| Map::new(rows, columns, values)));
            Ok(())
        })?;
        Ok(maps)
    }

    fn probe(&mut self, image: &Pixels) -> Result<[usize; 3], ModelError> {
        self.network.run(std::slice::from_ref(image), 1, |found, _| {
            let shape = found.get(1..).and_then(|found| {
                let lengths: [i64; 3] = found.try_into().ok()?;
                let [width, rows, columns] =
                    lengths.map(|length| usize::try_from(length).ok().filter(|length| 0 < *length));
                Some([width?, rows?, columns?])
            });
            shape.filter(|shape| is(found, 1, *shape)).ok_or_else(|| ModelError::Map {
                images: 1,
                shape: [0; 3],
                found: found.to_vec(),
            })
        })
    }
}

fn is(found: &[i64], images: usize, [width, rows, columns]: [usize; 3]) -> bool {
    let expected = [images, width, rows, columns];
    found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, expected)| usize::try_from(*found) == Ok(expected))
}
