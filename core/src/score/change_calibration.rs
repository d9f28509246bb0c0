//! How a model finds changes, and how often it errs.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Calibration, Threshold};

/// The most places that a change may be compared across: more would hide every small change.
const MAX_REACH: usize = 4;

/// How a model finds changes between two images, and how often it errs.
///
/// In JSON: `{"reach": 1, "threshold": 0.5, "cells": {…}, "images": {…}}`, where both parts are [calibrations](Calibration).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct ChangeCalibration {
    /// How many places away a cell may have its counterpart: [`Map::distances`](super::Map::distances).
    pub reach: usize,
    /// The largest distance of an unchanged cell.
    pub threshold: Threshold,
    /// The error rates for one cell: unchanged cells are its same pairs, and changed cells its different pairs.
    pub cells: Calibration,
    /// The error rates for one pair of images, whose distance is that of the most different cell.
    pub images: Calibration,
}

/// Why a file's numbers are not a [`ChangeCalibration`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidChangeCalibration {
    /// The reach is too large.
    #[error("its reach, {0}, is more than {MAX_REACH} places")]
    Reach(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    reach: usize,
    threshold: Threshold,
    cells: Calibration,
    images: Calibration,
}

impl TryFrom<Written> for ChangeCalibration {
    type Error = InvalidChangeCalibration;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written { reach, threshold, cells, images } = written;
        if MAX_REACH < reach {
            return Err(InvalidChangeCalibration::Reach(reach));
        }
        Ok(Self { reach, threshold, cells, images })
    }
}
