//! The map of the images.

use siamese_drawing::{Place, Svg};

use crate::evaluate::{Evaluation, Map};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 560.0;
const MARGIN: f64 = 34.0;
/// The largest number of images that are drawn as thumbnails; more are drawn as dots.
const IMAGES: usize = 160;
const SIDE: f64 = 30.0;
/// The number of named identities.
const NAMED: usize = 8;

/// Draws the map with the names of the `hardest` identities, given by index.
pub(in crate::report) fn map(
    evaluation: &Evaluation,
    map: &Map,
    hardest: &[usize],
    thumbnail: &dyn Fn([u32; 2]) -> String,
) -> Svg {
    let mut svg = Svg::new(WIDTH, HEIGHT, "Map of the images by the model's distances");
    let places = placed(map);
    for (image, (x, y)) in map.images.iter().zip(&places) {
        let identity = image[0] as usize;
        if map.images.len() <= IMAGES {
            let corner = (x - SIDE / 2.0, y - SIDE / 2.0);
            svg.image(corner, SIDE, &thumbnail(*image));
            svg.frame(identity, corner, SIDE);
        } else {
            svg.dot(identity, (*x, *y), 4.5);
        }
    }
    for identity in hardest.iter().take(NAMED) {
        let own: Vec<_> = map
            .images
            .iter()
            .zip(&places)
            .filter(|(it, _)| it[0] as usize == *identity)
            .map(|(_, place)| *place)
            .collect();
        let count = f64::from(u32::try_from(own.len().max(1)).unwrap_or(1));
        let sum = own.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        if !own.is_empty() {
            let name = &evaluation.subject.identities[*identity];
            svg.text("halo middle", (sum.0 / count, sum.1 / count + 4.0), name);
        }
    }
    svg
}

/// Returns the coordinates on the drawing. Both axes have the same scale.
fn placed(map: &Map) -> Vec<Place> {
    let reach =
        |axis: usize| map.plane.places.iter().map(|place| place[axis].abs()).fold(1e-9, f64::max);
    let scale = ((WIDTH / 2.0 - MARGIN) / reach(0)).min((HEIGHT / 2.0 - MARGIN) / reach(1));
    let place =
        |place: &[f64; 2]| (WIDTH / 2.0 + scale * place[0], HEIGHT / 2.0 - scale * place[1]);
    map.plane.places.iter().map(place).collect()
}
