// What has distances, pairs of images or cells, and its error rates at a threshold in words.

import { element, percent } from "../elements.js";
import { term } from "../terms.js";

/// Pairs of images, which are the same or different.
export const PAIRS = {
  same: "same pairs",
  different: "different pairs",
  found: "this pair",
  terms: ["Same pair", "Different pair", "Distance", "Threshold", "FMR", "FNMR"],
  rates(calibration, threshold) {
    const rates = calibration.at(threshold);
    if (!rates) return [unknown("This model is not calibrated. Its error rates are unknown.")];
    const { same_pairs, different_pairs } = calibration.measured;
    const rate = (name, share, count, kind, verdict) => {
      const pairs = `${count.toLocaleString("en")} ${kind} pairs`;
      return entry(term(name), share, ` of ${pairs} are called ${verdict}.`);
    };
    return [
      rate("FMR", rates.fmr, different_pairs, "different", "same"),
      rate("FNMR", rates.fnmr, same_pairs, "same", "different"),
      source(calibration.measured),
    ];
  },
};

/// Cells, which are unchanged or changed. `ofScenes` returns the rates for whole pairs of images at a threshold, or null.
export const cells = (ofScenes) => ({
  same: "unchanged cells",
  different: "changed cells",
  found: "greatest here",
  terms: ["Cell", "Region", "Threshold", "False alarms", "Missed changes"],
  rates(calibration, threshold) {
    const rates = calibration.at(threshold);
    if (!rates) return [unknown("This model is not calibrated for changes. Its error rates are unknown.")];
    const scenes = ofScenes(threshold);
    const rate = (name, kind, verdict, key) => {
      const images = scenes ? `, and ${percent(scenes[key])} of ${kind} image pairs` : "";
      return entry(term(name), rates[key], ` of ${kind} cells${images}, are called ${verdict}.`);
    };
    return [
      rate("False alarms", "unchanged", "changed", "fnmr"),
      rate("Missed changes", "changed", "unchanged", "fmr"),
      source(calibration.measured),
    ];
  },
});

const entry = (name, share, text) => element("span", {}, element("b", {}, name, ` ${percent(share)}`), text);

const unknown = (text) => element("span", { class: "wide" }, text);

const source = ({ identities, data, split }) =>
  element("small", {}, `Measured on ${identities} identities of ${data}: ${split}.`);
