//! Where the second image of a listed pair differs from the first.

use super::BadLine;
use super::name::normalised;

/// A box: left, top, right and bottom, in pixels.
pub type Corners = [f64; 4];

/// Where the second image of a listed pair differs from the first.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangedArea {
    /// Nowhere: the pair is unchanged.
    Nowhere,
    /// In boxes, in pixels of the second image. There is at least one, and each has a positive area.
    Boxes(Vec<Corners>),
    /// Where this image is light. It is relative to the list's folder, and is stretched to the size of the second image.
    Mask(String),
}

/// The columns that tell where a pair has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AreaColumn {
    Boxes,
    Mask,
}

impl AreaColumn {
    pub(super) const ALL: [Self; 2] = [Self::Boxes, Self::Mask];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Boxes => "boxes",
            Self::Mask => "mask",
        }
    }

    /// Reads a field. An empty one means that the pair is unchanged.
    pub(super) fn area(self, field: &str) -> Result<ChangedArea, BadLine> {
        if field.is_empty() {
            return Ok(ChangedArea::Nowhere);
        }
        match self {
            Self::Mask => Ok(ChangedArea::Mask(normalised(field)?)),
            Self::Boxes => {
                let boxes: Option<Vec<_>> = field.split(';').map(corners).collect();
                let boxes = boxes.ok_or_else(|| BadLine::InvalidBoxes(field.to_owned()))?;
                Ok(ChangedArea::Boxes(boxes))
            }
        }
    }
}

/// The corners of a box: `x1 y1 x2 y2`. A fifth number, such as the kind of a defect, is ignored.
fn corners(text: &str) -> Option<Corners> {
    let numbers: Option<Vec<f64>> =
        text.split_whitespace().map(|number| number.parse().ok()).collect();
    let (corners, kind) = numbers.as_deref()?.split_first_chunk::<4>()?;
    let [left, top, right, bottom] = *corners;
    let is_box = corners.iter().all(|number| number.is_finite()) && left < right && top < bottom;
    (is_box && kind.len() <= 1).then_some(*corners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_have_four_numbers_and_perhaps_a_kind() {
        let area = AreaColumn::Boxes.area("1 2 3.5 4;10 20 30 40 6").expect("boxes");
        assert_eq!(area, ChangedArea::Boxes(vec![[1.0, 2.0, 3.5, 4.0], [10.0, 20.0, 30.0, 40.0]]));
        assert_eq!(AreaColumn::Boxes.area(""), Ok(ChangedArea::Nowhere));
        for wrong in ["1 2 3", "1 2 3 4 5 6", "3 2 1 4", "1 2 3 4;", "1 2 3 inf", "a b c d"] {
            let refusal = AreaColumn::Boxes.area(wrong).expect_err(wrong).to_string();
            assert!(refusal.contains(wrong), "{refusal}");
        }
    }

    #[test]
    fn a_mask_is_an_image_below_the_folder() {
        let area = AreaColumn::Mask.area("masks/./1.png");
        assert_eq!(area, Ok(ChangedArea::Mask("masks/1.png".to_owned())));
        assert!(AreaColumn::Mask.area("../1.png").is_err());
    }
}
