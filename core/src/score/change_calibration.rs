//! How a model finds changes, and how often it errs.

use serde::{Deserialize, Serialize};

use super::{Calibration, Threshold};

/// How a model finds changes between two images, and how often it errs.
///
/// In JSON: `{"threshold": 0.5, "cells": {…}, "images": {…}}`, where both parts are [calibrations](Calibration).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeCalibration {
    /// The largest distance of an unchanged cell.
    pub threshold: Threshold,
    /// The error rates for one cell: unchanged cells are its same pairs, and changed cells its different pairs.
    pub cells: Calibration,
    /// The error rates for one pair of images, whose distance is that of the most different cell.
    pub images: Calibration,
}
