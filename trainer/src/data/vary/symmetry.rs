//! New identities made by symmetry: a character rotated by 90 degrees is another character.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use siamese_core::preprocessing::Pixels;

use crate::data::{Gallery, Sample};

/// The transformed identities that are added to the training data.
///
/// A rotated or mirrored identity counts as a new identity (A. Santoro et al., *Meta-learning with memory-augmented
/// neural networks*, 2016, for rotated characters).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Symmetry {
    /// No new identities.
    #[default]
    None,
    /// Mirror images: twice as many identities.
    Mirrored,
    /// Rotations by 90, 180 and 270 degrees: four times as many. For square images.
    Turned,
    /// Both: eight times as many. For square images.
    TurnedAndMirrored,
}

impl Symmetry {
    /// Returns whether images must be square.
    pub fn turns(self) -> bool {
        matches!(self, Self::Turned | Self::TurnedAndMirrored)
    }

    /// Returns all forms: the number of quarter turns, and whether the result is mirrored.
    fn forms(self) -> &'static [(usize, bool)] {
        const FORMS: [(usize, bool); 8] = [
            (0, false),
            (1, false),
            (2, false),
            (3, false),
            (0, true),
            (1, true),
            (2, true),
            (3, true),
        ];
        match self {
            Self::None => &FORMS[..1],
            Self::Mirrored => &[(0, false), (0, true)],
            Self::Turned => &FORMS[..4],
            Self::TurnedAndMirrored => &FORMS,
        }
    }
}

impl Gallery {
    /// Returns each identity in all its forms; each form is an identity. For a list, each pair appears with both images in
    /// the same form.
    ///
    /// # Shapes
    ///
    /// - `shape`: channels, height and width of the samples; square where the symmetry
    ///   [turns](Symmetry::turns)
    #[must_use]
    pub fn in_all_forms(&self, symmetry: Symmetry, shape: [usize; 3]) -> Cow<'_, Self> {
        let mut forms = Cow::Borrowed(self);
        for (number, form) in symmetry.forms().iter().enumerate().skip(1) {
            let forms = forms.to_mut();
            let first = number * self.identities().len();
            let names = self.identities().iter().map(|name| format!("{name} ({number})"));
            forms.identities.extend(names);
            if let (Some(listing), Some(own)) = (&mut forms.listing, self.listing()) {
                listing.repeat(own, number * self.samples().len());
            }
            forms.samples.extend(self.samples().iter().map(|sample| Sample {
                identity: first + sample.identity,
                pixels: transformed(&sample.pixels, shape, *form),
                ..sample.clone()
            }));
        }
        forms
    }
}

fn transformed(
    pixels: &Pixels,
    [_, height, width]: [usize; 3],
    (quarters, mirrored): (usize, bool),
) -> Pixels {
    let mut values = Vec::with_capacity(pixels.values().len());
    for channel in pixels.values().chunks_exact(height * width) {
        for row in 0..height {
            for column in 0..width {
                let column = if mirrored { width - 1 - column } else { column };
                let (from_row, from_column) = match quarters {
                    0 => (row, column),
                    1 => (column, height - 1 - row),
                    2 => (height - 1 - row, width - 1 - column),
                    _ => (width - 1 - column, row),
                };
                values.push(channel[from_row * width + from_column]);
            }
        }
    }
    Pixels::new(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(form: (usize, bool), expected: [f32; 4]) {
        let image = Pixels::new(vec![1.0, 2.0, 3.0, 4.0]);
        assert_eq!(transformed(&image, [1, 2, 2], form).values(), expected);
    }

    #[test]
    fn an_image_is_turned_counterclockwise_and_mirrored_left_to_right() {
        check((0, false), [1.0, 2.0, 3.0, 4.0]);
        check((1, false), [2.0, 4.0, 1.0, 3.0]);
        check((2, false), [4.0, 3.0, 2.0, 1.0]);
        check((3, false), [3.0, 1.0, 4.0, 2.0]);
        check((0, true), [2.0, 1.0, 4.0, 3.0]);
        check((1, true), [4.0, 2.0, 3.0, 1.0]);
    }

    #[test]
    fn an_image_that_is_not_square_can_be_mirrored() {
        let image = Pixels::new(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let mirrored = transformed(&image, [1, 2, 3], (0, true));
        assert_eq!(mirrored.values(), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
    }
}
